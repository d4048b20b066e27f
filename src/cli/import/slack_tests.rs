//! A small export of Slack, and what is read in it.

use super::*;

const USERS: &str = r#"[
    {"id": "U1", "name": "alice.smith", "profile": {"real_name": "Alice Smith", "display_name": ""}},
    {"id": "U2", "name": "bob", "profile": {"real_name": "Bob", "display_name": "Bobby"}, "deleted": true},
    {"id": "U3", "name": "robot", "is_bot": true, "profile": {}}
]"#;
const CHANNELS: &str =
    r#"[{"id": "C1", "name": "general", "created": 1700000000, "members": ["U1", "U2"], "is_archived": false}]"#;
const GROUPS: &str = r#"[{"id": "G1", "name": "board", "created": 1700000000, "members": ["U1"]}]"#;
const DMS: &str = r#"[{"id": "D1", "created": 1700000000, "members": ["U1", "U2"]}]"#;
const DAY: &str = r#"[
    {"type": "message", "subtype": "channel_join", "user": "U1", "text": "<@U1> has joined", "ts": "1763971200.000100"},
    {"type": "message", "user": "U1", "text": "hello <@U2>, see <https://a.example/x?a=1&amp;b=2|the page> &lt;b&gt; <!here> <#C1|general>",
     "ts": "1763971200.123456", "edited": {"user": "U1", "ts": "1763971300.000000"},
     "reactions": [{"name": "+1", "users": ["U2", "U3"], "count": 2}, {"name": "our_parrot", "users": ["U1"], "count": 1}]},
    {"type": "message", "user": "U2", "text": "two\nlines", "ts": "1763971201.000000", "thread_ts": "1763971200.123456"},
    {"type": "message", "subtype": "bot_message", "username": "Build Bot", "bot_id": "B9", "text": "",
     "ts": "1763971202.000000", "attachments": [{"title": "Build 7", "text": "<https://ci.example|green>", "fallback": "x"}]},
    {"type": "message", "user": "U1", "text": "", "ts": "1763971203.000000",
     "files": [{"name": "plan.pdf", "url_private": "https://files.example/plan.pdf"}]},
    {"type": "message", "subtype": "me_message", "user": "U2", "text": "waves", "ts": "1763971204.000000"},
    {"type": "message", "subtype": "channel_topic", "user": "U1", "topic": "tea &amp; cake", "text": "x", "ts": "1763971205.000000"},
    {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "text": "deleted", "ts": "1763971206.000000"},
    {"type": "message", "subtype": "pinned_item", "user": "U1", "text": "pinned", "ts": "1763971207.000000"},
    {"type": "message", "user": "U1", "text": "at no time", "ts": "soon"},
    {"type": "message", "user": "U1", "text": "of another form"}
]"#;

fn files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("users.json", USERS),
        ("channels.json", CHANNELS),
        ("groups.json", GROUPS),
        ("dms.json", DMS),
        ("general/2025-11-24.json", DAY),
        ("board/2025-11-24.json", r#"[{"type": "message", "user": "U1", "text": "secret", "ts": "1763971208.0"}]"#),
        ("D1/2025-11-24.json", r#"[{"type": "message", "user": "U2", "text": "between us", "ts": "1763971209.0"}]"#),
        ("integration_logs.json", "[]"),
    ]
}

fn check(out: &Gathered) {
    let shown: Vec<String> = out
        .entries
        .iter()
        .map(|entry| {
            let deed = match &entry.deed {
                Deed::Said { text, answers, .. } => {
                    format!("{text}{}", answers.map_or(String::new(), |a| format!(" -> {a}")))
                }
                Deed::Topic(text) => format!("topic {text}"),
                Deed::Reaction { emoji, to } => format!("{emoji} -> {to}"),
            };
            format!("{} {} {}: {deed}", entry.time, out.rooms[entry.room].name, out.people[entry.who].name)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "1763971209000 #D1 bob: between us",
            "1763971208000 #board alice.smith: secret",
            "1763971200123 #general alice.smith: hello @bob, see the page (https://a.example/x?a=1&b=2) <b> @here #general",
            "1763971200123 #general bob: 👍 -> 2",
            "1763971200123 #general robot: 👍 -> 2",
            "1763971200123 #general alice.smith: :our_parrot: -> 2",
            "1763971201000 #general bob: two\nlines -> 2",
            "1763971202000 #general Build Bot: Build 7\ngreen (https://ci.example)",
            "1763971203000 #general alice.smith: plan.pdf https://files.example/plan.pdf",
            "1763971204000 #general bob: \u{1}ACTION waves\u{1}",
            "1763971205000 #general alice.smith: topic tea & cake",
        ]
    );
    assert_eq!((out.passed[GOINGS], out.passed[DELETED], out.passed[REMARKS]), (1, 1, 1));
    assert_eq!(out.faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [10, 11]);
    let board = out.rooms.iter().find(|room| room.name == "#board").unwrap();
    assert!(board.private && board.members.len() == 1);
    assert!(out.rooms.iter().any(|room| room.between.is_some()));
    assert_eq!(out.people[0].display_name.as_deref(), Some("Alice Smith"));
    assert!(out.people.iter().filter(|person| person.bot).count() == 2);
}

#[test]
fn an_export_in_a_folder_and_in_a_zip_file() {
    let dir = tempfile::tempdir().unwrap();
    let now = Millis(1_900_000_000_000);
    let zip = dir.path().join("export.zip");
    let mut archive = zip::ZipWriter::new(File::create(&zip).unwrap());
    let folder = dir.path().join("export");
    for (name, text) in files() {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    for place in [folder, zip] {
        let mut out = Gathered::default();
        read(&place, now, &mut out).unwrap();
        check(&out);
    }
    let refused = read(dir.path(), now, &mut Gathered::default()).unwrap_err().to_string();
    assert!(refused.contains("users.json"), "{refused}");
}
