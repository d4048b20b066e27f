//! Tab: names of persons and rooms, commands, emoji. Pure.

use super::emoji;
use crate::client::text::key;

/// Choices that are kept of one completion.
const CHOICES_MAX: usize = 100;

pub const COMMANDS: &[&str] = &[
    "/away",
    "/ban",
    "/begin",
    "/close",
    "/date",
    "/deop",
    "/devoice",
    "/edit",
    "/end",
    "/help",
    "/ignore",
    "/invite",
    "/join",
    "/joins",
    "/kick",
    "/list",
    "/me",
    "/members",
    "/mode",
    "/mouse",
    "/msg",
    "/names",
    "/nick",
    "/notice",
    "/notify",
    "/op",
    "/oper",
    "/part",
    "/query",
    "/quit",
    "/raw",
    "/search",
    "/switch",
    "/topic",
    "/unban",
    "/unignore",
    "/unread",
    "/voice",
    "/who",
    "/whois",
];

/// A completion under way: Tab again gives the next choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the word begins.
    pub from: usize,
    pub choices: Vec<String>,
    pub at: usize,
    /// The text it is true of.
    pub text: String,
}

/// What the word before the cursor could become. `nicks`: those that spoke last come first.
pub fn complete(text: &str, cursor: usize, nicks: &[String], rooms: &[String]) -> Option<Completion> {
    let before = &text[..cursor];
    let from = before.rfind([' ', '\n']).map_or(0, |at| at + 1);
    let word = &before[from..];
    let wanted = key(word);
    if word.is_empty() {
        return None;
    }
    let mut choices: Vec<String> = Vec::new();
    if from == 0 && word.starts_with('/') {
        choices.extend(COMMANDS.iter().filter(|name| name.starts_with(&wanted)).map(|name| format!("{name} ")));
    } else if let Some(name) = word.strip_prefix(':').filter(|name| !name.is_empty()) {
        let name = key(name);
        let begins = emoji::TABLE.iter().filter(|(known, _)| known.starts_with(&name));
        let holds = emoji::TABLE.iter().filter(|(known, _)| !known.starts_with(&name) && known.contains(&name));
        choices.extend(begins.chain(holds).map(|(_, emoji)| format!("{emoji} ")));
    } else if word.starts_with(['#', '&']) {
        choices.extend(rooms.iter().filter(|room| key(room).starts_with(&wanted)).map(|room| format!("{room} ")));
    } else {
        let (at, wanted) = wanted.strip_prefix('@').map_or(("", wanted.as_str()), |rest| ("@", rest));
        let fits = nicks.iter().filter(|nick| key(nick).starts_with(wanted) && !wanted.is_empty());
        // At the beginning one speaks to them.
        let end = if from == 0 && at.is_empty() { ": " } else { " " };
        choices.extend(fits.map(|nick| format!("{at}{nick}{end}")));
    }
    choices.dedup();
    choices.truncate(CHOICES_MAX);
    (!choices.is_empty()).then(|| Completion { from, choices, at: 0, text: String::new() })
}

/// The text with `:name:` made into emoji; what is no name stays.
pub fn with_emoji(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        out.push_str(before);
        let name = after.find(':').map(|end| &after[..end]);
        let found = name.and_then(|name| emoji::TABLE.iter().find(|(known, _)| *known == name));
        let apart = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        match found.filter(|_| apart) {
            Some((name, emoji)) => {
                out.push_str(emoji);
                rest = &after[name.len() + 1..];
            }
            None => {
                out.push(':');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_by_what_they_begin_with() {
        let nicks = ["bob".to_owned(), "Böll".to_owned()];
        let rooms = ["#lobby".to_owned(), "#ops".to_owned()];
        let of = |text: &str| complete(text, text.len(), &nicks, &rooms).map(|found| found.choices);
        assert_eq!(of("b"), Some(vec!["bob: ".to_owned(), "Böll: ".to_owned()]));
        assert_eq!(of("hi bö"), Some(vec!["Böll ".to_owned()]));
        assert_eq!(of("hi @bo"), Some(vec!["@bob ".to_owned()]));
        assert_eq!(of("see #o"), Some(vec!["#ops ".to_owned()]));
        assert_eq!(of("/sea"), Some(vec!["/search ".to_owned()]));
        assert_eq!(of("well :tad"), Some(vec!["🎉 ".to_owned()]));
        assert_eq!((of(""), of("x "), of("zz"), of(":")), (None, None, None, None));
    }

    #[test]
    fn names_of_emoji_become_emoji_and_times_stay() {
        assert_eq!(with_emoji("done :tada:, at 12:30:45 :nothing: x:tada:"), "done 🎉, at 12:30:45 :nothing: x:tada:");
    }
}
