//! The modules of the page in one file: on a slow line each further file costs a round trip, and small files compress
//! badly one by one. Browsers are given the same modules as the source has, each in a scope of its own.
//!
//! Knows as much of JavaScript as the page uses: an import or export stands at the beginning of its line, an import on
//! one line, and what is exported is named where it is declared and never changes. Anything else is refused, so that a
//! test says so and not a browser.

use std::borrow::Cow;
use std::fmt::Write;

/// Puts `entry` and all that it imports into one module. `read` knows the files by their paths in the folder.
pub(super) fn bundle<'a>(entry: &str, read: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<String, String> {
    let mut bundle = Bundle { read, out: String::new(), done: Vec::new(), open: Vec::new() };
    bundle.module(entry)?;
    Ok(bundle.out)
}

struct Bundle<R> {
    read: R,
    out: String,
    done: Vec<String>,
    /// Those that are waiting for what they import.
    open: Vec<String>,
}

impl<'a, R: Fn(&str) -> Option<Cow<'a, str>>> Bundle<R> {
    /// Writes a module, behind those it imports, unless it is there.
    fn module(&mut self, path: &str) -> Result<(), String> {
        if self.done.iter().any(|done| done == path) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == path) {
            return Err(format!("{path} imports itself, by way of {}", self.open.join(", ")));
        }
        let source = (self.read)(path).ok_or_else(|| format!("there is no {path}"))?;
        self.open.push(path.to_owned());
        let mut code = String::new();
        let mut exports = String::new();
        for line in without_comments(&source) {
            let written = if let Some(rest) = line.strip_prefix("import ") {
                let (what, from) = import(rest).ok_or_else(|| refused(path, line))?;
                let from = resolve(path, from).ok_or_else(|| refused(path, line))?;
                self.module(&from)?;
                writeln!(code, "{}", binding(what, &scope(&from)).ok_or_else(|| refused(path, line))?)
            } else if let Some(value) = line.strip_prefix("export default ") {
                exports.push_str("default: $default, ");
                writeln!(code, "const $default = {value}")
            } else if let Some(declared) = line.strip_prefix("export ") {
                let name = declared_name(declared).ok_or_else(|| refused(path, line))?;
                let _ = write!(exports, "{name}, ");
                writeln!(code, "{declared}")
            } else {
                writeln!(code, "{line}")
            };
            written.map_err(|error| error.to_string())?;
        }
        self.open.pop();
        // Nobody imports the first one, which may wait (`await`) as only the whole may.
        let is_entry = self.open.is_empty();
        let text = match is_entry {
            true => code,
            false => format!("const {} = (() => {{\n{code}return {{ {exports}}};\n}})();\n", scope(path)),
        };
        self.out.push_str(&text);
        self.done.push(path.to_owned());
        Ok(())
    }
}

fn refused(path: &str, line: &str) -> String {
    format!("{path}: this form is not known to src/web/bundle.rs: {line}")
}

/// Lines that are a comment as a whole are for those who read the source.
fn without_comments(source: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    source.lines().filter(move |line| {
        let text = line.trim_start();
        let is_comment = inside || text.starts_with("//") || text.starts_with("/**") || text.is_empty();
        inside = (inside || text.starts_with("/**")) && !text.contains("*/");
        !is_comment
    })
}

/// `{ a, b } from './x.js';`: what, and from where.
fn import(rest: &str) -> Option<(&str, &str)> {
    let (what, from) = rest.split_once(" from '")?;
    Some((what, from.strip_suffix("';")?))
}

/// The line that gives a module what it imports.
fn binding(what: &str, scope: &str) -> Option<String> {
    match what.strip_prefix("* as ") {
        Some(name) => is_name(name).then(|| format!("const {name} = {scope};")),
        None if what.starts_with('{') && what.ends_with('}') && !what.contains(" as ") => {
            Some(format!("const {what} = {scope};"))
        }
        None => is_name(what).then(|| format!("const {what} = {scope}.default;")),
    }
}

/// `const x = 1`, `async function x() {`, `class X {`: the name.
fn declared_name(declared: &str) -> Option<&str> {
    let rest =
        ["const ", "class ", "function ", "async function "].iter().find_map(|word| declared.strip_prefix(word))?;
    let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
    let name = &rest[..end];
    is_name(name).then_some(name)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_of_name) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// `./x.js` as `from` says it, as a path in the folder.
fn resolve(from: &str, named: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if !named.starts_with("./") && !named.starts_with("../") {
        return None;
    }
    for part in named.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What a module is called inside the bundle: nothing of the page begins with `$`.
fn scope(path: &str) -> String {
    let name: String = path.trim_end_matches(".js").chars().map(|c| if is_of_name(c) { c } else { '_' }).collect();
    format!("${name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &'static str)]) -> Result<String, String> {
        bundle("a.js", |path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| Cow::Borrowed(*text)))
    }

    #[test]
    fn each_module_once_and_behind_what_it_needs() {
        let bundle = of(&[
            (
                "a.js",
                "// says hello\nimport { b, C } from './b.js';\nimport * as words from './i18n/en.js';\nawait b(words, C);\n",
            ),
            (
                "b.js",
                "import en from './i18n/en.js';\n/** Of\n * two lines. */\nexport const b = () => en;\nexport class C {}\n",
            ),
            ("i18n/en.js", "export default {\n  hello: 'Hello',\n};\nexport async function d() {}\n"),
        ]);
        let wanted = "const $i18n_en = (() => {\nconst $default = {\n  hello: 'Hello',\n};\nasync function d() {}\n\
            return { default: $default, d, };\n})();\n\
            const $b = (() => {\nconst en = $i18n_en.default;\nconst b = () => en;\nclass C {}\nreturn { b, C, };\n})();\n\
            const { b, C } = $b;\nconst words = $i18n_en;\nawait b(words, C);\n";
        assert_eq!(bundle.expect("a bundle"), wanted);
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        for (source, wanted) in [
            ("import { x } from './none.js';", "there is no none.js"),
            ("import { x } from 'https://example.org/x.js';", "not known"),
            ("import { x } from '../x.js';", "not known"),
            ("import { x as y } from './c.js';", "not known"),
            ("import './c.js';", "not known"),
            ("export let x = 1;", "not known"),
            ("export { x };", "not known"),
            ("export const { x } = y;", "not known"),
            ("import { b } from './b.js';", "imports itself"),
        ] {
            let error =
                of(&[("a.js", source), ("b.js", "import { a } from './a.js';"), ("c.js", "export const x = 1;")])
                    .expect_err(source);
            assert!(error.contains(wanted), "{source}: {error}");
        }
    }
}
