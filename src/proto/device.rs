//! Names of devices: what an account calls the clients it comes with, as in `alice/phone`.
//!
//! Pure, knows nobody. Whoever says nothing is on the default device, whose name is empty. Promises that a name is short
//! and can be shown, that letter case makes no second device, and that nobody can name a device like a certificate's.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

/// The most characters of a device's name.
pub const DEVICE_CHARS: usize = 32;
/// These end a name, or mean something else where a name may stand.
const FORBIDDEN: &str = "/:,*?!@#\"\\";
/// In front of what is left of a fingerprint: no name that somebody gives can hold a colon.
const CERTIFICATE: &str = "cert:";
/// Digits of a fingerprint that tell an account's certificates apart.
const CERTIFICATE_DIGITS: usize = 24;

/// Why a text is no device's name, as a sentence for the person who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("the device's name is too long: use at most {DEVICE_CHARS} characters after the '/'")]
    TooLong,
    #[error("a device's name cannot hold {0:?}: use letters, digits, '-' and '_', such as phone")]
    Character(char),
}

/// The name of one of an account's devices; empty: the default device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DeviceName(Arc<str>);

impl DeviceName {
    pub fn parse(text: &str) -> Result<DeviceName, DeviceError> {
        // Before anything costly.
        if text.len() > 8 * DEVICE_CHARS {
            return Err(DeviceError::TooLong);
        }
        let name: String = text.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        let bad = |c: &char| FORBIDDEN.contains(*c) || !(c.is_alphanumeric() || c.is_ascii_graphic());
        if let Some(c) = name.chars().find(bad) {
            return Err(DeviceError::Character(c));
        }
        if name.chars().count() > DEVICE_CHARS {
            return Err(DeviceError::TooLong);
        }
        Ok(DeviceName(name.into()))
    }

    /// The device that has a certificate and no name: its fingerprint in hexadecimal digits.
    pub fn of_certificate(fingerprint: &str) -> DeviceName {
        let digits = fingerprint.chars().filter(char::is_ascii_hexdigit).take(CERTIFICATE_DIGITS);
        let name: String = CERTIFICATE.chars().chain(digits.map(|digit| digit.to_ascii_lowercase())).collect();
        DeviceName(name.into())
    }

    /// The name of a device that is known already, a certificate's too.
    pub fn named(text: &str) -> Result<DeviceName, DeviceError> {
        match text.strip_prefix(CERTIFICATE) {
            Some(fingerprint) => Ok(DeviceName::of_certificate(fingerprint)),
            None => DeviceName::parse(text),
        }
    }

    /// Takes `account/device` apart; without a `/`, or with nothing after it, it is the default device.
    pub fn split(text: &str) -> (&str, Result<DeviceName, DeviceError>) {
        match text.split_once('/') {
            Some((account, device)) => (account, DeviceName::parse(device)),
            None => (text, Ok(DeviceName::default())),
        }
    }

    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_device_stands_after_the_account() {
        let split = |text: &'static str| {
            let (account, device) = DeviceName::split(text);
            (account, device.unwrap().shared().to_string())
        };
        assert_eq!(split("alice"), ("alice", String::new()));
        assert_eq!(split("alice/"), ("alice", String::new()));
        assert_eq!(split("alice/Phone"), ("alice", "phone".to_owned()));
        assert_eq!(split("alice/手机-2"), ("alice", "手机-2".to_owned()));
        assert_eq!(DeviceName::split("alice/a/b").1, Err(DeviceError::Character('/')));
    }

    #[test]
    fn what_is_no_name() {
        for bad in ["a b", "a\u{1}", "a\u{200b}", "cert:12", "a,b", "a\u{202e}"] {
            assert!(matches!(DeviceName::parse(bad), Err(DeviceError::Character(_))), "{bad:?}");
        }
        assert_eq!(DeviceName::parse(&"a".repeat(33)), Err(DeviceError::TooLong));
        assert_eq!(DeviceName::parse(&"a".repeat(3000)), Err(DeviceError::TooLong));
        assert!(DeviceName::parse(&"长".repeat(32)).is_ok());
    }

    #[test]
    fn a_certificate_is_a_device_that_nobody_can_name() {
        let device = DeviceName::of_certificate(&"3F:DC".repeat(20));
        assert_eq!(&*device.shared(), "cert:3fdc3fdc3fdc3fdc3fdc3fdc");
        assert!(device.shared().chars().count() <= DEVICE_CHARS);
        assert!(DeviceName::parse(&device.shared()).is_err());
        assert_eq!(DeviceName::named(&device.shared()), Ok(device));
    }

    proptest! {
        #[test]
        fn a_name_read_again_is_itself(text in "\\PC{0,40}") {
            if let Ok(name) = DeviceName::parse(&text) {
                prop_assert_eq!(DeviceName::parse(&name.shared()), Ok(name));
            }
        }
    }
}
