//! `chatd backup` and `restore`: a copy is whole although people talk meanwhile, and nothing is replaced unchecked.

use std::os::unix::fs::PermissionsExt;

use crate::harness::Server;

#[tokio::test]
async fn a_backup_made_while_people_talk_is_restored_whole() {
    let mut server = Server::start().await;
    let mut bob = server.login("bob").await;
    for n in 0..300 {
        bob.send(format!("PRIVMSG #lobby :before {n}")).await;
    }
    bob.sync().await;
    for n in 0..300 {
        bob.send(format!("PRIVMSG #lobby :meanwhile {n}")).await;
    }
    let printed = server.chatd(&["backup", "copy.gz"]).ok();
    assert!(printed.contains("5 accounts"), "{printed}");
    bob.ask("PRIVMSG #lobby :afterwards").await;
    let file = server.dir().join("copy.gz");
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let checked = server.chatd(&["restore", "--check", "copy.gz"]).ok();
    assert!(checked.contains("is whole"), "{checked}");
    server.chatd(&["backup", "copy.gz"]).fails(1);
    server.chatd(&["restore", "--yes", "copy.gz"]).fails(1);

    let before = server.said("#lobby");
    server.sigterm();
    server.ended().await;
    let restored = server.chatd(&["restore", "--yes", "copy.gz"]).ok();
    assert!(restored.contains("before-"), "what was there is kept: {restored}");
    let after = server.said("#lobby");
    assert!(after.len() >= 300 && after.len() < before.len(), "{} of {}", after.len(), before.len());
    assert_eq!(after, before[..after.len()], "all up to one moment, and nothing of later");
    server.boot().await;
    let mut bob = server.login("bob").await;
    bob.ask("PRIVMSG #lobby :it goes on").await;
    assert_eq!(server.said("#lobby").last().map(String::as_str), Some("it goes on"));
    assert!(server.chatd(&["history", "#lobby", "--search", "before 299"]).ok().contains("before 299"));
    let left: Vec<_> =
        std::fs::read_dir(server.dir()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".copy-")), "{left:?}");
}

#[tokio::test]
async fn what_is_broken_replaces_nothing() {
    let server = Server::configure().prepare();
    server.chatd(&["backup", "copy.gz"]).ok();
    let (file, sum) = (server.dir().join("copy.gz"), server.dir().join("copy.gz.sha256"));
    let database = std::fs::read(server.data_dir().join("chat.db")).expect("a database");
    let whole = std::fs::read(&file).expect("a backup");
    let refused = |bytes: &[u8], wanted: &str| {
        std::fs::write(&file, bytes).expect("written");
        for args in [&["restore", "--yes", "copy.gz"] as &[&str], &["restore", "--check", "copy.gz"]] {
            let complaint = server.chatd(args).fails(1);
            assert!(complaint.contains(wanted), "{wanted}: {complaint}");
        }
    };
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    refused(&flipped, "checksum");
    std::fs::remove_file(&sum).expect("gone");
    refused(&flipped, "copy.gz");
    refused(&whole[..whole.len() / 2], "unpacked");
    refused(b"not a database at all, but long enough to be looked at", "copy.gz");
    assert_eq!(std::fs::read(server.data_dir().join("chat.db")).expect("there"), database);
    assert!(server.chatd(&["user", "list"]).ok().contains("alice"));
}
