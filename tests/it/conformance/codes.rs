//! Whatever the server can answer, some test has seen: every numeric and every code of a FAIL that stands in the source
//! occurs in an expectation. And every command of the table has its row in the table of labels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{commands, labels};

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder of the sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All the text under a folder of the repository, file by file.
fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("readable");
        (path, text)
    };
    found.into_iter().map(read).collect()
}

/// The code of a file, without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Runs of letters, digits and `_`, with what stands around them.
fn words(text: &str) -> impl Iterator<Item = (char, &str, char)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_word)?;
        let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |len| start + len);
        at = end;
        let before = text[..start].chars().next_back().unwrap_or(' ');
        Some((before, &text[start..end], text[end..].chars().next().unwrap_or(' ')))
    })
}

fn sources() -> Vec<String> {
    let used = |path: &Path| path.components().any(|part| part.as_os_str() == "session" || part.as_os_str() == "log");
    texts("src").into_iter().filter(|(path, _)| used(path)).map(|(_, text)| code(&text)).collect()
}

/// What tests expect: words that stand in quotes, between blanks or beside an "or".
fn expected() -> BTreeSet<String> {
    let tests = texts("tests/it").into_iter().chain(texts("src/session/tests"));
    let ends = |c: char| ['"', ' ', '|'].contains(&c);
    let of = |text: &str| -> Vec<String> {
        let expected = words(text).filter(|(before, _, after)| ends(*before) && ends(*after));
        expected.map(|(_, word, _)| word.to_owned()).collect()
    };
    tests.filter(|(path, _)| !path.ends_with("codes.rs")).flat_map(|(_, text)| of(&text)).collect()
}

#[test]
fn every_numeric_occurs_in_a_test() {
    let (sources, expected) = (sources(), expected());
    let used: BTreeSet<&str> = sources.iter().flat_map(|text| words(text).map(|(_, word, _)| word)).collect();
    let sent = chatd::proto::numerics::TABLE.iter().filter(|(name, ..)| used.contains(name));
    let missing: Vec<_> = sent.filter(|(_, code, _)| !expected.contains(*code)).collect();
    assert!(missing.is_empty(), "no test expects {missing:#?}");
}

#[test]
fn every_code_of_a_fail_occurs_in_a_test() {
    let (sources, expected) = (sources(), expected());
    let is_code = |word: &str| {
        let mut parts = word.split('_');
        parts.clone().count() > 1
            && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
    };
    let quoted = |text: &str| -> Vec<String> {
        let codes = words(text).filter(|(before, word, after)| (*before, *after) == ('"', '"') && is_code(word));
        codes.map(|(_, word, _)| word.to_owned()).collect()
    };
    let sent: BTreeSet<String> = sources.iter().flat_map(|text| quoted(text)).collect();
    assert!(sent.contains("INVALID_UTF8"), "they are not found: {sent:?}");
    let missing: Vec<&String> = sent.iter().filter(|code| !expected.contains(*code)).collect();
    assert!(missing.is_empty(), "no test expects {missing:?}");
}

#[test]
fn every_command_is_labelled_in_a_test() {
    let labelled: BTreeSet<&str> = labels::commands().collect();
    let missing: Vec<String> = commands().into_iter().filter(|name| !labelled.contains(&**name)).collect();
    assert!(missing.is_empty(), "give these a row in tests/it/conformance/labels.rs: {missing:?}");
}
