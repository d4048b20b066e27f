//! Logs of WeeChat, irssi and ZNC as they lie on disks, and what is read in them.

use super::*;
use crate::cli::import::gather::Fault;

/// A log, as if it lay there under this name: what comes of it, a line an entry.
fn gathered(program: Program, name: &str, bytes: &[u8], zone: &str) -> (Vec<String>, Gathered) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let mut out = Gathered::default();
    let zone = Zone::parse(Some(zone)).unwrap();
    read(program, &[dir.path().to_owned()], None, &zone, Millis(1_900_000_000_000), &mut out).unwrap();
    (shown(&out), out)
}

fn shown(out: &Gathered) -> Vec<String> {
    let entry = |entry: &Found| {
        let moment = jiff::Timestamp::from_millisecond(entry.time).unwrap();
        let (room, who) = (&out.rooms[entry.room].name, &out.people[entry.who].name);
        let deed = match &entry.deed {
            Deed::Said { speech: Speech::Notice, text, .. } => format!("notice: {text}"),
            Deed::Said { text, .. } => text.clone(),
            Deed::Topic(text) => format!("topic: {text}"),
            Deed::Reaction { emoji, .. } => format!("reaction: {emoji}"),
        };
        format!("{moment} {room} {who}: {deed}")
    };
    out.entries.iter().map(entry).collect()
}

fn faults(out: &Gathered) -> Vec<(usize, &str)> {
    out.faults.iter().map(|Fault { line, why, .. }| (*line, why.as_str())).collect()
}

#[test]
fn weechat_as_it_writes() {
    let log = "2025-11-23 10:00:01\t-->\talice (~alice@host.example) has joined #rust\n\
        2025-11-23 10:00:02\t--\tTopic for #rust is \"old\"\n\
        2025-11-23 10:00:03\t@alice\tgood morning\twith a tab\r\n\
        2025-11-23 10:00:04\t+bob|away\t\u{2}bold\u{f} and \u{3}4red\u{3}\n\
        2025-11-23 10:00:05\t *\tcarol waves at everybody\n\
        2025-11-23 10:00:06\t--\tNotice(alice) -> #rust: beware\n\
        2025-11-23 10:00:07\t--\talice has changed topic for #rust from \"old\" to \"new \"quoted\" one\"\n\
        2025-11-23 10:00:08\t--\tMode #rust [+o bob] by alice\n\
        2025-11-23 10:00:09\t--\tbob is now known as bob_\n\
        2025-11-23 10:00:10\t<--\tbob (~b@h) has quit (Ping timeout)\n\
        2025-11-23 10:00:11\t=!=\tirc: disconnected\n\
        a line of a text that had two\n\
        2025-11-23 25:00:00\talice\tat no time\n";
    let (said, out) = gathered(Program::WeeChat, "irc.libera.chat.#rust.weechatlog", log.as_bytes(), "UTC");
    assert_eq!(
        said,
        [
            "2025-11-23T10:00:03Z #rust alice: good morning\twith a tab",
            "2025-11-23T10:00:04Z #rust bob|away: \u{2}bold\u{f} and \u{3}4red\u{3}",
            "2025-11-23T10:00:05Z #rust carol: \u{1}ACTION waves at everybody\u{1}",
            "2025-11-23T10:00:06Z #rust alice: notice: beware",
            "2025-11-23T10:00:07Z #rust alice: topic: new \"quoted\" one",
        ]
    );
    assert_eq!(out.rooms[0].network.as_deref(), Some("libera.chat"));
    assert_eq!((out.passed[GOINGS], out.passed[MODES], out.passed[REMARKS]), (3, 1, 2));
    assert_eq!(faults(&out).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [12, 13]);
}

#[test]
fn irssi_as_it_writes() {
    let log = b"--- Log opened Sat Oct 25 23:58:00 2025\n\
        23:58 -!- alice [~alice@host.example] has joined #rust\n\
        23:58 < alice> good \xe9vening \x93quoted\x94\n\
        23:59 <@Bob> hi alice: <b>\n\
        --- Day changed Sun Oct 26 2025\n\
        01:59  * alice waves\n\
        02:30 <+carol> first\n\
        02:10 <+carol> the clock was put back\n\
        02:11:30 -alice:#rust- a notice\n\
        03:00 -!- alice changed the topic of #rust to: tea: and cake\n\
        03:01 -!- Topic unset by Bob on #rust\n\
        03:02 -!- mode/#rust [+o carol] by alice\n\
        03:03 -!- carol was kicked from #rust by alice [noise]\n\
        03:04 -!- Irssi: #rust: Total of 3 nicks\n\
        03:05 !who is this\n\
        --- Log closed Sun Oct 26 03:06:00 2025\n\
        --- Day changed Mo Okt 27 2025\n";
    let (said, out) = gathered(Program::Irssi, "libera/#rust.log", log, "Europe/Berlin");
    assert_eq!(
        said,
        [
            "2025-10-25T21:58:00Z #rust alice: good évening “quoted”",
            "2025-10-25T21:59:00Z #rust Bob: hi alice: <b>",
            "2025-10-25T23:59:00Z #rust alice: \u{1}ACTION waves\u{1}",
            "2025-10-26T00:30:00Z #rust carol: first",
            "2025-10-26T01:10:00Z #rust carol: the clock was put back",
            "2025-10-26T01:11:30Z #rust alice: notice: a notice",
            "2025-10-26T02:00:00Z #rust alice: topic: tea: and cake",
            "2025-10-26T02:01:00Z #rust Bob: topic: ",
        ]
    );
    assert_eq!((out.passed[GOINGS], out.passed[MODES]), (2, 1));
    assert_eq!(faults(&out).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [15, 17]);
}

#[test]
fn znc_as_it_writes() {
    let log = b"[00:00:01] *** Joins: alice (~alice@host.example)\n\
        [00:00:02] <alice> hello\r\n\
        [00:00:03] * alice waves\n\
        [00:00:04] -bob- a notice\n\
        [00:00:05] *** alice changes topic to 'it's new'\n\
        [00:00:06] *** alice sets mode: +o bob\n\
        [00:00:07] *** bob was kicked by alice (noise)\n\
        [00:00:08] *** Quits: alice (~alice@host.example) (bye)\n\
        [00:00:09] <alice> \n\
        [0:0] <alice> no time\n";
    let expected = [
        "2025-11-23T00:00:02Z #rust alice: hello",
        "2025-11-23T00:00:03Z #rust alice: \u{1}ACTION waves\u{1}",
        "2025-11-23T00:00:04Z #rust bob: notice: a notice",
        "2025-11-23T00:00:05Z #rust alice: topic: it's new",
    ];
    for name in ["libera/#rust/2025-11-23.log", "alice_libera_#rust_20251123.log"] {
        let (said, out) = gathered(Program::Znc, name, log, "UTC");
        assert_eq!(said, expected, "{name}");
        assert_eq!(faults(&out).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [10], "{name}");
    }
    let (said, out) = gathered(Program::Znc, "libera/#rust/2099-01-01.log", b"[00:00:01] <alice> soon\n", "UTC");
    assert!(said.is_empty() && faults(&out)[0].1.contains("future"));
}

#[test]
fn which_file_is_of_which_room() {
    let of = |program: Program, name: &str| match program.of(Path::new(name)) {
        Of::Room { name, network, .. } => format!("{} {name}", network.unwrap_or_default()),
        Of::Private => "private".into(),
        Of::Nothing => "nothing".into(),
    };
    assert_eq!(of(Program::WeeChat, "l/irc.oftc.##c++.weechatlog"), "oftc ##c++");
    assert_eq!(of(Program::WeeChat, "l/irc.oftc.alice.weechatlog"), "private");
    assert_eq!(of(Program::WeeChat, "l/irc.server.oftc.weechatlog"), "private");
    assert_eq!(of(Program::WeeChat, "l/core.weechat.weechatlog"), "private");
    assert_eq!(of(Program::WeeChat, "l/notes.txt"), "nothing");
    assert_eq!(of(Program::Irssi, "OFTC/#tea.log"), "OFTC #tea");
    assert_eq!(of(Program::Irssi, "OFTC/#tea-2026-11-23.log"), "OFTC #tea");
    assert_eq!(of(Program::Irssi, "OFTC/#room-101.log"), "OFTC #room-101");
    assert_eq!(of(Program::Irssi, "OFTC/alice.log"), "private");
    assert_eq!(of(Program::Znc, "u/oftc/#tea/2026-11-23.log"), "oftc #tea");
    assert_eq!(of(Program::Znc, "u/oftc/alice/2026-11-23.log"), "private");
    assert_eq!(of(Program::Znc, "u/oftc/#tea/readme.log"), "nothing");
}

#[test]
fn rooms_of_one_name_on_two_networks_are_not_mixed() {
    let dir = tempfile::tempdir().unwrap();
    for network in ["oftc", "libera"] {
        let folder = dir.path().join(network).join("#tea");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("2025-11-23.log"), "[00:00:01] <alice> hello\n").unwrap();
    }
    let zone = Zone::parse(Some("UTC")).unwrap();
    let look = |room: Option<&str>| {
        let mut out = Gathered::default();
        let now = Millis(1_900_000_000_000);
        read(Program::Znc, &[dir.path().to_owned()], room, &zone, now, &mut out).map(|()| out.entries.len())
    };
    let refused = look(None).unwrap_err().to_string();
    assert!(refused.contains("libera") && refused.contains("oftc") && refused.contains("--room"), "{refused}");
    assert_eq!(look(Some("#all")).unwrap(), 2);
}
