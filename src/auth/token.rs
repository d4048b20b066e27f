//! Tokens that devices log in with in place of a password: 256 random bits, shown once and kept by their hash. Nobody
//! guesses one, so a fast hash is enough; and finding one by its hash tells a listener with a clock nothing of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{AuthError, Secret};

/// What tells a token from a password, which therefore cannot begin so.
pub const TOKEN_PREFIX: &str = "chatd-token-";

pub struct Token(Secret);

impl Token {
    pub fn make() -> Result<Token, AuthError> {
        let mut random = Zeroizing::new([0u8; 32]);
        getrandom::fill(random.as_mut_slice()).map_err(|_| AuthError::Random)?;
        let digits = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        Ok(Token(Secret::new(format!("{TOKEN_PREFIX}{}", &*digits))))
    }

    /// What somebody logs in with, if it is a token and no password.
    pub fn entered(secret: &Secret) -> Option<Token> {
        secret.expose().starts_with(TOKEN_PREFIX).then(|| Token(secret.clone()))
    }

    /// To be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What it is kept by: SHA-256 in lower-case hex.
    pub fn hash(&self) -> String {
        Sha256::digest(self.0.expose().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Password;

    #[test]
    fn a_token_is_no_password_and_no_two_are_the_same() {
        let (one, other) = (Token::make().unwrap(), Token::make().unwrap());
        assert_eq!(one.expose().len(), TOKEN_PREFIX.len() + 43);
        assert!(one.expose() != other.expose() && one.hash() != other.hash());
        let entered = Secret::new(one.expose().to_owned());
        assert_eq!(Token::entered(&entered).unwrap().hash(), one.hash());
        assert!(Token::entered(&Secret::new("hunter2".into())).is_none());
        assert!(Password::chosen(&entered).is_err());
    }
}
