//! What people and clients compare to know that a certificate is the right one.

use std::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate (its DER form). Prints as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

pub fn fingerprint(cert_der: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(cert_der).into())
}

impl Fingerprint {
    /// `abcd…`: what WeeChat's `tls_fingerprint` and our `chat` take.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// `AB:CD:…`: what irssi's `-tls_pinned_cert` takes and openssl prints.
    pub fn colons(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Reads either form, in either case.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| (d as char).to_digit(16);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Some(Fingerprint(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_back() {
        let of_nothing = fingerprint(b"");
        assert!(of_nothing.hex().starts_with("e3b0c44298fc"));
        assert!(of_nothing.colons().starts_with("E3:B0:C4:42:98:FC"));
        assert_eq!(Fingerprint::parse(&of_nothing.hex()), Some(of_nothing));
        assert_eq!(Fingerprint::parse(&of_nothing.colons()), Some(of_nothing));
        for bad in ["", "e3", &"g".repeat(64), &"é".repeat(32), &of_nothing.hex()[1..]] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }
}
