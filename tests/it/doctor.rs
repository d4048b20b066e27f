//! `chatd doctor`: with faults really made, it finds each and says what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::harness::Server;

/// What it says of each check, as (state, found, advice), and its exit code.
struct Visit {
    code: i32,
    findings: Vec<Value>,
}

impl Visit {
    fn at(server: &Server) -> Visit {
        let finished = server.chatd(&["doctor", "--json"]);
        let findings = finished.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        Visit { code: finished.code, findings }
    }

    /// What it says of one check.
    fn of(&self, check: &str) -> (&str, String) {
        let found = self.findings.iter().find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("nothing of {check} in {:?}", self.findings));
        let advice = found["advice"].as_str().expect("text");
        let state = found["state"].as_str().expect("a state");
        assert_eq!(state == "ok", advice.is_empty(), "advice where it is wanted, and there alone: {found}");
        (state, format!("{} -> {advice}", found["found"].as_str().expect("text")))
    }

    #[track_caller]
    fn says(&self, check: &str, state: &str, words: &str) {
        let (found, text) = self.of(check);
        assert!(found == state && text.contains(words), "{check}: {found} {text}");
        assert_eq!(self.code == 0, self.findings.iter().all(|finding| finding["state"] != "fail"));
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
}

/// Lets the configuration name the port that the server got.
fn pin_port(server: &mut Server) {
    let address = server.address().to_string();
    server.reconfigure("server.listen", [address.as_str()]);
}

#[tokio::test]
async fn a_server_in_good_health() {
    let mut server = Server::start().await;
    set_mode(&server.data_dir(), 0o700);
    pin_port(&mut server);
    let visit = Visit::at(&server);
    assert_eq!(visit.code, 0, "{:?}", visit.findings);
    visit.says("server", "ok", &format!("process {}", server.pid()));
    for check in ["certificate", "key", "data", "database", "clock", "orders", "integrity", "index"] {
        assert_eq!(visit.of(check).0, "ok", "{check}");
    }
    visit.says("port", "ok", "answers");
    let printed = server.chatd(&["doctor"]).ok();
    assert!(printed.lines().any(|line| line.starts_with("ok    port")), "{printed}");
    server.sigterm();
    server.ended().await;
    let visit = Visit::at(&server);
    visit.says("server", "ok", "is not running");
    visit.says("port", "ok", "is free");
    // It leaves nothing behind that would be in the way of the server's user.
    let lock = server.data_dir().join("chat.lock");
    std::fs::remove_file(&lock).expect("the lock's file");
    Visit::at(&server).says("server", "ok", "is not running");
    assert!(!lock.exists());
    let taken = std::net::TcpListener::bind(server.address()).expect("the port");
    Visit::at(&server).says("port", "fail", "another program listens");
    drop(taken);
}

#[tokio::test]
async fn faults_of_files_and_of_the_certificate() {
    let mut server = Server::start().await;
    set_mode(&server.data_dir(), 0o700);
    pin_port(&mut server);
    let (cert, key) = (server.dir().join("cert.pem"), server.dir().join("key.pem"));
    let own = (server.dir().join("server.crt"), server.dir().join("server.key"));
    set_mode(&own.1, 0o644);
    Visit::at(&server).says("key", "fail", "chmod 600");
    set_mode(&own.1, 0o640);
    Visit::at(&server).says("key", "warn", "a group");
    set_mode(&own.1, 0o600);
    set_mode(&server.data_dir(), 0o755);
    Visit::at(&server).says("data", "warn", "chmod 700");
    set_mode(&server.data_dir(), 0o700);
    set_mode(&server.data_dir().join("chat.db"), 0o644);
    Visit::at(&server).says("database", "fail", "chmod 600");
    set_mode(&server.data_dir().join("chat.db"), 0o600);

    server.reconfigure("server.name", "other.example");
    Visit::at(&server).says("name", "warn", "other.example");
    // A certificate that has ended, with the right key; the server still shows the other one.
    let pair = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(["other.example".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    std::fs::write(&cert, params.self_signed(&pair).expect("a certificate").pem()).expect("written");
    std::fs::write(&key, pair.serialize_pem()).expect("written");
    set_mode(&key, 0o600);
    server.reconfigure("tls.cert", cert.to_str().expect("text"));
    server.reconfigure("tls.key", key.to_str().expect("text"));
    let visit = Visit::at(&server);
    visit.says("certificate", "fail", "days ago");
    visit.says("name", "ok", "other.example");
    visit.says("port", "fail", "another certificate");
    // A key of another certificate.
    server.reconfigure("tls.key", own.1.to_str().expect("text"));
    Visit::at(&server).says("certificate", "fail", "chatd cert new");
    let human = server.chatd(&["doctor"]).fails(1);
    assert!(human.contains("FAIL above"), "{human}");
}

#[tokio::test]
async fn faults_of_the_database_the_clock_and_the_limits() {
    let mut server = Server::start().await;
    pin_port(&mut server);
    let mut alice = server.login("alice").await;
    for n in 0..300 {
        alice.send(format!("PRIVMSG #lobby :{n} {}", "words ".repeat(40))).await;
    }
    alice.sync().await;
    server.reconfigure("server.max_connections", 100_000);
    Visit::at(&server).says("open files", "warn", "LimitNOFILE=100064");
    server.sigterm();
    server.ended().await;
    let path = server.data_dir().join("chat.db");
    {
        let database = rusqlite::Connection::open(&path).expect("the database");
        database.execute("UPDATE events SET time = time + 86400000", []).expect("a day ahead");
    }
    Visit::at(&server).says("clock", "fail", "timedatectl");
    // A disk that forgets: pages in the middle are lost.
    let mut bytes = std::fs::read(&path).expect("the file");
    let (from, to) = (bytes.len() / 4096 / 2 * 4096, bytes.len() / 4096 / 2 * 4096 + 3 * 4096);
    bytes[from..to].fill(0x5a);
    std::fs::write(&path, bytes).expect("written");
    Visit::at(&server).says("integrity", "fail", "chatd restore");
}
