//! Client-only tags: which of them are relayed (`CLIENTTAGDENY`), and which of them are part of the conversation.
//!
//! Pure. Rules: <https://ircv3.net/specs/extensions/message-tags>.

use std::collections::HashSet;

use super::line::Tags;

/// Which client-only tags are thrown away, in the words of the `CLIENTTAGDENY` token: names without their `+`, `*` for all,
/// and `-name` for an exception from that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagFilter {
    all: bool,
    /// Denied; if all are denied: let through.
    named: HashSet<String>,
    words: Vec<String>,
}

impl TagFilter {
    /// The error says what is wrong with which word.
    pub fn parse<T: AsRef<str>>(words: &[T]) -> Result<TagFilter, String> {
        let words: Vec<String> = words.iter().map(|word| word.as_ref().to_owned()).collect();
        let all = words.iter().any(|word| word == "*");
        let mut named = HashSet::new();
        for word in words.iter().filter(|word| *word != "*") {
            let (name, exception) = word.strip_prefix('-').map_or((word.as_str(), false), |name| (name, true));
            let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/' | '_');
            if name.is_empty() || !name.chars().all(fit) {
                return Err(format!(
                    "{word:?} is not a tag; write its name without \"+\", such as \"typing\", or \"*\" for all"
                ));
            }
            if exception != all {
                return Err(match all {
                    true => format!("{word:?} is denied by \"*\" already; write \"-{name}\" to let it through"),
                    false => format!("{word:?} is an exception from nothing; write \"*\" before it"),
                });
            }
            named.insert(name.to_owned());
        }
        Ok(TagFilter { all, named, words })
    }

    /// For ISUPPORT; `None`: nothing is denied.
    pub fn token(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| format!("CLIENTTAGDENY={}", self.words.join(",")))
    }

    /// The client-only tags of a line that are relayed, as they came. Of a key given twice the last one counts.
    pub fn relayed(&self, tags: &Tags<'_>) -> String {
        if tags.is_empty() {
            return String::new();
        }
        let pairs: Vec<(&str, &str)> = tags.raw_pairs().filter(|(key, _)| key.starts_with('+')).collect();
        let mut seen = HashSet::new();
        let mut kept: Vec<String> = Vec::new();
        for (key, value) in pairs.into_iter().rev() {
            if self.allows(&key[1..]) && seen.insert(key) {
                kept.push(if value.is_empty() { key.to_owned() } else { format!("{key}={value}") });
            }
        }
        kept.reverse();
        kept.join(";")
    }

    fn allows(&self, name: &str) -> bool {
        self.all == self.named.contains(name)
    }
}

/// Whether tags without text are passing (somebody types) and not part of the conversation (a reaction).
pub fn is_passing(tags: &str) -> bool {
    tags.split(';').all(|tag| {
        let key = tag.split_once('=').map_or(tag, |(key, _)| key);
        matches!(key, "+typing" | "+draft/typing" | "+channel-context" | "+draft/channel-context")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::line::Message;

    fn relayed(deny: &[&str], tags: &str) -> String {
        let line = format!("@{tags} TAGMSG #a");
        TagFilter::parse(deny).unwrap().relayed(&Message::parse(&line).unwrap().tags)
    }

    #[test]
    fn what_is_not_denied_is_relayed_as_it_came() {
        assert_eq!(relayed(&[], "+a=x\\sy;label=1;+b;+vendor.example/c="), "+a=x\\sy;+b;+vendor.example/c");
        assert_eq!(relayed(&[], "+a=1;+b;+a=2"), "+b;+a=2");
        assert_eq!(relayed(&["a", "draft/react"], "+a=1;+draft/react=x;+draft/reply=y"), "+draft/reply=y");
        assert_eq!(relayed(&["*", "-typing"], "+a=1;+typing=active;+b"), "+typing=active");
        assert_eq!(relayed(&["*"], "+a=1"), "");
    }

    #[test]
    fn the_words_of_the_token() {
        let token = |words: &[&str]| TagFilter::parse(words).map(|filter| filter.token());
        assert_eq!(token(&[]), Ok(None));
        assert_eq!(token(&["*", "-draft/react", "-typing"]), Ok(Some("CLIENTTAGDENY=*,-draft/react,-typing".into())));
        assert_eq!(token(&["typing"]), Ok(Some("CLIENTTAGDENY=typing".into())));
        for wrong in [&["-typing"][..], &["*", "typing"], &["+typing"], &[""], &["a,b"], &["a b"]] {
            assert!(token(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_typing_passes() {
        for passing in ["+typing=active", "+draft/typing=done;+draft/channel-context=#a"] {
            assert!(is_passing(passing), "{passing}");
        }
        for kept in ["+draft/react=x;+reply=y", "+typing=active;+x", "+draft/reply=y"] {
            assert!(!is_passing(kept), "{kept}");
        }
    }
}
