//! Passwords: what they may be, how they are hashed and checked, and how many at once.
//!
//! Knows no accounts and no protocol. Promises: hashing happens off the async threads, on a bounded number of
//! threads with a bounded line before them; a name that does not exist costs the same work as a wrong password; no
//! password is ever printed, and its memory is wiped.

mod line;
mod memory;
mod token;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use precis_core::profile::PrecisFastInvocation;
use precis_profiles::OpaqueString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::address::Place;

use line::Line;
pub use memory::Memory;
use memory::matches;
pub use token::{TOKEN_PREFIX, Token};

/// The most bytes of a password.
pub const PASSWORD_BYTES: usize = 1024;
/// The fewest characters of a new password.
pub const NEW_PASSWORD_CHARS: usize = 8;
/// The most logins that wait for their turn; whoever comes after them is told to come back.
pub const WAITING_MAX: usize = 4096;

/// Characters of generated passwords: 32, without those that are easily confused.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const GENERATED_CHARS: usize = 20;

/// A text that nobody may read by accident: not printed, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself; the name makes every use easy to find.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Secret {
        Secret(text)
    }
}

impl PartialEq for Secret {
    /// In constant time for texts of one length.
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Why a text can be no password, as a sentence for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is empty: write one")]
    Empty,
    #[error("the password is too long: use at most {PASSWORD_BYTES} bytes")]
    TooLong,
    #[error("the password is too short: use at least {NEW_PASSWORD_CHARS} characters")]
    TooShort,
    #[error(
        "the password holds characters that cannot be typed the same way everywhere: use letters, digits, signs and blanks"
    )]
    Unfit,
}

/// A password in the form it is hashed in (RFC 8265, OpaqueString): the same, however a keyboard composes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password(Secret);

impl Password {
    /// A password that somebody logs in with.
    pub fn entered(secret: &Secret) -> Result<Password, PasswordError> {
        let text = secret.expose();
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        if text.len() > PASSWORD_BYTES {
            return Err(PasswordError::TooLong);
        }
        let prepared = OpaqueString::enforce(text).map_err(|_| PasswordError::Unfit)?;
        Ok(Password(Secret::new(prepared.into_owned())))
    }

    /// A password that somebody wants to have from now on.
    pub fn chosen(secret: &Secret) -> Result<Password, PasswordError> {
        let password = Password::entered(secret)?;
        if secret.expose().starts_with(TOKEN_PREFIX) {
            return Err(PasswordError::Unfit);
        }
        if password.0.expose().chars().count() < NEW_PASSWORD_CHARS {
            return Err(PasswordError::TooShort);
        }
        Ok(password)
    }
}

/// A new password of 20 characters (100 bits), easy to read out.
pub fn generate_password() -> Result<Secret, AuthError> {
    let mut random = Zeroizing::new([0u8; GENERATED_CHARS]);
    getrandom::fill(random.as_mut_slice()).map_err(|_| AuthError::Random)?;
    Ok(Secret::new(random.iter().map(|byte| ALPHABET[usize::from(byte % 32)] as char).collect()))
}

/// A code that lets a newcomer make an account: as hard to guess as a generated password, so a fast hash is enough to
/// keep it by.
pub struct Invitation(Secret);

impl Invitation {
    pub fn make() -> Result<Invitation, AuthError> {
        Ok(Invitation(generate_password()?))
    }

    /// To be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub fn hash(&self) -> String {
        invitation_hash(&self.0)
    }
}

/// What a code is kept by and found by: SHA-256 in lower-case hex. Letter case, blanks and hyphens do not matter.
pub fn invitation_hash(code: &Secret) -> String {
    let plain: Zeroizing<String> = code
        .expose()
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect::<String>()
        .into();
    Sha256::digest(plain.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What went wrong on our side; a wrong password is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error(
        "argon2 cannot work with these settings: auth.argon2_memory_kib must be at least 8 for each of \
         auth.argon2_parallelism, and auth.argon2_iterations at least 1"
    )]
    Settings,
    #[error("the system gives no random bytes")]
    Random,
    #[error("the password could not be hashed: is there enough memory for auth.argon2_memory_kib?")]
    Hash,
    #[error("too many people are logging in at this moment: try again in a minute")]
    Busy,
}

/// How much work a hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashSettings {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

impl Default for HashSettings {
    /// The least that OWASP recommends for argon2id.
    fn default() -> HashSettings {
        HashSettings { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// Hashes passwords with argon2id. Its methods take tens of milliseconds and block: see [`Logins`] for async callers.
pub struct Hasher {
    argon2: Argon2<'static>,
    settings: HashSettings,
    /// A hash of a password nobody knows, for names nobody has.
    decoy: String,
}

impl Hasher {
    /// Hashes once, so it takes as long as that and shows that the settings work on this machine.
    pub fn new(settings: HashSettings) -> Result<Hasher, AuthError> {
        // Checked here because the library multiplies without looking.
        if u64::from(settings.memory_kib) < 8 * u64::from(settings.parallelism) {
            return Err(AuthError::Settings);
        }
        let params = Params::new(settings.memory_kib, settings.iterations, settings.parallelism, None)
            .map_err(|_| AuthError::Settings)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hasher = Hasher { argon2, settings, decoy: String::new() };
        hasher.decoy = hasher.hash(&Password(generate_password()?), &mut Memory::default())?;
        Ok(hasher)
    }

    /// A PHC string (`$argon2id$v=19$m=...`) with a new salt.
    pub fn hash(&self, password: &Password, memory: &mut Memory) -> Result<String, AuthError> {
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).map_err(|_| AuthError::Random)?;
        let mut hash = [0u8; Params::DEFAULT_OUTPUT_LEN];
        memory.run(&self.argon2, password, &salt, &mut hash).ok_or(AuthError::Hash)?;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(self.argon2.params()).map_err(|_| AuthError::Hash)?,
            salt: Some(Salt::new(&salt).map_err(|_| AuthError::Hash)?),
            hash: Some(Output::new(&hash).map_err(|_| AuthError::Hash)?),
        };
        Ok(phc.to_string())
    }

    /// Whether the password is the one behind this PHC string, whose own settings count. A string that is none
    /// matches nothing.
    pub fn verify(&self, password: &Password, phc: &str, memory: &mut Memory) -> bool {
        match whole_hash(phc).and_then(|hash| matches(password, &hash, memory)) {
            Some(matched) => matched,
            // It broke off before the work.
            None => {
                self.verify_unknown(password, memory);
                false
            }
        }
    }

    /// Does the work of [`Hasher::verify`] for a name that does not exist, so that nobody can tell by the time.
    pub fn verify_unknown(&self, password: &Password, memory: &mut Memory) {
        if let Ok(hash) = PasswordHash::new(&self.decoy) {
            std::hint::black_box(matches(password, &hash, memory));
        }
    }

    /// Whether this PHC string was made with other settings than today's.
    pub fn needs_rehash(&self, phc: &str) -> bool {
        let Some(hash) = whole_hash(phc) else { return true };
        let Ok(params) = Params::try_from(&hash) else { return true };
        let settings =
            HashSettings { memory_kib: params.m_cost(), iterations: params.t_cost(), parallelism: params.p_cost() };
        hash.algorithm.as_str() != "argon2id"
            || hash.version != Some(Version::V0x13.into())
            || settings != self.settings
    }
}

/// A PHC string may also come without salt or hash; ours never do.
fn whole_hash(phc: &str) -> Option<PasswordHash> {
    PasswordHash::new(phc).ok().filter(|hash| hash.salt.is_some() && hash.hash.is_some())
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({:?})", self.settings)
    }
}

/// What came of checking a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `rehashed`: the settings have changed since the stored hash was made; store this one instead.
    Right {
        rehashed: Option<String>,
    },
    Wrong,
}

/// Checks passwords for async callers: a few at once, the others wait in a line of at most [`WAITING_MAX`], which is fair
/// between addresses.
#[derive(Debug, Clone)]
pub struct Logins {
    hasher: Arc<Hasher>,
    line: Line,
    idle: Arc<Mutex<Vec<Memory>>>,
}

impl Logins {
    /// `at_once`: as many as there are processor cores is right; each takes the memory of the settings.
    pub fn new(hasher: Arc<Hasher>, at_once: usize) -> Logins {
        Logins::with_line(hasher, at_once.clamp(1, 1024), WAITING_MAX)
    }

    fn with_line(hasher: Arc<Hasher>, at_once: usize, waiting: usize) -> Logins {
        Logins { hasher, line: Line::new(at_once, waiting), idle: Arc::default() }
    }

    /// The same line with other settings, for a config that was read anew.
    pub fn with_hasher(&self, hasher: Arc<Hasher>) -> Logins {
        Logins { hasher, ..self.clone() }
    }

    /// Waits for a turn. Whoever counts attempts counts here, and not in the line: there may be a whole school in it.
    pub async fn turn(&self, from: IpAddr) -> Result<Turn, AuthError> {
        let held = self.line.turn(Place::of(from)).await.ok_or(AuthError::Busy)?;
        Ok(Turn { logins: self.clone(), held })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Password, from: IpAddr) -> Result<String, AuthError> {
        self.turn(from).await?.run(move |hasher, memory| hasher.hash(&password, memory)).await
    }

    fn take_memory(&self) -> Memory {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Kept for whoever waits, so that a storm of logins takes the memory of those at work and no more; given back to
    /// the system by the last one. Never more than there are turns.
    fn give_memory(&self, memory: Memory) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if self.line.is_busy() { idle.push(memory) } else { idle.clear() }
    }
}

/// The right to hash once.
#[derive(Debug)]
pub struct Turn {
    logins: Logins,
    held: line::Turn,
}

impl Turn {
    /// Checks what somebody entered. `phc`: the stored hash, `None` if there is no such account (or it may not log
    /// in); the work is the same. `settle` hears of it before the next turn begins, however late the caller does.
    pub async fn verify(
        self,
        entered: Secret,
        phc: Option<String>,
        settle: impl FnOnce(&Result<Verdict, AuthError>) + Send + 'static,
    ) -> Result<Verdict, AuthError> {
        self.run(move |hasher, memory| {
            let verdict = Self::verdict(hasher, memory, &entered, phc);
            settle(&verdict);
            verdict
        })
        .await
    }

    fn verdict(
        hasher: &Hasher,
        memory: &mut Memory,
        entered: &Secret,
        phc: Option<String>,
    ) -> Result<Verdict, AuthError> {
        let (password, phc) = match Password::entered(entered) {
            Ok(password) => (password, phc),
            // It cannot be anybody's password: do the same work for nothing.
            Err(_) => (Password(Secret::new(String::new())), None),
        };
        let Some(phc) = phc else {
            hasher.verify_unknown(&password, memory);
            return Ok(Verdict::Wrong);
        };
        if !hasher.verify(&password, &phc, memory) {
            return Ok(Verdict::Wrong);
        }
        // Whoever is right gets in, even if the new hash cannot be made today.
        let rehashed = hasher.needs_rehash(&phc).then(|| hasher.hash(&password, memory).ok()).flatten();
        Ok(Verdict::Right { rehashed })
    }

    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Hasher, &mut Memory) -> Result<T, AuthError> + Send + 'static,
    ) -> Result<T, AuthError> {
        // The turn goes along: a caller that is dropped does not stop the work, so it must not free its place.
        let task = tokio::task::spawn_blocking(move || {
            let _held = self.held;
            let mut memory = self.logins.take_memory();
            let done = work(&self.logins.hasher, &mut memory);
            self.logins.give_memory(memory);
            done
        });
        task.await.unwrap_or(Err(AuthError::Hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const QUICK: HashSettings = HashSettings { memory_kib: 32, iterations: 1, parallelism: 1 };

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn password(text: &str) -> Password {
        Password::entered(&secret(text)).unwrap()
    }

    #[test]
    fn a_code_is_the_same_however_it_is_written() {
        let made = Invitation::make().unwrap();
        let code = made.expose();
        let written = format!(" {}-{} ", code[..5].to_uppercase(), &code[5..]);
        assert_eq!(invitation_hash(&secret(&written)), made.hash());
        assert_eq!(made.hash().len(), 64);
        assert_ne!(invitation_hash(&secret(&code[1..])), made.hash());
    }

    #[test]
    fn which_passwords_are_good() {
        assert_eq!(Password::entered(&secret("")), Err(PasswordError::Empty));
        assert_eq!(Password::entered(&secret(&"x".repeat(1025))), Err(PasswordError::TooLong));
        assert_eq!(Password::entered(&secret("a\u{7}b")), Err(PasswordError::Unfit));
        assert!(Password::entered(&secret("x")).is_ok());
        assert_eq!(Password::chosen(&secret("1234567")), Err(PasswordError::TooShort));
        assert!(Password::chosen(&secret("pass wörd 密码")).is_ok());
        assert_eq!(password("wo\u{308}rd"), password("wörd"));
        assert_ne!(password("Word"), password("word"));
    }

    #[test]
    fn generated_passwords_are_good_and_differ() {
        let (one, other) = (generate_password().unwrap(), generate_password().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 20);
        assert!(Password::chosen(&one).is_ok());
    }

    #[test]
    fn nothing_prints_a_secret() {
        let hasher = Hasher::new(QUICK).unwrap();
        let shown = format!("{:?} {:?} {hasher:?}", secret("hunter22"), password("hunter22"));
        assert!(!shown.contains("hunter22") && !shown.contains("$argon2"), "{shown}");
    }

    #[test]
    fn a_hash_knows_its_password_and_its_settings() {
        let (hasher, mut memory) = (Hasher::new(QUICK).unwrap(), Memory::default());
        let phc = hasher.hash(&password("correct horse"), &mut memory).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=32,t=1,p=1$"), "{phc}");
        assert!(hasher.verify(&password("correct horse"), &phc, &mut memory));
        assert!(!hasher.verify(&password("correct hors"), &phc, &mut memory));
        assert!(!hasher.needs_rehash(&phc));
        let stronger = Hasher::new(HashSettings { iterations: 2, ..QUICK }).unwrap();
        assert!(stronger.needs_rehash(&phc));
        assert!(stronger.verify(&password("correct horse"), &phc, &mut memory), "old settings still open the door");
        for broken in ["", "x", "$argon2id$", "$argon2id$v=19$m=1,t=0,p=0$AAAA$AAAA", phc.rsplit_once('$').unwrap().0] {
            assert!(!hasher.verify(&password("x"), broken, &mut memory), "{broken}");
            assert!(hasher.needs_rehash(broken));
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for (memory_kib, iterations, parallelism) in [(0, 1, 1), (32, 0, 1), (32, 1, 0), (32, 1, 5), (32, 1, u32::MAX)]
        {
            assert_eq!(
                Hasher::new(HashSettings { memory_kib, iterations, parallelism }).unwrap_err(),
                AuthError::Settings
            );
        }
    }

    #[tokio::test]
    async fn logins() {
        let hasher = Arc::new(Hasher::new(QUICK).unwrap());
        let logins = Logins::new(hasher.clone(), 2);
        let phc = logins.hash(password("correct horse"), HERE).await.unwrap();
        let check = async |text: &str, phc: Option<&String>| {
            logins.turn(HERE).await.unwrap().verify(secret(text), phc.cloned(), |_| {}).await
        };
        assert_eq!(check("correct horse", Some(&phc)).await, Ok(Verdict::Right { rehashed: None }));
        assert_eq!(check("wrong", Some(&phc)).await, Ok(Verdict::Wrong));
        assert_eq!(check("correct horse", None).await, Ok(Verdict::Wrong));
        assert_eq!(check("", Some(&phc)).await, Ok(Verdict::Wrong));
        assert_eq!(check(&"x".repeat(5000), Some(&phc)).await, Ok(Verdict::Wrong));

        let stronger = logins.with_hasher(Arc::new(Hasher::new(HashSettings { iterations: 2, ..QUICK }).unwrap()));
        let verdict =
            stronger.turn(HERE).await.unwrap().verify(secret("correct horse"), Some(phc), |_| {}).await.unwrap();
        let Verdict::Right { rehashed: Some(renewed) } = verdict else { panic!("{verdict:?}") };
        assert!(!stronger.hasher.needs_rehash(&renewed));
        assert!(stronger.hasher.verify(&password("correct horse"), &renewed, &mut Memory::default()));
    }

    /// Whoever pays for a look and is paid back would otherwise stand in the way of the next, who is right, too.
    #[tokio::test]
    async fn what_came_of_a_turn_is_settled_before_the_next() {
        let logins = Logins::with_line(Arc::new(Hasher::new(QUICK).unwrap()), 1, 100);
        let (unsettled, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..60 {
            let (logins, unsettled, most) = (logins.clone(), unsettled.clone(), most.clone());
            tasks.spawn(async move {
                let turn = logins.turn(HERE).await.unwrap();
                most.fetch_max(unsettled.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let settle = move |_: &Result<Verdict, AuthError>| {
                    unsettled.fetch_sub(1, Ordering::SeqCst);
                };
                turn.verify(secret("x"), None, settle).await.unwrap()
            });
        }
        assert!(tasks.join_all().await.iter().all(|verdict| *verdict == Verdict::Wrong));
        assert_eq!((unsettled.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, 1));
    }

    #[tokio::test]
    async fn only_a_few_work_at_once_and_the_line_is_bounded() {
        let logins = Logins::with_line(Arc::new(Hasher::new(QUICK).unwrap()), 2, 10);
        let now = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let (logins, now, most) = (logins.clone(), now.clone(), most.clone());
            tasks.spawn(async move {
                let work = move |_: &Hasher, _: &mut Memory| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                logins.turn(HERE).await?.run(work).await
            });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 12);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(AuthError::Busy)).count(), 18);
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(logins.turn(HERE).await.unwrap().run(|_, _| Ok(7)).await, Ok(7), "the line is free again");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// From several threads at once: a hash opens to its own password only, and no two hashes are the same.
        #[test]
        fn hashing_is_safe_from_many_threads(texts in proptest::collection::hash_set("[a-zA-Zä-ü0-9 !]{1,40}", 2..5)) {
            let hasher = Hasher::new(QUICK).unwrap();
            let passwords: Vec<Password> = texts.iter().filter_map(|t| Password::entered(&secret(t)).ok()).collect();
            let hashes: Vec<String> = std::thread::scope(|scope| {
                let threads: Vec<_> = passwords.iter().map(|p| scope.spawn(|| hasher.hash(p, &mut Memory::default()).unwrap())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for (i, password) in passwords.iter().enumerate() {
                for (j, hash) in hashes.iter().enumerate() {
                    prop_assert_eq!(hasher.verify(password, hash, &mut Memory::default()), passwords[j] == *password, "{} {}", i, j);
                    prop_assert!(i == j || hashes[i] != *hash);
                }
            }
        }
    }
}
