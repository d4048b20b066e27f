//! Masks: patterns with `*` (any run of characters) and `?` (any one), as the lists of rooms hold them and as LIST
//! takes them. Pure, knows nobody.
//!
//! Promises that whatever [`normal`] gives is a single word that it gives again, and that letter case makes no other
//! mask. Account masks: <https://ircv3.net/specs/extensions/account-extban>.

use unicode_normalization::UnicodeNormalization;

/// The most bytes of a mask, so that the line that sets one always fits.
pub const MASK_BYTES: usize = 128;
/// What stands before the letter of a mask that is compared with something else than `nick!user@host`.
pub const SPECIAL: char = '~';
/// The letter of masks that are compared with the account: `~a:alice`.
pub const ACCOUNT: char = 'a';

/// A mask in its full form: `bob` is `bob!*@*`, `u@h` is `*!u@h`, `example.org` is `*!*@example.org`. `None` if it
/// is none: too long, no single word, of an unknown kind.
pub fn normal(text: &str) -> Option<String> {
    // Names are composed and of ordinary width; so is what is compared with them.
    let text: String = text.nfkc().collect();
    if text.len() > MASK_BYTES || text.starts_with(':') || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return None;
    }
    let full = match special(&text) {
        Some((ACCOUNT, name)) if !name.is_empty() && !name.contains(['!', '@']) => {
            format!("{SPECIAL}{ACCOUNT}:{}", shortest(name))
        }
        Some(_) => return None,
        None => {
            let (nick, rest) = match text.split_once('!') {
                Some((nick, rest)) => (nick, rest),
                None if text.contains(['@', '.', ':']) => ("", &*text),
                None => (&*text, ""),
            };
            let (user, host) = match rest.rsplit_once('@') {
                Some(both) => both,
                None if text.contains('!') => (rest, ""),
                None => ("", rest),
            };
            let part = |text: &str| if text.is_empty() { "*".to_owned() } else { shortest(text) };
            format!("{}!{}@{}", part(nick), part(user), part(host))
        }
    };
    (full.len() <= MASK_BYTES && !text.is_empty() && !full.starts_with(':')).then_some(full)
}

/// What masks and the texts before them are compared by.
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).nfkc().collect()
}

/// Whether a mask (in its full form, folded) fits somebody (folded too); the user is the nick.
pub fn fits(mask: &str, nick: &str, host: &str) -> bool {
    match special(mask) {
        Some((ACCOUNT, name)) => glob(name, nick),
        Some(_) => false,
        None => glob(mask, &format!("{nick}!{nick}@{host}")),
    }
}

/// Whether the whole text is what the pattern says. Both are taken as they are: fold them first.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(c) = text[t..].chars().next() {
        match pattern[p..].chars().next() {
            Some('*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(wanted) if wanted == '?' || wanted == c => {
                p += wanted.len_utf8();
                t += c.len_utf8();
            }
            _ => {
                // The last star takes one character more.
                let Some((after, from)) = star else { return false };
                t = from + text[from..].chars().next().map_or(1, char::len_utf8);
                p = after;
                star = Some((after, t));
            }
        }
    }
    pattern[p..].chars().all(|c| c == '*')
}

/// `~a:name` as its letter and what follows. A `~` before a user name (`~u@h`) is nothing special.
fn special(text: &str) -> Option<(char, &str)> {
    let rest = text.strip_prefix(SPECIAL)?;
    let letter = rest.chars().next().filter(|letter| letter.is_alphabetic())?;
    match rest[letter.len_utf8()..].strip_prefix(':') {
        Some(value) => Some((letter, value)),
        None if text.contains(['!', '@']) => None,
        None => Some((letter, "")),
    }
}

/// With one star for each run of them.
fn shortest(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '*' || !out.ends_with('*') {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks_in_full() {
        for (text, full) in [
            ("bob", "bob!*@*"),
            ("BOB!*@*", "BOB!*@*"),
            ("bob!u", "bob!u@*"),
            ("u@h", "*!u@h"),
            ("@h", "*!*@h"),
            ("!", "*!*@*"),
            ("~u@h", "*!~u@h"),
            ("chat.example.org", "*!*@chat.example.org"),
            ("2001:db8::1", "*!*@2001:db8::1"),
            ("a***b!**@*", "a*b!*@*"),
            ("*", "*!*@*"),
            ("中?", "中?!*@*"),
            ("ｂｏｂ", "bob!*@*"),
            ("~a:bob", "~a:bob"),
            ("~a:b**", "~a:b*"),
            ("~**:!", "~*:!*@*"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(full), "{text}");
        }
        let long = "x".repeat(MASK_BYTES);
        for text in ["", ":x", "a b", "a\u{3000}b", "a\u{1}", "~a", "~a:", "~x:bob", "~", "~a:bob!*@*", &long] {
            assert_eq!(normal(text), if text == "~" { Some("~!*@*".into()) } else { None }, "{text}");
        }
    }

    #[test]
    fn who_is_meant() {
        for (mask, yes) in [
            ("bob", true),
            ("BOB", true),
            ("b?b!*@*", true),
            ("*!bob@*", true),
            ("*!*@Chat.Example", true),
            ("*!*@*.example", true),
            ("~a:Bob", true),
            ("~a:*", true),
            ("bobby", false),
            ("?b", false),
            ("*!alice@*", false),
            ("*!*@elsewhere", false),
            ("~a:bo", false),
        ] {
            let full = fold(&normal(mask).unwrap());
            assert_eq!(fits(&full, &fold("Bob"), &fold("chat.example")), yes, "{mask}");
        }
        assert!(fits(&fold("ÅSA!*@*"), &fold("åsa"), "h"));
        assert!(fits(&fold("ΟΔΟΣ!*@*"), &fold("οδος"), "h"));
    }

    #[test]
    fn patterns() {
        for (pattern, text, yes) in [
            ("*", "", true),
            ("*", "alice", true),
            ("a*e", "alice", true),
            ("a?ice", "alice", true),
            ("a*i*e", "alice", true),
            ("*an1", "#chan1", true),
            ("中*", "中文", true),
            ("?文", "中文", true),
            ("a?e", "alice", false),
            ("*z", "alice", false),
            ("", "alice", false),
            ("", "", true),
            ("?", "", false),
        ] {
            assert_eq!(glob(pattern, text), yes, "{pattern} {text}");
        }
    }

    /// The plainest way to say what a pattern means.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => slow(&pattern[1..], text) || (!text.is_empty() && slow(pattern, &text[1..])),
            (Some(p), Some(t)) if *p == '?' || p == t => slow(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_it_says(pattern in "[ab中*?]{0,7}", text in "[ab中]{0,7}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern, &text), slow(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn the_full_form_is_its_own(text in "\\PC{0,20}|~?[a-z*:.!@]{0,9}") {
            if let Some(full) = normal(&text) {
                prop_assert_eq!(normal(&full), Some(full.clone()));
                prop_assert!(!full.contains(' ') && !full.starts_with(':') && full.len() <= MASK_BYTES);
                prop_assert_eq!(fold(&fold(&full)), fold(&full));
            }
        }
    }
}
