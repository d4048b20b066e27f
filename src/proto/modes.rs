//! The modes of rooms: one table; what a MODE command means and how a change is written follow from it.
//!
//! Pure. Promises that what [`print`] writes, [`parse`] reads back unchanged. Which change is allowed
//! to whom is not decided here. Kinds of modes: <https://modern.ircdocs.horse/#channel-mode>.

use super::masks;

/// The most changes with a parameter that one command may make (`MODES` in ISUPPORT); further ones are refused.
pub const CHANGES_MAX: usize = 10;
/// The most bytes of a room's key (`KEYLEN` in ISUPPORT).
pub const KEY_BYTES: usize = 64;
/// The most masks in all lists of a room together (`MAXLIST` in ISUPPORT); further ones are refused.
pub const LIST_MAX: usize = 100;

/// What kind of mode a letter is. The letters A to D are those of `CHANMODES` in ISUPPORT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A rank of members, with the sign that stands before their names. Always with a nick.
    Rank(char),
    /// A: a list of masks; without a mask it asks for the list.
    List,
    /// B: a parameter to set it and to take it away.
    Key,
    /// C: a parameter to set it, none to take it away.
    Limit,
    /// D: never a parameter.
    Flag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub letter: char,
    pub kind: Kind,
    pub meaning: &'static str,
}

const fn row(letter: char, kind: Kind, meaning: &'static str) -> Row {
    Row { letter, kind, meaning }
}

/// All modes of rooms; ranks from the highest to the lowest.
pub const TABLE: &[Row] = &[
    row('o', Kind::Rank('@'), "operator"),
    row('v', Kind::Rank('+'), "may speak in a moderated room"),
    row('b', Kind::List, "banned"),
    row('e', Kind::List, "excepted from bans"),
    row('I', Kind::List, "may join without an invitation"),
    row('q', Kind::List, "may be in it and not speak"),
    row('k', Kind::Key, "needs this key to join"),
    row('l', Kind::Limit, "has at most so many members"),
    row('i', Kind::Flag, "by invitation only"),
    row('m', Kind::Flag, "only those with a rank may speak"),
    row('n', Kind::Flag, "only members may speak"),
    row('s', Kind::Flag, "not shown to others"),
    row('t', Kind::Flag, "only operators change the topic"),
];

/// One change that somebody asks for, or that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModeChange {
    Flag(char, bool),
    Key(Option<String>),
    Limit(Option<u32>),
    Member {
        letter: char,
        nick: String,
        on: bool,
    },
    List {
        letter: char,
        mask: String,
        on: bool,
    },
    /// Asks for a list. Changes nothing and is not printed.
    Query(char),
}

/// Why a part of a MODE command was passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModeFault {
    /// For 472.
    #[error("there is no mode {0:?}")]
    Unknown(char),
    /// For 461.
    #[error("the mode {0:?} needs a parameter")]
    Missing(char),
    /// For 696.
    #[error("{}", match .letter {
        'k' => "a key has 1 to 64 bytes without blanks, commas and control characters, and starts with no colon",
        'l' => "a limit is a number from 1 to 4294967295",
        'b' | 'e' | 'I' | 'q' => "write nick!user@host with * and ?, or ~a:account, in at most 128 bytes",
        _ => "this is no good parameter for the mode",
    })]
    Invalid { letter: char, param: String },
    /// Reported once, with the first letter that was too many.
    #[error("at most {CHANGES_MAX} changes with a parameter in one command; {0:?} and what followed was left out")]
    TooMany(char),
}

/// What a MODE command asks for: good parts and bad parts, each in the order they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    pub changes: Vec<ModeChange>,
    pub faults: Vec<ModeFault>,
}

/// Reads what follows the room in a MODE command: `["+o-v", "bob", "carol"]`.
///
/// Bounded by the line it came in; each unknown letter is reported once.
pub fn parse(params: &[&str]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut params = params.iter().copied();
    let letters = params.next().unwrap_or_default();
    let mut on = true;
    let mut with_param = 0;
    for letter in letters.chars() {
        if let '+' | '-' = letter {
            on = letter == '+';
            continue;
        }
        let Some(Row { kind, .. }) = by_letter(letter).copied() else {
            parsed.fault(ModeFault::Unknown(letter));
            continue;
        };
        let takes_param = match kind {
            Kind::Rank(_) | Kind::List | Kind::Key => true,
            Kind::Limit => on,
            Kind::Flag => false,
        };
        let param = if takes_param { params.next() } else { None };
        if param.is_some() {
            with_param += 1;
            if with_param > CHANGES_MAX {
                parsed.faults.push(ModeFault::TooMany(letter));
                break;
            }
        }
        match change(letter, kind, on, param) {
            Ok(change) => parsed.changes.push(change),
            Err(fault) => parsed.fault(fault),
        }
    }
    parsed
}

/// Writes changes as they are sent: `+o-v bob carol`. An empty text if there is nothing to say.
pub fn print(changes: &[ModeChange]) -> String {
    let mut letters = String::new();
    let mut params = String::new();
    let mut sign = None;
    for change in changes {
        let (letter, on, param) = match change {
            ModeChange::Flag(letter, on) => (*letter, *on, None),
            ModeChange::Key(Some(key)) => ('k', true, Some(key.clone())),
            // The old key is nobody's business, but kind B always has a parameter.
            ModeChange::Key(None) => ('k', false, Some("*".to_owned())),
            ModeChange::Limit(limit) => ('l', limit.is_some(), limit.map(|limit| limit.to_string())),
            ModeChange::Member { letter, nick, on } => (*letter, *on, Some(nick.clone())),
            ModeChange::List { letter, mask, on } => (*letter, *on, Some(mask.clone())),
            ModeChange::Query(_) => continue,
        };
        if sign.replace(on) != Some(on) {
            letters.push(if on { '+' } else { '-' });
        }
        letters.push(letter);
        if let Some(param) = param {
            params.push(' ');
            params.push_str(&param);
        }
    }
    letters + &params
}

pub fn by_letter(letter: char) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.letter == letter)
}

/// The sign before the names of members with this rank: `@` for `o`.
pub fn rank_sign(letter: char) -> Option<char> {
    match by_letter(letter)?.kind {
        Kind::Rank(sign) => Some(sign),
        _ => None,
    }
}

/// The value of `PREFIX` in ISUPPORT: `(ov)@+`.
pub fn isupport_prefix() -> String {
    let ranks = || TABLE.iter().filter(|row| matches!(row.kind, Kind::Rank(_)));
    let signs = ranks().filter_map(|row| rank_sign(row.letter));
    format!("({}){}", ranks().map(|row| row.letter).collect::<String>(), signs.collect::<String>())
}

/// The value of `CHANMODES` in ISUPPORT: `beIq,k,l,imnst`.
pub fn isupport_chanmodes() -> String {
    [Kind::List, Kind::Key, Kind::Limit, Kind::Flag].map(|kind| letters(|row| row.kind == kind)).join(",")
}

/// The value of `MAXLIST` in ISUPPORT: `beIq:100`.
pub fn isupport_maxlist() -> String {
    format!("{}:{LIST_MAX}", letters(|row| row.kind == Kind::List))
}

pub fn is_list(letter: char) -> bool {
    by_letter(letter).is_some_and(|row| row.kind == Kind::List)
}

/// All letters, for RPL_MYINFO.
pub fn all_letters() -> String {
    letters(|_| true)
}

/// The letters that take a parameter, for RPL_MYINFO.
pub fn letters_with_param() -> String {
    letters(|row| row.kind != Kind::Flag)
}

impl Parsed {
    fn fault(&mut self, fault: ModeFault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

fn letters(filter: impl Fn(&Row) -> bool) -> String {
    TABLE.iter().filter(|row| filter(row)).map(|row| row.letter).collect()
}

fn change(letter: char, kind: Kind, on: bool, param: Option<&str>) -> Result<ModeChange, ModeFault> {
    let invalid = |param: &str| ModeFault::Invalid { letter, param: param.to_owned() };
    match (kind, param) {
        (Kind::Flag, _) => Ok(ModeChange::Flag(letter, on)),
        (Kind::List, None | Some("")) => Ok(ModeChange::Query(letter)),
        (Kind::List, Some(text)) => {
            masks::normal(text).map(|mask| ModeChange::List { letter, mask, on }).ok_or_else(|| invalid(text))
        }
        // Strictly it has a parameter too, but nobody remembers to write it.
        (Kind::Key, _) if !on => Ok(ModeChange::Key(None)),
        (Kind::Key, Some(key)) if is_word(key) && key.len() <= KEY_BYTES && !key.contains(',') => {
            Ok(ModeChange::Key(Some(key.to_owned())))
        }
        (Kind::Limit, _) if !on => Ok(ModeChange::Limit(None)),
        (Kind::Limit, Some(limit)) => match limit.parse::<u32>() {
            Ok(number) if number > 0 => Ok(ModeChange::Limit(Some(number))),
            _ => Err(invalid(limit)),
        },
        (Kind::Rank(_), Some(nick)) if is_word(nick) => Ok(ModeChange::Member { letter, nick: nick.to_owned(), on }),
        (_, Some(param)) => Err(invalid(param)),
        (_, None) => Err(ModeFault::Missing(letter)),
    }
}

/// Whether a text can stand in the middle of a line.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(':') && !text.contains(|c: char| c == ' ' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(letter: char, nick: &str, on: bool) -> ModeChange {
        ModeChange::Member { letter, nick: nick.into(), on }
    }

    #[test]
    fn what_the_table_says_to_isupport() {
        assert_eq!(isupport_prefix(), "(ov)@+");
        assert_eq!(isupport_chanmodes(), "beIq,k,l,imnst");
        assert_eq!(isupport_maxlist(), "beIq:100");
        assert_eq!(all_letters(), "ovbeIqklimnst");
        assert_eq!(letters_with_param(), "ovbeIqkl");
        assert_eq!(rank_sign('o'), Some('@'));
        assert_eq!(rank_sign('n'), None);
    }

    #[test]
    fn a_command_is_taken_apart() {
        use ModeChange::*;
        let parsed = parse(&["+o-v+ntk-l", "bob", "carol", "secret"]);
        assert_eq!(parsed.faults, []);
        let changes = parsed.changes;
        let wanted = [
            member('o', "bob", true),
            member('v', "carol", false),
            Flag('n', true),
            Flag('t', true),
            Key(Some("secret".into())),
            Limit(None),
        ];
        assert_eq!(changes, wanted);
        assert_eq!(print(&changes), "+o-v+ntk-l bob carol secret");
        assert_eq!(parse(&["-k"]).changes, [Key(None)]);
        assert_eq!(parse(&["nt"]).changes, [Flag('n', true), Flag('t', true)]);
        assert_eq!(parse(&[]), Parsed::default());
        assert_eq!(print(&[]), "");
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_done() {
        let parsed = parse(&["+nxx+l+o", "many"]);
        assert_eq!(parsed.changes, [ModeChange::Flag('n', true)]);
        assert_eq!(
            parsed.faults,
            [
                ModeFault::Unknown('x'),
                ModeFault::Invalid { letter: 'l', param: "many".into() },
                ModeFault::Missing('o')
            ]
        );
        assert!(!parse(&["+l", "0"]).faults.is_empty());
        assert!(!parse(&["+k", "a,b"]).faults.is_empty());
        assert!(!parse(&["+k", "a b"]).faults.is_empty());
        let many = parse(&["+ooooooooooo", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
        assert_eq!(many.changes.len(), CHANGES_MAX);
        assert_eq!(many.faults, [ModeFault::TooMany('o')]);
    }

    #[test]
    fn lists_are_asked_for_or_changed() {
        let list = |letter, mask: &str, on| ModeChange::List { letter, mask: mask.into(), on };
        assert_eq!(parse(&["b"]).changes, [ModeChange::Query('b')]);
        assert_eq!(parse(&["+b"]).changes, [ModeChange::Query('b')]);
        assert_eq!(parse(&["-q", ""]).changes, [ModeChange::Query('q')]);
        let parsed = parse(&["+bn-eI+q", "bob", "*!*@h", "~a:carol"]);
        assert_eq!(parsed.faults, []);
        let wanted = [
            list('b', "bob!*@*", true),
            ModeChange::Flag('n', true),
            list('e', "*!*@h", false),
            list('I', "~a:carol", false),
            ModeChange::Query('q'),
        ];
        assert_eq!(parsed.changes, wanted);
        assert_eq!(print(&parsed.changes), "+bn-eI bob!*@* *!*@h ~a:carol");
        assert_eq!(parse(&["+b", "~x:y"]).faults, [ModeFault::Invalid { letter: 'b', param: "~x:y".into() }]);
    }

    #[test]
    fn an_empty_parameter_is_a_bad_one() {
        assert_eq!(parse(&["+k", ""]).faults, [ModeFault::Invalid { letter: 'k', param: "".into() }]);
        assert_eq!(parse(&["+l", ""]).faults, [ModeFault::Invalid { letter: 'l', param: "".into() }]);
        assert_eq!(parse(&["+k"]).faults, [ModeFault::Missing('k')]);
        assert_eq!(parse(&["+o"]).faults, [ModeFault::Missing('o')]);
    }

    fn any_change() -> impl Strategy<Value = ModeChange> {
        let word = || "[^ ,:\\p{C}][^ ,\\p{C}]{0,8}";
        prop_oneof![
            ("[imnst]", any::<bool>()).prop_map(|(flag, on)| ModeChange::Flag(flag.chars().next().unwrap(), on)),
            proptest::option::of(word()).prop_map(ModeChange::Key),
            proptest::option::of(1u32..).prop_map(ModeChange::Limit),
            ("[ov]", word(), any::<bool>()).prop_map(|(l, nick, on)| member(l.chars().next().unwrap(), &nick, on)),
            ("[beIq]", "[a-z*?]{1,4}![a-z]{1,3}@\\*|~a:[a-z中]{1,3}", any::<bool>()).prop_map(|(l, mask, on)| {
                ModeChange::List { letter: l.chars().next().unwrap(), mask: masks::normal(&mask).unwrap(), on }
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(changes in proptest::collection::vec(any_change(), 0..=CHANGES_MAX)) {
            let printed = print(&changes);
            let params: Vec<&str> = printed.split(' ').collect();
            prop_assert_eq!(parse(&params), Parsed { changes, faults: vec![] });
        }

        #[test]
        fn any_parameters_are_answered(params in proptest::collection::vec("\\PC{0,20}", 0..8)) {
            let params: Vec<&str> = params.iter().map(String::as_str).collect();
            let parsed = parse(&params);
            let printed = print(&parsed.changes);
            let again = parse(&printed.split(' ').collect::<Vec<_>>());
            prop_assert_eq!(print(&again.changes), printed);
        }
    }
}
