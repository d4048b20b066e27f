//! The capabilities of IRCv3 that the server offers: one table, and every listing and request is read from it.
//!
//! Pure, knows nobody. A new capability is one line in the table. Rules:
//! <https://ircv3.net/specs/extensions/capability-negotiation>.

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub cap: Cap,
    /// What clients may call it; all of these names are listed.
    pub names: &'static [&'static str],
    /// Shown after `=` to clients of version 302; empty where there is none.
    pub value: &'static str,
    /// Whether `CAP LS` shows it and `CAP REQ` may ask for it.
    pub listed: bool,
}

macro_rules! table {
    ($($(#[$doc:meta])* $cap:ident $names:expr, $value:literal, $listed:literal;)*) => {
        /// A capability. Its number is its bit in a [`CapSet`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cap {
            $($(#[$doc])* $cap,)*
        }

        /// All capabilities there are, in the order of their bits.
        pub const TABLE: &[Row] = &[$(Row { cap: Cap::$cap, names: &$names, value: $value, listed: $listed },)*];
    };
}

table! {
    // Capability      names                                                value     listed
    // The value is that of the connection: `Offer::mechanisms`.
    Sasl              ["sasl"],                                            "",       true;
    MessageTags       ["message-tags"],                                    "",       true;
    ServerTime        ["server-time"],                                     "",       true;
    Batch             ["batch"],                                           "",       true;
    EchoMessage       ["echo-message"],                                    "",       true;
    LabeledResponse   ["labeled-response"],                                "",       true;
    AccountTag        ["account-tag"],                                     "",       true;
    CapNotify         ["cap-notify"],                                      "",       true;
    MultiPrefix       ["multi-prefix"],                                    "",       true;
    ExtendedJoin      ["extended-join"],                                   "",       true;
    AwayNotify        ["away-notify"],                                     "",       true;
    Setname           ["setname"],                                         "",       true;
    InviteNotify      ["invite-notify"],                                   "",       true;
    StandardReplies   ["standard-replies"],                                "",       true;
    AccountNotify     ["account-notify"],                                  "",       true;
    UserhostInNames   ["userhost-in-names"],                               "",       true;
    Chghost           ["chghost"],                                         "",       true;
    // Our own: what this client is sent does not count as seen by its account (scripts).
    Passive           ["chatd/passive"],                                   "",       true;
    NoImplicitNames   ["no-implicit-names", "draft/no-implicit-names"],    "",       true;
    ChatHistory       ["draft/chathistory"],                               "",       true;
    EventPlayback     ["draft/event-playback"],                            "",       true;
    ReadMarker        ["draft/read-marker"],                               "",       true;
    Search            ["soju.im/search"],                                  "",       true;
    Multiline         ["draft/multiline"],                                 "max-bytes=16384,max-lines=100", true;
    MessageRedaction  ["draft/message-redaction"],                         "",       true;
    ChannelRename     ["draft/channel-rename"],                            "",       true;
    ExtendedMonitor   ["extended-monitor", "draft/extended-monitor"],      "",       true;
    ExtendedIsupport  ["draft/extended-isupport"],                         "",       true;
    PreAway           ["draft/pre-away"],                                  "",       true;
    AccountRegistration ["draft/account-registration"],      "before-connect",       true;
    Metadata2         ["draft/metadata-2"],                                "max-subs=64,max-keys=32,max-value-bytes=300", true;
    Metadata3         ["draft/metadata-3"],  "max-subs=64,max-keys=32,max-key-bytes=64,max-value-bytes=300", true;
}

const _: () = assert!(TABLE.len() <= u64::BITS as usize, "CapSet has too few bits");

impl Cap {
    /// The capability that clients call `name`, if it is offered.
    pub fn by_name(name: &str) -> Option<Cap> {
        TABLE.iter().find(|row| row.listed && row.names.contains(&name)).map(|row| row.cap)
    }

    pub fn name(self) -> &'static str {
        TABLE[self as usize].names[0]
    }
}

/// A set of capabilities: cheap to copy, to compare and to key a map with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapSet(u64);

impl CapSet {
    pub const EMPTY: CapSet = CapSet(0);

    pub const fn of(caps: &[Cap]) -> CapSet {
        let mut set = CapSet::EMPTY;
        let mut at = 0;
        while at < caps.len() {
            set.0 |= 1 << caps[at] as u64;
            at += 1;
        }
        set
    }

    pub const fn contains(self, cap: Cap) -> bool {
        self.0 & (1 << cap as u64) != 0
    }

    pub fn insert(&mut self, cap: Cap) {
        self.0 |= 1 << cap as u64;
    }

    pub fn remove(&mut self, cap: Cap) {
        self.0 &= !(1 << cap as u64);
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both sets have: `caps.and(RELEVANT)` is a small key for lines that depend on few capabilities.
    pub const fn and(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Cap> {
        TABLE.iter().map(|row| row.cap).filter(move |cap| self.contains(*cap))
    }
}

impl FromIterator<Cap> for CapSet {
    fn from_iter<I: IntoIterator<Item = Cap>>(caps: I) -> CapSet {
        let mut set = CapSet::EMPTY;
        caps.into_iter().for_each(|cap| set.insert(cap));
        set
    }
}

/// Where one client stands in the negotiation. Lists are returned as the texts of the last parameter, one for each
/// line, at least one; all but the last line carry `*` before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Negotiation {
    enabled: CapSet,
    version_302: bool,
    offer: Offer,
}

/// What is offered to this connection and not to every one; it stays while the connection lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offer {
    /// It has shown a client certificate, so SASL EXTERNAL can work.
    pub external: bool,
    /// Newcomers may make accounts.
    pub registration: bool,
    /// So many seconds the client is to use nothing but TLS (`sts`); 0: it is to forget what it was told. `None`: it is
    /// told nothing. Not a row of the table: nobody can ask for it, and it is never taken away.
    /// <https://ircv3.net/specs/extensions/sts>
    pub sts: Option<u64>,
}

impl Offer {
    fn has(self, row: &Row) -> bool {
        row.listed && (row.cap != Cap::AccountRegistration || self.registration)
    }

    fn value(self, row: &Row) -> &'static str {
        if row.cap == Cap::Sasl { self.mechanisms() } else { row.value }
    }

    /// The mechanisms of SASL, separated by commas.
    pub fn mechanisms(self) -> &'static str {
        if self.external { "PLAIN,EXTERNAL" } else { "PLAIN" }
    }
}

impl Negotiation {
    pub fn new(offer: Offer) -> Negotiation {
        Negotiation { offer, ..Negotiation::default() }
    }

    pub fn offer(&self) -> Offer {
        self.offer
    }

    pub fn enabled(&self) -> CapSet {
        self.enabled
    }

    /// Whether the client has said `CAP LS 302` (or higher): it knows values and lists of several lines.
    pub fn version_302(&self) -> bool {
        self.version_302
    }

    /// `CAP LS [version]`. `room`: the most bytes of a list in one line. The answer is for the version that is asked
    /// for here, even if the client has named a higher one before.
    pub fn ls(&mut self, version: Option<&str>, room: usize) -> Vec<String> {
        let of_302 = version.and_then(|version| version.parse::<u32>().ok()).is_some_and(|version| version >= 302);
        if of_302 {
            self.version_302 = true;
            self.enabled.insert(Cap::CapNotify);
        }
        let offer = self.offer;
        let rows = TABLE.iter().filter(|row| offer.has(row));
        let words = rows.flat_map(|row| row.names.iter().map(move |name| (*name, offer.value(row))));
        let word = |(name, value): (&str, &str)| {
            if of_302 && !value.is_empty() { format!("{name}={value}") } else { name.to_owned() }
        };
        // A port is for those who are not here by TLS, of whom there are none.
        let sts = offer.sts.filter(|_| of_302).map(|seconds| format!("sts=duration={seconds}"));
        lines(words.map(word).chain(sts), room, of_302)
    }

    /// `CAP LIST`: what is switched on.
    pub fn list(&self, room: usize) -> Vec<String> {
        let rows = TABLE.iter().filter(|row| self.enabled.contains(row.cap));
        lines(rows.flat_map(|row| row.names.iter().map(|name| name.to_string())), room, self.version_302)
    }

    /// `CAP REQ`: does all of it and says true (ACK), or none of it and says false (NAK).
    pub fn request(&mut self, list: &str) -> bool {
        let mut wanted = self.enabled;
        for word in list.split_ascii_whitespace() {
            let (name, on) = word.strip_prefix('-').map_or((word, true), |name| (name, false));
            let Some(cap) = Cap::by_name(name) else { return false };
            if !self.offer.has(&TABLE[cap as usize]) {
                return false;
            }
            if on {
                wanted.insert(cap);
            } else if cap == Cap::CapNotify && self.version_302 {
                return false;
            } else {
                wanted.remove(cap);
            }
        }
        // Two ways to say the same; the specification forbids to have both.
        if wanted.contains(Cap::Metadata2) && wanted.contains(Cap::Metadata3) {
            return false;
        }
        self.enabled = wanted;
        true
    }
}

/// A list in several lines is for those who know of it; the others are told what fits into one, the oldest first.
fn lines(words: impl Iterator<Item = String>, room: usize, of_302: bool) -> Vec<String> {
    let mut lines = pack(words, room);
    lines.truncate(if of_302 { usize::MAX } else { 1 });
    lines
}

/// Joins words by blanks into as few texts of at most `room` bytes as it takes; a longer word stands alone.
pub fn pack(words: impl Iterator<Item = impl AsRef<str>>, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let word = word.as_ref();
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_in_order_and_names_are_unique() {
        let mut names: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().collect();
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.cap as usize, index);
            assert_eq!(row.cap.name(), row.names[0]);
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn old_clients_get_one_line_that_fits_and_no_values() {
        let mut old = Negotiation::default();
        let lines = old.ls(None, 100);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() <= 100, "{}", lines[0].len());
        assert!(lines[0].split(' ').any(|word| word == "sasl"));
        assert!(!old.enabled().contains(Cap::CapNotify));
        assert!(old.request("cap-notify") && old.request("-cap-notify"));
    }

    #[test]
    fn version_302_has_values_several_lines_and_a_sticky_cap_notify() {
        let mut new = Negotiation::default();
        let lines = new.ls(Some("302"), 100);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= 100));
        assert!(lines.join(" ").split(' ').any(|word| word == "sasl=PLAIN"));
        assert!(new.enabled().contains(Cap::CapNotify));
        assert!(!new.request("batch -cap-notify"));
        assert!(!new.enabled().contains(Cap::Batch));
        let old = new.ls(None, 400);
        assert!(new.version_302(), "a later LS takes nothing back");
        assert!(old.len() == 1 && !old[0].contains('='), "but is answered as it asks: {old:?}");
    }

    #[test]
    fn strict_transport_is_told_to_those_who_know_values_and_cannot_be_asked_for() {
        let mut caps = Negotiation::new(Offer { sts: Some(86_400), ..Offer::default() });
        let told = |lines: Vec<String>| lines.join(" ").split(' ').any(|word| word.starts_with("sts"));
        assert!(!told(caps.ls(None, 400)));
        assert!(caps.ls(Some("302"), 400).join(" ").split(' ').any(|word| word == "sts=duration=86400"));
        assert!(!caps.request("sts") && !caps.request("sts=duration=86400") && !caps.request("-sts"));
        assert!(!told(caps.list(400)));
        assert!(!told(Negotiation::default().ls(Some("302"), 400)));
    }

    #[test]
    fn a_request_is_done_as_a_whole_or_not_at_all() {
        let mut caps = Negotiation::default();
        assert!(!caps.request("batch nonsense"));
        assert!(!caps.request("sasl=PLAIN"));
        assert!(caps.enabled().is_empty());
        assert_eq!(caps.list(400), [""]);
        assert!(caps.request(" batch  draft/no-implicit-names "));
        assert_eq!(caps.list(400), ["batch no-implicit-names draft/no-implicit-names"]);
        assert!(caps.request("-batch -no-implicit-names"));
        assert!(caps.enabled().is_empty());
        assert!(caps.request(""));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_packing(words in proptest::collection::vec("[a-z]{1,12}", 0..30), room in 12usize..60) {
            let lines = pack(words.iter().cloned(), room);
            prop_assert!(lines.iter().all(|line| line.len() <= room));
            let joined = lines.join(" ");
            let back: Vec<&str> = joined.split_whitespace().collect();
            prop_assert_eq!(back, words);
        }

        #[test]
        fn a_set_holds_what_was_put_in(bits in proptest::collection::vec(0..TABLE.len(), 0..20)) {
            let set: CapSet = bits.iter().map(|bit| TABLE[*bit].cap).collect();
            for row in TABLE {
                prop_assert_eq!(set.contains(row.cap), bits.contains(&(row.cap as usize)));
            }
            prop_assert_eq!(set.iter().collect::<CapSet>(), set);
            prop_assert_eq!(CapSet::of(&set.iter().collect::<Vec<_>>()), set);
        }

        #[test]
        fn any_request_is_answered(list in "\\PC{0,60}") {
            Negotiation::default().request(&list);
        }
    }
}
