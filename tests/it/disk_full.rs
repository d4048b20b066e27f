//! A disk without room: who speaks is told, nobody sees what is not stored, and it goes on when there is room.
//!
//! Needs the right to mount a small tmpfs (root). Where that is refused, the test says so and ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Client, Line, Server, eventually};

/// A tmpfs, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).expect("a mount point");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "chatd-test"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| SmallDisk(at.to_owned()))
    }

    /// Takes up all the room there is.
    fn fill(&self) {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.ballast()).expect("a file");
        let mut block = vec![1u8; 64 * 1024];
        while !block.is_empty() {
            if ballast.write_all(&block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Says a line and waits for its fate: the echo, or a failure; both carry the label.
async fn fate(client: &mut Client, n: usize, text: &str) -> Line {
    let label = format!("n{n}");
    client.send(format!("@label={label} PRIVMSG #lobby :{text}")).await;
    let mut lines = client.expect_until("the echo or the failure", |line| line.tag("label") == Some(&*label)).await;
    lines.pop().expect("its fate")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_survived() {
    let place = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "16m") else {
        eprintln!("skipped: mounting a tmpfs is not allowed here; run as root to test a full disk");
        return;
    };
    let data = disk.0.join("data");
    let mut server = Server::configure().set("server.data_dir", data.to_str().expect("UTF-8")).start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut kept = Vec::new();
    assert!(fate(&mut alice, 0, "while there is room").await.is("PRIVMSG"));
    kept.push("while there is room".to_owned());

    disk.fill();
    let mut failures = 0;
    for n in 1..40_000 {
        let text = format!("{n} {}", "x".repeat(350));
        let answer = fate(&mut alice, n, &text).await;
        if answer.is("PRIVMSG") {
            assert_eq!(answer.text(), text);
            kept.push(text);
        } else {
            assert!(answer.is_error(), "neither an echo nor a clear failure: {answer:?}");
            assert!(!answer.text().is_empty(), "{answer:?}");
            failures += 1;
            if failures == 20 {
                break;
            }
        }
    }
    assert_eq!(failures, 20, "the disk never filled up");
    assert_eq!(bob.hears().await, kept, "bob sees what is stored, and only that");

    // Everything that needs no disk goes on.
    assert!(alice.ask("WHOIS bob").await.iter().any(|line| line.is("311")));

    disk.make_room();
    let mut n = 100_000;
    eventually("a stored line, now that there is room", async || {
        n += 1;
        let text = format!("there is room again {n}");
        let answer = fate(&mut alice, n, &text).await;
        answer.is("PRIVMSG").then(|| kept.push(text))
    })
    .await;
    bob.expect_from("alice", "PRIVMSG #lobby :there is room again*").await;
    assert_eq!(server.said("#lobby"), kept, "the history holds what was echoed");
    server.restart().await;
    assert_eq!(server.said("#lobby"), kept, "after a restart too");
    drop(server);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_on_a_full_disk() {
    let place = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "16m") else {
        eprintln!("skipped: mounting a tmpfs is not allowed here; run as root to test a full disk");
        return;
    };
    let data = disk.0.join("data");
    let mut server = Server::configure().set("server.data_dir", data.to_str().expect("UTF-8")).start().await;
    let mut alice = server.login("alice").await;
    disk.fill();
    let mut kept = Vec::new();
    for n in 0..40_000 {
        let text = format!("{n} {}", "x".repeat(350));
        if !fate(&mut alice, n, &text).await.is("PRIVMSG") {
            break;
        }
        kept.push(text);
    }
    server.kill9();
    disk.make_room();
    server.boot().await;
    assert_eq!(server.said("#lobby"), kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_while_the_disk_was_full_is_not_there_afterwards() {
    let place = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "16m") else {
        eprintln!("skipped: mounting a tmpfs is not allowed here; run as root to test a full disk");
        return;
    };
    let data = disk.0.join("data");
    let server = Server::configure().set("server.data_dir", data.to_str().expect("UTF-8")).start().await;
    let mut alice = server.login("alice").await;
    let bob = server.login("bob").await;
    disk.fill();
    for n in 0..40_000 {
        if !fate(&mut alice, n, &"x".repeat(350)).await.is("PRIVMSG") {
            break;
        }
    }
    bob.quit("while nothing can be stored").await;
    // Long enough for the grace to be over and the QUIT to have failed.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(!fate(&mut alice, 50_000, &"x".repeat(350)).await.is("PRIVMSG"), "there is no room yet");
    disk.make_room();
    let mut n = 100_000;
    eventually("a true list of names", async || {
        n += 1;
        fate(&mut alice, n, "room again").await;
        let names = alice.ask("NAMES #lobby").await;
        names.iter().any(|line| line.is("353") && !line.text().contains("bob")).then_some(())
    })
    .await;
    let bob = server.login("bob").await;
    assert!(bob.greeting.iter().any(|line| line.matches(":bob JOIN #lobby")), "{:#?}", bob.greeting);
    alice.expect_from("bob", "JOIN #lobby").await;
}
