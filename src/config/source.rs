//! Where values come from: the parsed file with its line numbers, and the environment above it.
//!
//! Each key that is asked for is remembered, so what nobody asked for is unknown by definition: the reader in
//! `check.rs` is the only list of keys there is. Faults gather here until [`Source::finish`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::fault::{ConfigFaults, Fault};
use super::value::{Raw, Setting};

/// `CHATD_SERVER__NAME` sets `[server] name`.
const ENV_PREFIX: &str = "CHATD_";
const ENV_SEPARATOR: &str = "__";

pub(super) struct Source<'a> {
    text: &'a str,
    file: Option<&'a Path>,
    tables: BTreeMap<(String, String), Found<'a>>,
    env: BTreeMap<(String, String), (String, Option<String>)>,
    /// Tables that stand in the file, with the place of their header, for unknown ones that are empty.
    headers: Vec<(String, usize)>,
    asked: Vec<(&'static str, &'static str)>,
    faults: Vec<(usize, Fault)>,
}

struct Found<'a> {
    value: DeValue<'a>,
    at: usize,
}

impl<'a> Source<'a> {
    pub fn parse<K: Into<OsString>, V: Into<OsString>>(
        text: &'a str,
        file: Option<&'a Path>,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Source<'a> {
        let mut source = Source {
            text,
            file,
            tables: BTreeMap::new(),
            env: overrides(env),
            headers: Vec::new(),
            asked: Vec::new(),
            faults: Vec::new(),
        };
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            source.fault_at(at, None, format!("{}; this is not TOML", error.message()));
        }
        for (name, value) in root.into_inner() {
            let at = name.span().start;
            let name = name.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(table) => {
                    source.headers.push((name.clone(), at));
                    for (key, value) in table {
                        let at = key.span().start;
                        let key = key.into_inner().into_owned();
                        match value.into_inner() {
                            // A table in a table is one of its own, by both names: `tls.acme`.
                            DeValue::Table(inner) => source.add(format!("{name}.{key}"), at, inner),
                            value => _ = source.tables.insert((name.clone(), key), Found { value, at }),
                        }
                    }
                }
                _ => source.fault_at(
                    at,
                    Some(name),
                    "stands outside of any table; put it under its table's header, such as [server]".into(),
                ),
            }
        }
        source
    }

    fn add(&mut self, name: String, at: usize, table: DeTable<'a>) {
        self.headers.push((name.clone(), at));
        for (key, value) in table {
            let at = key.span().start;
            let key = key.into_inner().into_owned();
            self.tables.insert((name.clone(), key), Found { value: value.into_inner(), at });
        }
    }

    /// The value of a key: the environment's, else the file's, else `default`. A value that is not fit is a fault,
    /// and the default takes its place so that the reading goes on to the next fault.
    pub fn get<T: Setting>(
        &mut self,
        table: &'static str,
        key: &'static str,
        default: T,
        check: impl FnOnce(&T) -> Result<(), String>,
    ) -> T {
        self.asked.push((table, key));
        let name = (table.to_owned(), key.to_owned());
        let env = self.env.get(&name).map(|(_, value)| value.clone());
        let read = match (&env, self.tables.get(&name)) {
            (Some(Some(value)), _) => T::read(Raw::Env(value)),
            (Some(None), _) => Err("is not UTF-8".into()),
            (None, Some(found)) => T::read(Raw::File(&found.value)),
            (None, None) => return default,
        };
        match read.and_then(|value| check(&value).map(|()| value)) {
            Ok(value) => value,
            Err(what) => {
                self.fault(table, key, what);
                default
            }
        }
    }

    /// Whether somebody set the key.
    #[cfg(test)]
    pub fn has(&self, table: &str, key: &str) -> bool {
        let name = (table.to_owned(), key.to_owned());
        self.env.contains_key(&name) || self.tables.contains_key(&name)
    }

    /// A fault of this key, wherever its value came from.
    pub fn fault(&mut self, table: &str, key: &str, what: String) {
        let name = (table.to_owned(), key.to_owned());
        let full = Some(format!("{table}.{key}"));
        if let Some((variable, _)) = self.env.get(&name) {
            self.faults.push((usize::MAX, Fault { place: variable.clone(), key: full, what }));
        } else {
            let at = self.tables.get(&name).map_or(0, |found| found.at);
            self.fault_at(at, full, what);
        }
    }

    /// Relative to the file's folder; the working directory if there is no file.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        match self.file.and_then(Path::parent) {
            Some(folder) => folder.join(path),
            None => path.to_owned(),
        }
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub fn asked(&self) -> &[(&'static str, &'static str)] {
        &self.asked
    }

    /// Adds what nobody asked for to the faults, and returns them in the order of the file.
    pub fn finish(mut self) -> Result<(), ConfigFaults> {
        for ((table, key), at) in self.tables.iter().map(|(name, found)| (name, found.at)).collect::<Vec<_>>() {
            if let Some(what) = self.unknown(table, key) {
                let fault = Fault { place: self.place(at), key: Some(format!("{table}.{key}")), what };
                self.faults.push((at, fault));
            }
        }
        for (table, at) in &self.headers {
            let is_empty = !self.tables.keys().any(|(other, _)| other == table);
            if is_empty && !self.asked.iter().any(|(known, _)| known == table) {
                let fault = Fault { place: self.place(*at), key: Some(table.clone()), what: self.no_table() };
                self.faults.push((*at, fault));
            }
        }
        for ((table, key), (variable, _)) in &self.env {
            if let Some(what) = self.unknown(table, key) {
                let fault = Fault { place: variable.clone(), key: Some(format!("{table}.{key}")), what };
                self.faults.push((usize::MAX, fault));
            }
        }
        self.faults.sort_by_key(|(at, _)| *at);
        ConfigFaults::check(self.faults.into_iter().map(|(_, fault)| fault).collect())
    }

    fn unknown(&self, table: &str, key: &str) -> Option<String> {
        if self.asked.contains(&(table, key)) {
            return None;
        }
        let keys: Vec<&str> = self.asked.iter().filter(|(known, _)| *known == table).map(|(_, key)| *key).collect();
        if keys.is_empty() {
            return Some(self.no_table());
        }
        let elsewhere = self.asked.iter().find(|(_, known)| *known == key).map(|(table, _)| *table);
        Some(match (nearest(key, &keys), elsewhere) {
            (Some(near), _) => format!("unknown key; did you mean `{near}`?"),
            (None, Some(other)) => format!("unknown key here; `{key}` belongs under [{other}]"),
            (None, None) => format!("unknown key; [{table}] knows {}", keys.join(", ")),
        })
    }

    fn no_table(&self) -> String {
        let mut tables: Vec<String> = self.asked.iter().map(|(table, _)| format!("[{table}]")).collect();
        tables.dedup();
        format!("unknown table; there are {}", tables.join(", "))
    }

    fn fault_at(&mut self, at: usize, key: Option<String>, what: String) {
        let place = self.place(at);
        self.faults.push((at, Fault { place, key, what }));
    }

    fn place(&self, at: usize) -> String {
        let line = self.text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1;
        match self.file {
            Some(file) => format!("{}:{line}", file.display()),
            None => format!("configuration:{line}"),
        }
    }
}

/// The variables that name a key. One without the separator (`CHATD_LOG_DIR` of somebody's script) is none of ours.
fn overrides<K: Into<OsString>, V: Into<OsString>>(
    env: impl IntoIterator<Item = (K, V)>,
) -> BTreeMap<(String, String), (String, Option<String>)> {
    let named = |(variable, value): (K, V)| {
        let variable = variable.into().into_string().ok()?;
        let (table, key) = variable.strip_prefix(ENV_PREFIX)?.rsplit_once(ENV_SEPARATOR)?;
        let name = (table.to_ascii_lowercase().replace(ENV_SEPARATOR, "."), key.to_ascii_lowercase());
        Some((name, (variable, value.into().into_string().ok())))
    };
    env.into_iter().filter_map(named).collect()
}

/// The known key that was probably meant: at most three letters away, fewer for short words.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let allowed = (key.chars().count() / 2).clamp(1, 3);
    known
        .iter()
        .map(|other| (distance(key, other), *other))
        .filter(|(away, _)| *away <= allowed)
        .min()
        .map(|(_, other)| other)
}

/// Levenshtein's edit distance, row by row. Input is a key of a config file, so it is short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
