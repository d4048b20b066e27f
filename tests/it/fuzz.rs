//! The laws of fuzzing, briefly: each over its corpus and some mutations of it. libFuzzer takes them further; see
//! `docs/fuzzing.md`.

use std::path::{Path, PathBuf};

#[path = "../../fuzz/laws.rs"]
mod laws;

/// Mutations of a corpus that are tried.
const TRIES: usize = 400;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Numbers that come again for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }

    /// A part of some bytes.
    fn part<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let from = self.roll(bytes.len() + 1);
        let length = self.roll(bytes.len() - from + 1);
        &bytes[from..from + length]
    }

    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.roll(corpus.len())].clone();
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len() + 1);
            match self.roll(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.roll(8),
                1 if at < bytes.len() => bytes[at] = self.roll(256) as u8,
                2 => {
                    let gone = self.roll(bytes.len() - at + 1);
                    drop(bytes.drain(at..at + gone));
                }
                3 => {
                    let more = self.part(&bytes.clone()).to_vec();
                    drop(bytes.splice(at..at, more));
                }
                4 => {
                    let other = corpus[self.roll(corpus.len())].clone();
                    drop(bytes.splice(at..at, self.part(&other).to_vec()));
                }
                _ => bytes.insert(at, b"\0\r\n :;=@\\,#*\xff"[self.roll(13)]),
            }
        }
        bytes.truncate(8192);
        bytes
    }
}

fn corpus(law: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder().join("corpus").join(law)).expect("a corpus of this name");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// Tries a law on bytes; if it is broken, the bytes are kept where libFuzzer would keep them.
fn hold(name: &str, law: fn(&[u8]), bytes: &[u8]) {
    let broken = std::panic::catch_unwind(|| law(bytes)).is_err();
    if broken {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("breaks-{name}"));
        std::fs::write(&kept, bytes).expect("written");
        panic!("{name} does not hold for {:?}, kept as {}", String::from_utf8_lossy(bytes), kept.display());
    }
}

fn hold_all(name: &str) {
    let (_, law) = laws::LAWS.iter().find(|(known, _)| *known == name).expect("a law of this name");
    let corpus = corpus(name);
    assert!(corpus.len() >= 3, "{name} has a corpus");
    corpus.iter().for_each(|bytes| hold(name, *law, bytes));
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), name) | 1;
    let mut dice = Dice(seed);
    for _ in 0..TRIES {
        hold(name, *law, &dice.mutate(&corpus));
    }
}

#[test]
fn lines() {
    hold_all("line");
}

#[test]
fn tags() {
    hold_all("tags");
}

#[test]
fn sasl() {
    hold_all("sasl");
}

#[test]
fn questions_for_history() {
    hold_all("chathistory");
}

#[test]
fn sessions() {
    hold_all("session");
}

#[test]
fn http() {
    hold_all("http");
}

#[test]
fn websockets() {
    hold_all("websocket");
}

#[test]
fn configurations() {
    hold_all("config");
}

#[test]
fn headers_of_balancers() {
    hold_all("proxy");
}

/// A target without a corpus, or a law without a target, would be forgotten.
#[test]
fn every_law_has_a_corpus_a_target_and_a_test() {
    let names = |dir: &str| -> Vec<String> {
        let entries = std::fs::read_dir(folder().join(dir)).expect("a folder");
        let name = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("an entry").path())).collect();
        names.sort();
        names
    };
    let mut laws: Vec<&str> = laws::LAWS.iter().map(|(name, _)| *name).collect();
    laws.sort();
    assert_eq!(names("corpus"), laws);
    assert_eq!(names("fuzz_targets"), laws);
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("a manifest");
    let tests = include_str!("fuzz.rs");
    for law in laws {
        assert!(manifest.contains(&format!("name = \"{law}\"")), "{law} is in no [[bin]]");
        assert!(tests.contains(&format!("hold_all(\"{law}\")")), "{law} is in no test");
    }
}
