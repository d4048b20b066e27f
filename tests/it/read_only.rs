//! A disk that can no longer be written to, as the system makes a failing one: at the start and while running it is said
//! what it is, nobody sees what is not stored, and what was stored is there afterwards.
//!
//! Needs the right to mount a small file system (root). Where that is refused, the test says so and ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Line, Server};

/// An ext4 file system in a file, unmounted at the end.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    fn make(place: &Path) -> Option<Disk> {
        let disk = Disk { image: place.join("image"), at: place.join("disk") };
        std::fs::create_dir_all(&disk.at).expect("a mount point");
        std::fs::File::create(&disk.image).and_then(|file| file.set_len(32 << 20)).expect("an image");
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image).output();
        (made.is_ok_and(|output| output.status.success()) && disk.mount("loop")).then_some(disk)
    }

    fn mount(&self, options: &str) -> bool {
        let mounted = Command::new("mount").args(["-o", options]).arg(&self.image).arg(&self.at).output();
        mounted.is_ok_and(|output| output.status.success())
    }

    /// What the system does to a file system that fails.
    fn fail(&self) {
        let failed = Command::new("mount").args(["-o", "remount,abort"]).arg(&self.at).output().expect("mount");
        assert!(failed.status.success(), "{failed:?}");
    }

    /// Mounts what is on it as another disk: whoever else saw the old one may still hold it.
    fn revive(&mut self) {
        let copy = self.image.with_extension("copy");
        std::fs::copy(&self.image, &copy).expect("a copy");
        self.image = copy;
        assert!(self.mount("loop"), "it can be mounted again");
    }

    fn unmount(&self) {
        let unmounted = Command::new("umount").arg(&self.at).output().expect("umount");
        assert!(unmounted.status.success(), "{unmounted:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

#[tokio::test]
async fn a_disk_that_became_read_only_is_called_so_and_loses_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let Some(mut disk) = Disk::make(place.path()) else {
        eprintln!("skipped: mounting a file system is not allowed here; run as root to test a read-only disk");
        return;
    };
    let data = disk.at.join("data");
    let mut server = Server::configure().set("server.data_dir", data.to_str().expect("UTF-8")).start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.ask("PRIVMSG #lobby :while it could be written").await;
    assert_eq!(bob.hears().await, ["while it could be written"]);

    disk.fail();
    let start = server.log().len();
    let answer = alice.ask("PRIVMSG #lobby :too late").await;
    // And not where it is.
    let told = |line: &Line| line.is_error() && line.text().contains("Not stored: the disk is read-only");
    assert!(answer.iter().any(told), "{answer:?}");
    assert_eq!(bob.hears().await, [""; 0], "nobody sees what is not stored");
    assert!(server.log().complaint(start).await.json.to_string().contains("read-only"));
    // What needs no disk goes on, and the commands say the same.
    assert!(alice.ask("WHOIS bob").await.iter().any(|line| line.is("311")));
    let refused = server.chatd(&["user", "disable", "bob"]);
    assert!(refused.code == 1 && refused.stderr.contains("read-only"), "{refused:?}");
    server.sigterm();
    server.ended().await;

    // At a start, too.
    let refused = server.chatd(&["serve"]);
    assert!(refused.code == 1 && refused.stderr.contains("read-only"), "{refused:?}");
    disk.unmount();
    disk.revive();
    server.boot().await;
    assert_eq!(server.said("#lobby"), ["while it could be written"]);
    let mut alice = server.login("alice").await;
    alice.ask("PRIVMSG #lobby :and now again").await;
    assert_eq!(server.said("#lobby"), ["while it could be written", "and now again"]);
    server.sigterm();
    server.ended().await;
    drop(server);
    disk.unmount();
}
