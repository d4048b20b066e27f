//! The law of the layers, read from the source: who may name whom, and that ARCHITECTURE.md knows every module.
//!
//! What counts is every `crate::name` in code, in a `use` or not; comments, and the tests at the end of a file
//! (which may reach further), do not count.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A module of the top level, and the modules it may name. A longer path is for a part of a module.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("event", &[]),
    ("failpoint", &[]),
    ("clock", &["event"]),
    ("when", &["event"]),
    ("man", &[]),
    ("proto", &["event"]),
    ("room", &["event", "proto::masks", "proto::modes", "proto::names"]),
    ("store", &["event", "failpoint"]),
    ("live", &["address", "event", "room"]),
    ("auth", &["address", "event", "clock", "proto"]),
    ("encode", &["event", "proto", "room"]),
    ("log", &["address", "event", "failpoint", "clock", "room", "store", "live", "proto::modes", "proto::names"]),
    ("net", &["address", "event", "clock", "proto"]),
    ("session", &["address", "event", "clock", "proto", "room", "log", "live", "encode", "auth", "net"]),
    ("client", &["event", "clock", "when", "man", "proto"]),
    ("config", &["address", "event", "clock", "proto", "logging"]),
    ("logging", &[]),
    ("admin", &["event", "clock", "proto", "store", "log", "auth"]),
    ("acme", &["event", "clock", "net"]),
    ("web", &["net"]),
    ("metrics", &["log", "net", "session"]),
];

/// Who sees everything.
const ABOVE_ALL: &[&str] = &["main", "lib", "server", "cli", "bin"];

/// Words that have no business in a module: no clock and no SQL in `room`, no async in `store`.
const MAY_NOT_SAY: &[(&str, &[&str])] = &[
    ("room", &["tokio", "rusqlite", "numerics", "SystemTime", "Instant::now"]),
    ("store", &["tokio", "numerics", "async fn"]),
    ("proto", &["tokio", "rusqlite", "std::net", "std::fs"]),
    ("event", &["tokio", "rusqlite"]),
    ("session", &["rusqlite"]),
    ("log", &["numerics", "rusqlite"]),
    ("live", &["rusqlite"]),
    ("encode", &["tokio", "rusqlite"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Every Rust file under `dir`.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src").flatten() {
        if entry.path().is_dir() {
            sources(&entry.path(), found);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            found.push(entry.path());
        }
    }
}

/// The module of the top level a file belongs to: `log` for `src/log.rs` and `src/log/tail.rs`.
fn module_of(file: &Path) -> String {
    let inner = file.strip_prefix(root().join("src")).expect("under src");
    let first = inner.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file, without comments and without its tests.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut lines = Vec::new();
    let mut after_cfg_test = false;
    for (line, number) in text.lines().zip(1..) {
        let line = line.split("//").next().unwrap_or_default().to_owned();
        if after_cfg_test && line.trim_start().starts_with("mod ") {
            if line.contains('{') {
                break;
            }
            lines.pop();
            after_cfg_test = false;
            continue;
        }
        after_cfg_test = line.trim() == "#[cfg(test)]";
        lines.push((number, line));
    }
    lines
}

/// Files that are modules of tests as a whole (`#[cfg(test)] mod story;`): they may name anybody.
fn is_all_tests(file: &Path) -> bool {
    let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
    let parents = [file.with_file_name("mod.rs"), file.parent().expect("a folder").with_extension("rs")];
    parents.iter().filter_map(|parent| std::fs::read_to_string(parent).ok()).any(|text| {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && pair[1] == format!("mod {name};"))
    })
}

/// The paths `crate::a::b` in the code, from `use crate::{a::b, c}` too; at most two names deep.
fn named(code: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let text: String = code.iter().map(|(_, line)| format!("{line}\n")).collect();
    let mut from = 0;
    while let Some(found) = text[from..].find("crate::") {
        let at = from + found;
        from = at + "crate::".len();
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[text[..at].matches('\n').count()].0;
        let rest = &text[from..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let end = list.find(|c| {
                depth += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                depth == 0
            });
            let mut depth = 0;
            let split = |c: char| {
                depth += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                c == ',' && depth == 0
            };
            names.extend(list[..end.unwrap_or(list.len())].split(split).flat_map(path).map(|path| (line, path)));
        } else {
            names.extend(path(rest).into_iter().map(|path| (line, path)));
        }
    }
    names
}

/// The first two names of a path: `proto::names::X` gives `proto::names`; `proto::{a, b}` gives both.
fn path(text: &str) -> Vec<String> {
    let word =
        |text: &str| -> String { text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let text = text.trim_start();
    let first = word(text);
    if first.is_empty() {
        return Vec::new();
    }
    match text[first.len()..].strip_prefix("::") {
        Some(rest) => match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                list.split(',')
                    .map(word)
                    .filter(|name| !name.is_empty())
                    .map(|name| format!("{first}::{name}"))
                    .collect()
            }
            None => vec![format!("{first}::{}", word(rest))],
        },
        None => vec![first],
    }
}

#[test]
fn no_arrow_points_up() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let module = module_of(&file);
        if ABOVE_ALL.contains(&&*module) || is_all_tests(&file) {
            continue;
        }
        let shown = file.strip_prefix(root()).expect("ours").display().to_string();
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!(
                "{shown}: the module `{module}` has no place in the layers; give it one in tests/it/layers.rs"
            ));
            continue;
        };
        let code = code(&file);
        for (line, path) in named(&code) {
            let top = path.split("::").next().unwrap_or_default();
            // A macro of the crate (`crate::id!`) has no layer.
            let is_module =
                root().join("src").join(top).is_dir() || root().join("src").join(format!("{top}.rs")).is_file();
            if is_module && top != module && !allowed.contains(&top) && !allowed.contains(&&*path) {
                wrong.push(format!("{shown}:{line}: `{module}` may not know `{path}`"));
            }
        }
        for (_, words) in MAY_NOT_SAY.iter().filter(|(name, _)| *name == module) {
            for (line, text) in &code {
                for word in words.iter().filter(|word| text.contains(**word)) {
                    wrong.push(format!("{shown}:{line}: `{module}` has no business with `{word}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the layers are broken:\n{}", wrong.join("\n"));
}

#[test]
fn the_map_shows_every_module() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md, the map of the source");
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(file)).collect();
    let names = |module: &String| [format!("{module}/"), format!("{module}.rs"), format!("`{module}`")];
    let missing: Vec<&String> =
        modules.iter().filter(|module| !names(module).iter().any(|name| map.contains(name))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not mention {missing:?}");
}

#[test]
fn no_file_of_the_source_is_out_of_hand() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, code(file).len()))
        .filter(|(_, lines)| *lines > 800)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "split these by noun: {long:?}");
}

#[test]
fn the_reading_of_paths() {
    let code = vec![
        (1, "use crate::event::{Event, Who};".to_owned()),
        (2, "use crate::{log::Core, proto::{caps, names::Nick}, auth};".to_owned()),
        (3, "let x = crate::session::run(); let y = my_crate::nothing;".to_owned()),
    ];
    let named: Vec<(usize, String)> = named(&code);
    let expected = [
        (1, "event::Event"),
        (1, "event::Who"),
        (2, "log::Core"),
        (2, "proto::caps"),
        (2, "proto::names"),
        (2, "auth"),
        (3, "session::run"),
    ];
    assert_eq!(named, expected.map(|(line, path)| (line, path.to_owned())));
}
