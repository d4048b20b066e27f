//! The memory that argon2 works in, which is used again while people wait for their turn, and argon2 in it.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::Password;

/// So many blocks of a KiB are asked for at least, though only what is worked in is ever touched. Pieces below 32 MiB
/// (`DEFAULT_MMAP_THRESHOLD_MAX` of glibc's malloc) may stay with each thread that had one, some 60 MB apiece; larger ones
/// go back to the system.
const ASKED_MIN: usize = 33 * 1024;

/// What argon2 fills while it works; some 19 MiB by default. Wiped when it is given back.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    /// `None`: these settings cannot work, or there is not so much memory.
    pub(super) fn run(&mut self, argon2: &Argon2<'_>, password: &Password, salt: &[u8], out: &mut [u8]) -> Option<()> {
        let needed = argon2.params().block_count();
        if self.0.len() < needed {
            self.0.try_reserve_exact(needed.max(ASKED_MIN) - self.0.len()).ok()?;
            self.0.resize(needed, Block::default());
        }
        argon2.hash_password_into_with_memory(password.0.expose().as_bytes(), salt, out, &mut self.0).ok()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} KiB)", self.0.len())
    }
}

/// Whether this is the password, by the settings of its hash. `None`: they cannot be worked with.
pub(super) fn matches(password: &Password, hash: &PasswordHash, memory: &mut Memory) -> Option<bool> {
    let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = Version::try_from(hash.version.unwrap_or(Version::V0x13.into())).ok()?;
    let params = Params::try_from(hash).ok()?;
    let mut computed = Zeroizing::new(vec![0; expected.len()]);
    memory.run(&Argon2::new(algorithm, version, params), password, salt.as_ref(), &mut computed)?;
    Some(computed.ct_eq(expected.as_bytes()).into())
}
