//! Names of accounts and rooms: made only by parsing, so whoever holds one holds a good one.
//!
//! Pure, knows nobody. Promises that two spellings of one name have one [`AccountName::key`], that a name shown on a
//! screen has no invisible characters, and that names which look the same have one [`AccountName::skeleton`].
//! Rules: RFC 8265 (usernames), UTS 39 (scripts and look-alikes), RFC 8266 in spirit for rooms.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::{UsernameCaseMapped, UsernameCasePreserved};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{MixedScript, RestrictionLevel, RestrictionLevelDetection};

/// The most characters of an account's name.
pub const ACCOUNT_CHARS: usize = 32;
/// The most bytes of an account's name.
pub const ACCOUNT_BYTES: usize = 64;
/// The most characters of a room's name, `#` included.
pub const ROOM_CHARS: usize = 64;
/// The most bytes of a room's name, `#` included.
pub const ROOM_BYTES: usize = 128;

/// The name the server speaks under: nobody's account.
pub const SERVICE: &str = "chatd";
/// These mean something else in IRC: lists, masks, sources, rooms.
const ACCOUNT_FORBIDDEN: &str = " ,*?!@./:#$%\"";
/// In front of a name these would read as a rank or an option.
const ACCOUNT_START_FORBIDDEN: &str = "~&+%@-";

/// Why a text is no name, as a sentence for the person who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty: write at least one letter")]
    Empty,
    #[error("the name is too long: use at most {ACCOUNT_CHARS} characters and {ACCOUNT_BYTES} bytes")]
    TooLong,
    #[error("a name cannot start with {0:?}: start it with a letter or a digit")]
    Start(char),
    #[error("a name cannot hold {0:?}: use letters, digits, '-' and '_'")]
    Character(char),
    #[error("the name cannot be compared safely with others: use letters and digits of one script, '-' and '_'")]
    Unfit,
    #[error("the name mixes scripts whose letters look alike: write all of it in one script")]
    Mixed,
    #[error("this name belongs to the server: choose another")]
    Reserved,
    #[error("a room's name starts with '#': write for example #lobby")]
    RoomStart,
    #[error("the room has no name: write something after the '#', for example #lobby")]
    RoomEmpty,
    #[error("the room's name is too long: use at most {ROOM_CHARS} characters and {ROOM_BYTES} bytes")]
    RoomTooLong,
    #[error("a room's name cannot hold {0:?}: use letters, digits, signs or emoji without blanks and commas")]
    RoomCharacter(char),
}

/// The name of an account, which is also its nick. Equal to every other spelling of itself; cheap to clone.
#[derive(Clone)]
pub struct AccountName {
    display: Arc<str>,
    key: Arc<str>,
    skeleton: Arc<str>,
}

impl AccountName {
    pub fn parse(text: &str) -> Result<AccountName, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        // Before anything costly: composing makes a text shorter, but not by this much.
        if text.len() > 4 * ACCOUNT_BYTES {
            return Err(NameError::TooLong);
        }
        check_account_characters(text)?;
        let display = UsernameCasePreserved::enforce(text).map_err(|_| NameError::Unfit)?;
        // Once more, for full-width letters have become ordinary ones.
        check_account_characters(&display)?;
        if display.len() > ACCOUNT_BYTES || display.chars().count() > ACCOUNT_CHARS {
            return Err(NameError::TooLong);
        }
        if !scripts_agree(&display) {
            return Err(NameError::Mixed);
        }
        let key = UsernameCaseMapped::enforce(display.as_ref()).map_err(|_| NameError::Unfit)?;
        // Lower-casing whole words tells "Σ" at the end of a word from "Σ" elsewhere; people do not.
        let key = key.replace('ς', "σ");
        let skeleton = skeleton(&display);
        if key == SERVICE || skeleton == self::skeleton(SERVICE) {
            return Err(NameError::Reserved);
        }
        Ok(AccountName { display: display.as_ref().into(), key: key.into(), skeleton: skeleton.into() })
    }

    /// The key alone, for whoever looks a name up. For names that are all ASCII without Unicode's tables.
    pub fn key_of(text: &str) -> Result<Arc<str>, NameError> {
        if text.is_ascii() && text.len() <= ACCOUNT_CHARS && !text.eq_ignore_ascii_case(SERVICE) {
            check_account_characters(text)?;
            return Ok(text.to_ascii_lowercase().into());
        }
        AccountName::parse(text).map(|name| name.key)
    }

    /// As people see it: composed (NFC), letter case kept.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// What names are compared by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same for all names that look the same, whatever letters they are made of. It is taken from the name as
    /// shown, because `aIice` (with a capital i) looks like `alice` while its key does not: so it is to be
    /// computed and compared again when only the letter case of a name changes.
    pub fn skeleton(&self) -> &str {
        &self.skeleton
    }

    /// [`AccountName::display`], shared.
    pub fn shared(&self) -> Arc<str> {
        self.display.clone()
    }
}

/// The name of a room, `#` included. Equal to every other spelling of itself; cheap to clone.
#[derive(Clone)]
pub struct RoomName {
    display: Arc<str>,
    key: Arc<str>,
}

impl RoomName {
    pub fn parse(text: &str) -> Result<RoomName, NameError> {
        let Some(rest) = text.strip_prefix('#') else { return Err(NameError::RoomStart) };
        if rest.is_empty() {
            return Err(NameError::RoomEmpty);
        }
        RoomName::plain(text).map_or_else(|| RoomName::of_any_letters(text), Ok)
    }

    fn of_any_letters(text: &str) -> Result<RoomName, NameError> {
        if text.len() > 4 * ROOM_BYTES {
            return Err(NameError::RoomTooLong);
        }
        let display: String = text.nfc().collect();
        if display.len() > ROOM_BYTES || display.chars().count() > ROOM_CHARS {
            return Err(NameError::RoomTooLong);
        }
        check_room_characters(&display)?;
        let key = room_key(&display);
        if key == "#" {
            return Err(NameError::RoomEmpty);
        }
        Ok(RoomName { display: display.into(), key: key.into() })
    }

    /// A good name that is all ASCII, as most are; every message names one, and Unicode's tables take microseconds.
    fn plain(text: &str) -> Option<RoomName> {
        if text.len() > ROOM_CHARS || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            return None;
        }
        let display: Arc<str> = text.into();
        let key = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_ascii_lowercase().into()
        } else {
            display.clone()
        };
        Some(RoomName { display, key })
    }

    /// As people see it: composed (NFC), letter case kept.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// What names are compared by: compatibility forms and letter case folded away.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// [`RoomName::display`], shared.
    pub fn shared(&self) -> Arc<str> {
        self.display.clone()
    }
}

macro_rules! compared_by_key {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.key == other.key
            }
        }
        impl Eq for $name {}
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.key.hash(state);
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.key.cmp(&other.key)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.display)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.display)
            }
        }
    };
}
compared_by_key!(AccountName);
compared_by_key!(RoomName);

fn check_account_characters(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if ACCOUNT_START_FORBIDDEN.contains(first) || is_combining_mark(first) {
        return Err(NameError::Start(first));
    }
    let bad = |c: &char| ACCOUNT_FORBIDDEN.contains(*c) || c.is_control() || c.is_whitespace() || is_invisible(*c);
    text.chars().find(bad).map_or(Ok(()), |c| Err(NameError::Character(c)))
}

fn check_room_characters(text: &str) -> Result<(), NameError> {
    let mut before = '#';
    if let Some(c) = text.chars().nth(1).filter(|c| is_combining_mark(*c)) {
        return Err(NameError::RoomCharacter(c));
    }
    for c in text.chars() {
        // Part of many emoji; the key does without it, so that it cannot tell two rooms apart.
        let joins_emoji = is_emoji_joint(c) && (is_emoji_joint(before) || is_sign(before));
        let bad = |c: char| c == ',' || c.is_control() || c.is_whitespace();
        // Some characters are made of a blank or a comma, which the key would show.
        if !joins_emoji && (bad(c) || is_invisible(c) || is_meaningless(c) || std::iter::once(c).nfkc().any(bad)) {
            return Err(NameError::RoomCharacter(c));
        }
        before = c;
    }
    Ok(())
}

fn room_key(display: &str) -> String {
    let lower = |c: char| c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c });
    settle(display.chars().filter(|c| !is_emoji_joint(*c)).collect(), |text| {
        text.nfkc().flat_map(lower).filter(|c| !is_emoji_joint(*c)).nfkc().collect()
    })
}

fn skeleton(display: &str) -> String {
    // Folding the skeleton's letter case gives new look-alikes ("0" is drawn as "O", which is "o").
    settle(display.to_owned(), |text| unicode_security::skeleton(text).flat_map(char::to_lowercase).collect())
}

/// Applies `step` until nothing changes; the rounds are bounded, in case two tables disagree for ever.
fn settle(mut text: String, step: impl Fn(&str) -> String) -> String {
    for _ in 0..6 {
        let next = step(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

/// One script, or one of the mixtures that people of East Asia write every day (Latin with Han and kana, Han and
/// Bopomofo, or Hangul), as UTS 39 calls "highly restrictive".
fn scripts_agree(text: &str) -> bool {
    if text.is_single_script() {
        return true;
    }
    let letters: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    letters.as_str().check_restriction_level(RestrictionLevel::HighlyRestrictive)
}

/// Whether a reader would see nothing: what UTS 39 drops from a skeleton, and a few that are drawn as nothing.
fn is_invisible(c: char) -> bool {
    if c.is_ascii_graphic() {
        return false;
    }
    let mut buffer = [0; 4];
    matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{2800}')
        || unicode_security::skeleton(c.encode_utf8(&mut buffer)).next().is_none()
}

/// Private use and non-characters: every screen shows something else.
fn is_meaningless(c: char) -> bool {
    let code = c as u32;
    matches!(code, 0xe000..=0xf8ff | 0xf0000.. | 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
}

fn is_emoji_joint(c: char) -> bool {
    matches!(c, '\u{fe0f}' | '\u{200d}')
}

fn is_sign(c: char) -> bool {
    !c.is_ascii() && !c.is_alphanumeric() && !is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(text: &str) -> AccountName {
        AccountName::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn room(text: &str) -> RoomName {
        RoomName::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn names_of_many_languages() {
        for text in [
            "alice",
            "Ålice",
            "Zoë",
            "中文",
            "田中tanaka",
            "さくら",
            "カタカナ-x",
            "алиса",
            "علي",
            "דוד",
            "김철수",
            "김Kim",
            "नेहा",
            "x",
            "[away]",
            "bob_2",
            "a-b",
            "o'neil",
            "ß",
            "ΟΔΥΣΣΕΥΣ",
            "İpek",
            "2pac",
            "Neil",
            "Nell",
        ] {
            let name = account(text);
            assert_eq!(account(name.display()), name, "{text}");
            assert_eq!(account(name.key()), name, "{text}");
            assert!(!name.skeleton().is_empty());
        }
        assert_eq!(account("Ålice").display(), "Ålice");
        assert_eq!(account("A\u{30a}lice").display(), "Ålice");
        assert_eq!(account("ΟΔΟΣ"), account("οδοσ"));
        assert_eq!(account("ÅLICE"), account("ålice"));
        assert_eq!(account("ａｌｉｃｅ").display(), "alice");
    }

    #[test]
    fn what_no_name_may_be() {
        use NameError::*;
        assert_eq!(AccountName::parse("").unwrap_err(), Empty);
        assert_eq!(AccountName::parse(&"x".repeat(33)).unwrap_err(), TooLong);
        assert_eq!(AccountName::parse(&"中".repeat(22)).unwrap_err(), TooLong);
        assert_eq!(AccountName::parse(&"x".repeat(100_000)).unwrap_err(), TooLong);
        assert_eq!(AccountName::parse("-x").unwrap_err(), Start('-'));
        assert_eq!(AccountName::parse("＠x").unwrap_err(), Start('@'));
        assert_eq!(AccountName::parse("a b").unwrap_err(), Character(' '));
        assert_eq!(AccountName::parse("a\u{200b}b").unwrap_err(), Character('\u{200b}'));
        assert_eq!(AccountName::parse("a\u{202e}b").unwrap_err(), Character('\u{202e}'));
        assert_eq!(AccountName::parse("a\u{7}").unwrap_err(), Character('\u{7}'));
        assert_eq!(AccountName::parse("①").unwrap_err(), Unfit);
        assert_eq!(AccountName::parse("a😀").unwrap_err(), Unfit);
        assert_eq!(AccountName::parse("pаypal").unwrap_err(), Mixed);
        assert_eq!(AccountName::parse("Chatd").unwrap_err(), Reserved);
        for c in ACCOUNT_FORBIDDEN.chars() {
            assert!(AccountName::parse(&format!("a{c}")).is_err(), "{c:?}");
        }
    }

    #[test]
    fn look_alikes_meet() {
        for (one, other) in [("bob", "b0b"), ("alice", "aIice"), ("modern", "modem"), ("bob", "ВОВ"), ("cop", "сор")]
        {
            assert_ne!(account(one), account(other));
            assert_eq!(account(one).skeleton(), account(other).skeleton(), "{one}");
        }
        assert_ne!(account("Neil").skeleton(), account("Nell").skeleton());
        assert_ne!(account("Zoe").skeleton(), account("Zoë").skeleton());
    }

    #[test]
    fn rooms_of_many_languages() {
        for text in
            ["#lobby", "##c++", "#中文", "#日本語", "#🦀", "#❤️", "#👩‍👩‍👧", "#team/ops", "#a:b", "#x*?", "#Ünïcode"]
        {
            let name = room(text);
            assert_eq!(room(name.display()), name, "{text}");
            assert_eq!(room(name.key()), name, "{text}");
        }
        assert_eq!(room("#LOBBY"), room("#lobby"));
        assert_eq!(room("#ＯＰＳ"), room("#ops"));
        assert_eq!(room("#ΟΔΟΣ"), room("#οδος"));
        assert_eq!(room("#❤️"), room("#❤"));
        assert_eq!(room("#A\u{30a}").display(), "#Å");
    }

    #[test]
    fn what_no_room_may_be() {
        use NameError::*;
        assert_eq!(RoomName::parse("lobby").unwrap_err(), RoomStart);
        assert_eq!(RoomName::parse("").unwrap_err(), RoomStart);
        assert_eq!(RoomName::parse("#").unwrap_err(), RoomEmpty);
        assert_eq!(RoomName::parse(&format!("#{}", "x".repeat(64))).unwrap_err(), RoomTooLong);
        assert_eq!(RoomName::parse(&format!("#{}", "中".repeat(43))).unwrap_err(), RoomTooLong);
        assert_eq!(RoomName::parse("#\u{338}x").unwrap_err(), RoomCharacter('\u{338}'));
        for bad in [' ', ',', '\u{7}', '\0', '\u{200b}', '\u{200d}', '\u{fe0f}', '\u{2067}', '\u{a0}', '\u{3000}', '，']
        {
            assert_eq!(RoomName::parse(&format!("#a{bad}b")).unwrap_err(), RoomCharacter(bad));
        }
    }

    proptest! {
        #[test]
        fn a_name_is_a_good_name_however_it_is_spelled(text in "\\PC{1,12}") {
            if let Ok(name) = AccountName::parse(&text) {
                let again = AccountName::parse(name.display()).expect("its own display");
                prop_assert_eq!(&again, &name);
                prop_assert_eq!(again.display(), name.display());
                prop_assert_eq!(again.skeleton(), name.skeleton());
            }
            if let Ok(name) = RoomName::parse(&format!("#{text}")) {
                let again = RoomName::parse(name.display()).expect("its own display");
                prop_assert_eq!(&again, &name);
                prop_assert_eq!(again.display(), name.display());
                prop_assert_eq!(room_key(name.key()), name.key());
            }
        }

        #[test]
        fn the_short_way_for_ascii_finds_the_same_names(text in "[ -~]{1,66}") {
            let room = format!("#{text}");
            match (RoomName::plain(&room), RoomName::of_any_letters(&room)) {
                (Some(plain), Ok(name)) => {
                    prop_assert_eq!(plain.key(), name.key());
                    prop_assert_eq!(plain.display(), name.display());
                }
                (plain, name) => prop_assert!(plain.is_none() && name.is_err(), "{:?} {:?}", plain, name),
            }
            match AccountName::parse(&text) {
                Ok(name) => prop_assert_eq!(&*AccountName::key_of(&text).expect("a good name"), name.key()),
                // A look-alike of the server's own name has a key, which is nobody's.
                Err(error) if error != NameError::Reserved => prop_assert_eq!(AccountName::key_of(&text), Err(error)),
                Err(_) => {}
            }
        }

        #[test]
        fn any_text_is_a_name_or_an_error(text in "[\\s\\S]{0,80}") {
            let _ = (AccountName::parse(&text), RoomName::parse(&text));
        }

        #[test]
        fn letter_case_makes_no_other_name(text in "[a-z]{1,12}|[à-öø-ÿa-z]{1,12}|[а-я]{1,12}|[α-ω]{1,12}") {
            if let (Ok(lower), Ok(upper)) = (AccountName::parse(&text), AccountName::parse(&text.to_uppercase())) {
                prop_assert_eq!(lower, upper);
            }
        }
    }
}
