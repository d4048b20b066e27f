//! What may go wrong with METADATA, in the words of either draft: other codes, other parameters, and in the newer one
//! a warning where only one of several keys is meant.

use crate::live::METADATA_KEYS_MAX;
use crate::proto::line::Line;
use crate::proto::numerics::ERR_NEEDMOREPARAMS;
use crate::room::Refusal;
use crate::session::Session;

use super::{Draft, KEY_BYTES, SUBS_MAX, VALUE_BYTES};

/// What may go wrong, by the names of `draft/metadata-3`.
pub(super) enum Failure<'a> {
    /// A subcommand that is not there.
    Unknown(&'a str),
    /// Too few parameters, or too many.
    Params(&'a str),
    Target(&'a str),
    Key(&'a str),
    /// One key of several is not valid; the others are looked at.
    OneKey(&'a str),
    Value(&'a str),
    Permission(&'a str, &'a str),
    NotSet(&'a str, &'a str),
    TooManyKeys(&'a str),
    TooManySubs(&'a str),
    TooFast {
        target: &'a str,
        key: &'a str,
        seconds: u64,
        value: &'a str,
    },
}

impl Session {
    pub(super) fn metadata_failed(&mut self, failure: Failure<'_>) {
        let line = self.failure_line(&failure);
        self.say(line);
    }

    /// A standard reply: whoever knows METADATA knows these, also without asking for them.
    pub(super) fn failure_line(&self, failure: &Failure<'_>) -> Line {
        let draft = self.draft();
        let (two, three) = failure.codes();
        let (context, text) = failure.words(draft);
        let (kind, code) = match draft {
            Draft::Two => ("FAIL", two),
            // What spoils one of several keys spoils not the command.
            Draft::Three => (if matches!(failure, Failure::OneKey(_)) { "WARN" } else { "FAIL" }, three),
        };
        if code.is_empty() {
            return self.numeric_line(ERR_NEEDMOREPARAMS, &["METADATA"]).last(&text);
        }
        let line = Line::new().source(&self.ctx.info.name).command(kind).param("METADATA").param(code);
        context.iter().fold(line, |line, param| line.param(&middle(param))).last(&text)
    }
}

impl Failure<'_> {
    /// Its code in `draft/metadata-2` (none: it is a numeric) and in `draft/metadata-3`.
    fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Failure::Unknown(_) => ("SUBCOMMAND_INVALID", "INVALID_PARAMS"),
            Failure::Params(_) => ("", "INVALID_PARAMS"),
            Failure::Target(_) => ("INVALID_TARGET", "INVALID_TARGET"),
            Failure::Key(_) | Failure::OneKey(_) => ("KEY_INVALID", "INVALID_KEY"),
            Failure::Value(_) => ("VALUE_INVALID", "INVALID_VALUE"),
            Failure::Permission(..) => ("KEY_NO_PERMISSION", "KEY_NO_PERMISSION"),
            // The newer draft does not call this a failure.
            Failure::NotSet(..) => ("KEY_NOT_SET", "KEY_NOT_SET"),
            Failure::TooManyKeys(_) => ("LIMIT_REACHED", "LIMIT_REACHED"),
            Failure::TooManySubs(_) => ("TOO_MANY_SUBS", "LIMIT_REACHED"),
            Failure::TooFast { .. } => ("RATE_LIMITED", "RATE_LIMITED"),
        }
    }

    /// What stands between the code and the text, and the text.
    fn words(&self, draft: Draft) -> (Vec<String>, String) {
        let three = draft == Draft::Three;
        let (context, text): (Vec<String>, String) = match self {
            Failure::Unknown(word) => (vec![word.to_string()], "There is no such subcommand".into()),
            Failure::Params(word) => (vec![word.to_string()], "Not enough parameters, or too many".into()),
            Failure::Target(name) => {
                (vec![name.to_string()], "There is nobody and no room of yours by this name".into())
            }
            Failure::Key(key) | Failure::OneKey(key) => {
                let text = format!("A key has a-z, 0-9 and _./- alone, and at most {KEY_BYTES} bytes");
                (vec![key.to_string()], text)
            }
            Failure::Value(key) => {
                let text =
                    format!("A value has at most {VALUE_BYTES} bytes, and has to fit into a line with its names");
                (if three { vec![key.to_string()] } else { Vec::new() }, text)
            }
            Failure::Permission(target, key) => {
                (vec![target.to_string(), key.to_string()], "You may not change this".into())
            }
            Failure::NotSet(target, key) => (vec![target.to_string(), key.to_string()], Refusal::KeyNotSet.to_string()),
            Failure::TooManyKeys(target) => {
                let mut context = vec![target.to_string()];
                context.extend(three.then(|| METADATA_KEYS_MAX.to_string()));
                (context, Refusal::TooManyKeys.to_string())
            }
            Failure::TooManySubs(key) => {
                let mut context = vec![key.to_string()];
                context.extend(three.then(|| SUBS_MAX.to_string()));
                (context, format!("You can subscribe to {SUBS_MAX} keys"))
            }
            Failure::TooFast { target, key, seconds, value } => {
                let mut context = vec![target.to_string(), key.to_string(), seconds.to_string()];
                context.extend((!three).then(|| value.to_string()));
                (context, format!("Too many changes; try again in {seconds} seconds"))
            }
        };
        (context, text)
    }
}

/// What was sent, if it can stand in the middle of a line.
fn middle(text: &str) -> String {
    let fits = !text.is_empty() && !text.starts_with(':') && !text.contains(char::is_whitespace);
    if fits && text.len() <= VALUE_BYTES { text.to_owned() } else { "*".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_in_the_middle_stands_there() {
        assert_eq!((middle("SNEEZE"), middle(": hi!")), ("SNEEZE".to_owned(), "*".to_owned()));
        assert_eq!((middle(""), middle("two words"), middle("a:b")), ("*".into(), "*".into(), "a:b".into()));
    }
}
