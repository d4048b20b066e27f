//! The client's side of AUTHENTICATE: chunks put together, base64 undone, the PLAIN message taken apart.
//!
//! Pure, knows nobody. What is held here is wiped when it is dropped, and never shows up in a log. Rules:
//! <https://ircv3.net/specs/extensions/sasl-3.1> and RFC 4616.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The length of a chunk after which another one follows.
pub const CHUNK: usize = 400;
/// The most bytes of base64 in one exchange; whoever sends more is refused.
pub const ENCODED_MAX: usize = 4096;

/// Why an exchange came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// For 905.
    #[error("the SASL message is too long")]
    TooLong,
    /// For 906.
    #[error("the client gave up")]
    Aborted,
    /// For 904.
    #[error("the SASL message is not base64")]
    Base64,
    /// For 904.
    #[error("the PLAIN message is not <authorize as> NUL <account> NUL <password>, in UTF-8")]
    Plain,
}

/// Puts the chunks of one exchange together. After a message or an error it is empty again.
#[derive(Default)]
pub struct Chunks {
    encoded: Zeroizing<Vec<u8>>,
}

impl Chunks {
    /// Takes the parameter of one AUTHENTICATE line; `None` while more is to come.
    pub fn push(&mut self, param: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SaslError> {
        let chunk = match param {
            "*" => return Err(self.forget(SaslError::Aborted)),
            "+" => "",
            chunk => chunk,
        };
        if chunk.len() > CHUNK || self.encoded.len() + chunk.len() > ENCODED_MAX {
            return Err(self.forget(SaslError::TooLong));
        }
        if self.encoded.capacity() == 0 {
            // Never grown afterwards: growing would leave copies behind that nobody wipes.
            let room = if chunk.len() == CHUNK { ENCODED_MAX } else { chunk.len() };
            self.encoded = Zeroizing::new(Vec::with_capacity(room));
        }
        self.encoded.extend_from_slice(chunk.as_bytes());
        if chunk.len() == CHUNK {
            return Ok(None);
        }
        let encoded = std::mem::take(&mut self.encoded);
        let mut message = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(encoded.len())));
        STANDARD.decode_vec(encoded.as_slice(), &mut message).map_err(|_| SaslError::Base64)?;
        Ok(Some(message))
    }

    fn forget(&mut self, error: SaslError) -> SaslError {
        self.encoded = Zeroizing::default();
        error
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunks({} bytes)", self.encoded.len())
    }
}

/// The message of the mechanism PLAIN.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain {
    /// Whom the client wants to act as; empty: itself. Nobody may act as somebody else: compare with `account`.
    pub authorize_as: String,
    pub account: String,
    pub password: Zeroizing<String>,
}

impl Plain {
    pub fn parse(message: &[u8]) -> Result<Plain, SaslError> {
        let mut parts = message.split(|byte| *byte == 0);
        let mut next = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
        let (Some(authorize_as), Some(account), Some(password)) = (next(), next(), next()) else {
            return Err(SaslError::Plain);
        };
        if parts.next().is_some() || account.is_empty() || password.is_empty() {
            return Err(SaslError::Plain);
        }
        Ok(Plain {
            authorize_as: authorize_as.to_owned(),
            account: account.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        })
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plain({:?} as {:?}, password hidden)", self.account, self.authorize_as)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a client sends for this message.
    fn chunks_of(message: &[u8]) -> Vec<String> {
        let encoded = STANDARD.encode(message);
        let mut chunks: Vec<String> =
            encoded.as_bytes().chunks(CHUNK).map(|chunk| String::from_utf8(chunk.to_vec()).unwrap()).collect();
        if encoded.len().is_multiple_of(CHUNK) {
            chunks.push("+".to_owned());
        }
        chunks
    }

    #[test]
    fn a_plain_message() {
        let message = Chunks::default().push(&STANDARD.encode("\0älice\0pass word")).unwrap().unwrap();
        let plain = Plain::parse(&message).unwrap();
        assert_eq!((plain.authorize_as.as_str(), plain.account.as_str()), ("", "älice"));
        assert_eq!(plain.password.as_str(), "pass word");
        assert!(!format!("{plain:?}").contains("pass word"));
        for bad in ["", "\0", "a\0b", "\0\0x", "\0a\0", "\0a\0b\0c"] {
            assert_eq!(Plain::parse(bad.as_bytes()), Err(SaslError::Plain), "{bad:?}");
        }
        assert_eq!(Plain::parse(b"\0a\0\xff"), Err(SaslError::Plain));
    }

    #[test]
    fn broken_exchanges_leave_nothing_behind() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.push("*"), Err(SaslError::Aborted));
        assert_eq!(chunks.push("not base64!"), Err(SaslError::Base64));
        assert_eq!(chunks.push(&"A".repeat(401)), Err(SaslError::TooLong));
        let full = "A".repeat(CHUNK);
        for _ in 0..ENCODED_MAX / CHUNK {
            assert_eq!(chunks.push(&full), Ok(None));
        }
        assert_eq!(chunks.push(&full), Err(SaslError::TooLong));
        assert_eq!(chunks.push("+").unwrap().unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn chunks_give_the_message_back(message in proptest::collection::vec(any::<u8>(), 0..2500)) {
            let mut chunks = Chunks::default();
            let sent = chunks_of(&message);
            for chunk in &sent[..sent.len() - 1] {
                prop_assert_eq!(chunks.push(chunk), Ok(None));
            }
            let received = chunks.push(&sent[sent.len() - 1]).unwrap().unwrap();
            prop_assert_eq!(received.as_slice(), &message);
            let _ = Plain::parse(&received);
        }
    }
}
