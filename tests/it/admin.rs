//! The `chatd` command: accounts, rooms, history, certificates, configuration, quickstart; with the server running
//! and stopped; exit codes, and errors that say what to do.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{
    Client, Line, MODERN, Server, eventually, fingerprint, login_over, password_of, read_certificate, run, sasl_plain,
    signal, welcome,
};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|err| panic!("{}: {err}", path.display())).permissions().mode() & 0o777
}

/// The session is ended by the server, with a word why.
async fn is_sent_away(mut client: Client) {
    let lines = client.expect_end().await;
    assert!(lines.last().is_some_and(|line| line.is("ERROR") && !line.text().is_empty()), "{lines:?}");
}

// --- accounts ---

#[tokio::test]
async fn an_account_from_its_beginning_to_its_end() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    server.chatd_with_input(&["user", "add", "erin", "--password-stdin"], "first password\n").ok();
    let (answer, mut erin) = server.try_sasl("erin", "first password").await;
    assert_eq!(answer, "903", "an account that was added while the server runs");
    erin.send("CAP END").await;
    let mut erin = welcome(erin).await;
    erin.send("PRIVMSG #lobby :I am new").await;
    bob.expect_from("erin", "PRIVMSG #lobby :I am new").await;

    server.chatd_with_input(&["user", "passwd", "erin", "--password-stdin"], "second password\n").ok();
    is_sent_away(erin).await;
    assert_eq!(server.try_sasl("erin", "first password").await.0, "904");
    let (answer, mut erin) = server.try_sasl("erin", "second password").await;
    assert_eq!(answer, "903");
    erin.send("CAP END").await;
    let erin = welcome(erin).await;

    server.chatd(&["user", "disable", "erin"]).ok();
    is_sent_away(erin).await;
    assert_eq!(server.try_sasl("erin", "second password").await.0, "904");
    server.chatd(&["user", "enable", "erin"]).ok();
    let (answer, mut erin) = server.try_sasl("erin", "second password").await;
    assert_eq!(answer, "903");
    erin.send("CAP END").await;
    let erin = welcome(erin).await;

    server.chatd(&["user", "remove", "erin", "--yes"]).ok();
    is_sent_away(erin).await;
    assert_eq!(server.try_sasl("erin", "second password").await.0, "904");
    let kept = server.history("#lobby");
    assert!(kept.iter().any(|entry| entry.from.as_deref() == Some("erin") && entry.text() == "I am new"));
    assert!(!server.chatd(&["user", "list"]).ok().contains("erin"));
}

#[tokio::test]
async fn all_sessions_of_an_account_end() {
    let server = Server::start().await;
    let (desk, phone) = (server.login("alice").await, server.login_plain("alice").await);
    let mut bob = server.login("bob").await;
    server.chatd(&["user", "disable", "alice"]).ok();
    is_sent_away(desk).await;
    is_sent_away(phone).await;
    bob.expect_from("alice", "QUIT").await;
}

#[tokio::test]
async fn accounts_with_the_server_stopped() {
    let mut server = Server::configure().prepare();
    server.chatd_with_input(&["user", "add", "erin", "--bot", "--password-stdin"], "long enough\n").ok();
    server.chatd(&["user", "disable", "bob"]).ok();
    server.boot().await;
    assert_eq!(server.try_sasl("erin", "long enough").await.0, "903");
    assert_eq!(server.try_sasl("bob", &password_of("bob")).await.0, "904");
}

#[tokio::test]
async fn the_list_of_accounts() {
    let server = Server::configure().user("王小明").prepare();
    let table = server.chatd(&["user", "list"]).ok();
    let json = server.chatd(&["user", "list", "--json"]).ok();
    let rows: Vec<serde_json::Value> = match serde_json::from_str(&json) {
        Ok(serde_json::Value::Array(rows)) => rows,
        _ => json.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect(),
    };
    for name in ["alice", "bob", "root", "王小明"] {
        assert!(table.contains(name), "{table}");
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is not in {json}"));
        assert_eq!(row["admin"], name == "root");
        assert_eq!(row["disabled"], false);
    }
    assert!(!json.contains("argon2") && !table.contains("argon2"), "a hash is shown");
    assert!(server.chatd(&["user", "show", "root"]).ok().contains("root"));
}

#[tokio::test]
async fn a_generated_password_is_shown_and_works() {
    let server = Server::start().await;
    let printed = server.chatd(&["user", "add", "erin", "--generate"]).ok();
    let password = printed.lines().last().expect("the password").trim();
    assert!(password.len() >= 12, "{printed}");
    assert_eq!(server.try_sasl("erin", password).await.0, "903");
}

#[tokio::test]
async fn accounts_that_cannot_be() {
    let server = Server::configure().prepare();
    let add = |name: &str, password: &str| {
        server.chatd_with_input(&["user", "add", name, "--password-stdin"], &format!("{password}\n"))
    };
    let complaint = add("alice", "long enough").fails(1);
    assert!(complaint.contains("alice"), "{complaint}");
    add("ALICE", "long enough").fails(1);
    // Cyrillic letters that look like Latin ones.
    add("аlice", "long enough").fails(1);
    for name in
        ["", " ", "a b", "#room", "a,b", "a!b", "a@b", "a:b", "*", "@op", "a\u{200b}b", "a\u{202e}b", &"x".repeat(100)]
    {
        let result = add(name, "long enough");
        assert!(result.code == 1 || result.code == 2, "{name:?}: {result:#?}");
        assert!(!result.stderr.contains("panicked"), "{}", result.stderr);
    }
    add("erin", "").fails(1);
    let complaint = add("erin", "short").fails(1);
    assert!(!complaint.contains("short\n"), "the password is shown: {complaint}");
    for command in ["show", "disable", "enable"] {
        let complaint = server.chatd(&["user", command, "nobody"]).fails(1);
        assert!(complaint.contains("nobody"), "{complaint}");
    }
    server.chatd(&["user", "remove", "nobody", "--yes"]).fails(1);
    assert!(!server.chatd(&["user", "list"]).ok().contains("erin"));
}

#[tokio::test]
async fn a_removed_name_is_not_given_to_somebody_else() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #lobby :mine").await;
    alice.sync().await;
    server.chatd(&["user", "remove", "alice", "--yes"]).ok();
    is_sent_away(alice).await;
    server.chatd_with_input(&["user", "add", "alice", "--password-stdin"], "somebody else\n").fails(1);
}

#[tokio::test]
async fn a_hash_of_old_strength_is_renewed_at_login() {
    let mut server = Server::start().await;
    let hash = |server: &Server| -> String {
        let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
        database.query_row("SELECT hash FROM accounts WHERE name = 'alice'", [], |row| row.get(0)).expect("alice")
    };
    assert!(hash(&server).starts_with("$argon2id$") && hash(&server).contains("m=64,t=1"), "{}", hash(&server));
    server.reconfigure("auth.argon2_memory_kib", 128);
    server.reconfigure("auth.argon2_iterations", 2);
    server.restart().await;
    assert_eq!(server.try_sasl("alice", "a wrong word").await.0, "904");
    assert!(hash(&server).contains("m=64,t=1"), "only the right password renews it");
    server.login("alice").await.quit("").await;
    eventually("a new hash", async || hash(&server).contains("m=128,t=2").then_some(())).await;
    server.login("alice").await;
}

// --- rooms ---

#[tokio::test]
async fn rooms_from_the_command_line() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    server.chatd(&["room", "create", "#ops", "--topic", "值班 and pagers"]).ok();
    let answer = alice.ask("JOIN #ops").await;
    assert!(answer.iter().any(|line| line.matches("332 alice #ops :值班 and pagers")), "{answer:?}");
    assert!(answer.iter().any(|line| line.matches("353 alice * #ops :alice")), "the room was there: {answer:?}");
    assert!(server.chatd(&["room", "list"]).ok().contains("#ops"));
    assert!(server.chatd(&["room", "list", "--json"]).ok().contains("\"#ops\""));
    server.chatd(&["room", "create", "#ops"]).fails(1);
    let result = server.chatd(&["room", "create", "ops"]);
    assert!(result.code == 1 || result.code == 2, "{result:?}");

    alice.send("PRIVMSG #ops :soon gone").await;
    alice.sync().await;
    server.chatd(&["room", "remove", "#ops", "--yes"]).ok();
    eventually("the end of the room", async || {
        let answer = alice.ask("PRIVMSG #ops :anybody?").await;
        answer.iter().any(Line::is_error).then_some(())
    })
    .await;
    assert!(!server.chatd(&["room", "list"]).ok().contains("#ops"));
    server.chatd(&["history", "#ops"]).fails(1);
    server.chatd(&["room", "remove", "#ops", "--yes"]).fails(1);
}

// --- history ---

async fn talked(server: &Server) {
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for (name, text) in [
        ("alice", "good morning"),
        ("bob", "今天天气很好"),
        ("alice", "<script>alert(\"x\")</script>, & more"),
        ("bob", "=1+1,\"quoted\""),
        ("alice", "the release is on Friday"),
    ] {
        let client = if name == "alice" { &mut alice } else { &mut bob };
        client.send(format!("PRIVMSG #lobby :{text}")).await;
        client.sync().await;
        // Each has a millisecond of its own, so that a time tells them apart.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    alice.send("PRIVMSG bob :between us").await;
    alice.sync().await;
}

#[tokio::test]
async fn history_running_and_stopped_is_the_same() {
    let mut server = Server::start().await;
    talked(&server).await;
    let formats = ["text", "json", "csv", "html"];
    let print = |server: &Server| formats.map(|format| server.chatd(&["history", "#lobby", "--format", format]).ok());
    let running = print(&server);
    server.sigterm();
    server.ended().await;
    assert_eq!(print(&server), running);
    let [text, json, csv, html] = &running;
    for line in ["good morning", "今天天气很好", "the release is on Friday"] {
        for printed in [text, json, csv, html] {
            assert!(printed.contains(line), "{line} is missing in {printed}");
        }
    }
    assert_eq!(text.lines().filter(|line| line.contains("alice")).count(), 3, "{text}");
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>alert"), "{html}");
    assert!(csv.contains("\"\"quoted\"\""), "{csv}");
    assert!(!text.contains("between us"), "a direct message is not of the room");
}

#[tokio::test]
async fn history_as_json_has_exactly_the_keys_of_the_contract() {
    let server = Server::start().await;
    talked(&server).await;
    let printed = server.chatd(&["history", "#lobby", "--format", "json", "--last", "1"]).ok();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let json: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let mut keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["from", "kind", "msgid", "room", "seq", "text", "time"]);
    assert_eq!((&json["room"], &json["from"]), (&"#lobby".into(), &"alice".into()));
    assert_eq!((&json["kind"], &json["text"]), (&"message".into(), &"the release is on Friday".into()));
    let shape: String =
        json["time"].as_str().expect("text").chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
}

#[tokio::test]
async fn history_is_searched_and_narrowed() {
    let server = Server::start().await;
    talked(&server).await;
    let ask = |args: &[&str]| {
        let args: Vec<&str> = ["history", "#lobby", "--format", "json"].iter().chain(args).copied().collect();
        let printed = server.chatd(&args).ok();
        let text = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["text"].as_str().map(str::to_owned)
        };
        printed.lines().filter_map(text).collect::<Vec<_>>()
    };
    assert_eq!(ask(&["--search", "天气"]), ["今天天气很好"], "two Chinese characters");
    assert_eq!(ask(&["--search", "很好"]), ["今天天气很好"]);
    assert!(ask(&["--search", "好很"]).is_empty());
    assert_eq!(ask(&["--search", "RELEASE friday"]), ["the release is on Friday"]);
    assert!(ask(&["--search", "nothing like it"]).is_empty());
    assert_eq!(ask(&["--search", "\"* OR ("]).len(), 0, "no syntax for people to trip over");
    assert_eq!(ask(&["--from", "bob"]), ["今天天气很好", "=1+1,\"quoted\""]);
    assert_eq!(ask(&["--last", "2"]), ["=1+1,\"quoted\"", "the release is on Friday"]);
    assert_eq!(ask(&["--since", "1h"]).len(), 5);
    assert!(ask(&["--until", "2020-01-01"]).is_empty());
    assert!(ask(&["--since", "2999-01-01T00:00:00Z"]).is_empty());
    let third = server.history("#lobby")[2].clone();
    assert_eq!(ask(&["--until", &third.time]).len(), 2, "--until stands before that moment");
    assert_eq!(ask(&["--since", &third.time]).len(), 3);
    assert_eq!(server.said("alice,bob"), ["between us"]);
    let complaint = server.chatd(&["history", "#nowhere"]).fails(1);
    assert!(complaint.contains("#nowhere"), "{complaint}");
    server.chatd(&["history", "#lobby", "--since", "whenever"]).fails(2);
    server.chatd(&["history", "#lobby", "--format", "poem"]).fails(2);
}

#[tokio::test]
async fn history_follows() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #lobby :before").await;
    alice.sync().await;
    let mut child = server
        .command()
        .args(["history", "#lobby", "--follow", "--format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("chatd");
    let (lines, mut printed) = tokio::sync::mpsc::channel(100);
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = lines.blocking_send(line);
        }
    });
    let mut next =
        async || tokio::time::timeout(crate::harness::DEADLINE, printed.recv()).await.expect("a line").expect("a line");
    assert!(next().await.contains("\"before\""));
    for n in 0..3 {
        alice.send(format!("PRIVMSG #lobby :live {n}")).await;
        assert!(next().await.contains(&format!("\"live {n}\"")));
    }
    signal(child.id(), "INT");
    child.wait().expect("our child");
}

#[tokio::test]
async fn what_people_write_cannot_play_with_the_terminal() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #lobby :\u{1b}[31mred\u{1b}]0;title\u{7} \u{202e}desrever").await;
    alice.sync().await;
    for format in ["text", "html"] {
        let printed = server.chatd(&["history", "#lobby", "--format", format]).ok();
        assert!(printed.contains("red"), "{printed:?}");
        assert!(!printed.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{format}: {printed:?}");
    }
}

// --- one server, one place ---

#[tokio::test]
async fn two_servers_cannot_have_the_same_data() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let complaint = server.chatd(&["serve"]).fails(1);
    assert!(complaint.contains("data") || complaint.contains("running") || complaint.contains("lock"), "{complaint}");
    alice.send("PRIVMSG #lobby :the first one goes on").await;
    alice.expect("PRIVMSG #lobby :the first one goes on").await;
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let first = Server::start().await;
    let address = first.address().to_string();
    let second = Server::configure().set("server.listen", [address.as_str()]).prepare();
    let complaint = second.chatd(&["serve"]).fails(1);
    assert!(complaint.contains(&address), "{complaint}");
}

#[tokio::test]
async fn files_are_private() {
    let server = Server::start().await;
    server.login("alice").await;
    assert_eq!(mode(&server.data_dir().join("chat.db")), 0o600);
    assert_eq!(mode(&server.dir().join("server.key")), 0o600);
    for entry in std::fs::read_dir(server.data_dir()).expect("the data").flatten() {
        assert_eq!(mode(&entry.path()) & 0o077, 0, "{} can be read by others", entry.path().display());
    }
}

#[tokio::test]
async fn a_database_that_is_none() {
    let server = Server::configure().prepare();
    std::fs::write(
        server.data_dir().join("chat.db"),
        "this is a letter to my grandmother, not a database\n".repeat(100),
    )
    .expect("written");
    let complaint = server.chatd(&["serve"]).fails(1);
    assert!(complaint.contains("chat.db"), "{complaint}");
}

#[tokio::test]
async fn a_database_of_a_newer_version() {
    let server = Server::configure().prepare();
    let path = server.data_dir().join("chat.db");
    let database = rusqlite::Connection::open(&path).expect("the database");
    database
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (9999, 'from_the_future', '2099-01-01T00:00:00Z', '1')",
            [],
        )
        .expect("a version");
    drop(database);
    let complaint = server.chatd(&["serve"]).fails(1);
    assert!(complaint.contains("newer"), "{complaint}");
    server.chatd(&["user", "list"]).fails(1);
}

// --- configuration ---

#[tokio::test]
async fn all_faults_of_a_configuration_are_told_with_file_line_and_key() {
    let server = Server::configure().prepare();
    std::fs::write(
        server.config_path(),
        "[server]\nname = \"chat.test\"\nnmae = \"typo\"\nlisten = [\"nowhere\"]\n\n[limits]\nmessage_burst = \"many\"\n",
    )
    .expect("written");
    for command in [&["serve"][..], &["config", "check"], &["user", "list"]] {
        let complaint = server.chatd(command).fails(2);
        for wanted in ["config.toml", "nmae", "3", "listen", "4", "message_burst", "7"] {
            assert!(complaint.contains(wanted), "{wanted:?} is missing in\n{complaint}");
        }
    }
    std::fs::write(server.config_path(), "[server\n").expect("written");
    let complaint = server.chatd(&["config", "check"]).fails(2);
    assert!(complaint.contains("config.toml") && complaint.contains('1'), "{complaint}");
    let missing = server.dir().join("missing.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
    let complaint = run(command.args(["config", "check", "--config"]).arg(&missing), "").fails(2);
    assert!(complaint.contains("missing.toml"), "{complaint}");
}

#[tokio::test]
async fn the_configuration_is_named_before_or_after_the_command() {
    let server = Server::configure().prepare();
    server.chatd(&["config", "check"]).ok();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
    run(command.args(["config", "check", "--config"]).arg(server.config_path()).current_dir("/"), "").ok();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
    run(command.args(["config", "check"]).current_dir(server.dir()), "").ok();
}

#[tokio::test]
async fn the_environment_overrides_the_file() {
    let server = Server::configure()
        .env("CHATD_SERVER__NAME", "other.test")
        .env("CHATD_LIMITS__ROOMS_PER_ACCOUNT", "2")
        .start()
        .await;
    let mut alice = server.login("alice").await;
    assert_eq!(alice.greeting[0].nick(), "other.test");
    alice.ask("JOIN #one").await;
    assert!(alice.ask("JOIN #two").await.iter().any(|line| line.is("405")));
    let bad = Server::configure().env("CHATD_SERVER__NMAE", "x").prepare();
    let complaint = bad.chatd(&["config", "check"]).fails(2);
    assert!(complaint.to_uppercase().contains("NMAE"), "{complaint}");
}

#[tokio::test]
async fn wrong_usage_is_exit_code_2() {
    let server = Server::configure().prepare();
    for args in [&["frobnicate"][..], &[], &["user"], &["user", "add"], &["history"], &["serve", "--fast"]] {
        server.chatd(args).fails(2);
    }
    assert!(server.chatd(&["--version"]).ok().contains(env!("CARGO_PKG_VERSION")));
    let help = server.chatd(&["--help"]).ok();
    for command in ["serve", "quickstart", "user", "room", "history", "cert", "config", "completions"] {
        assert!(help.contains(command), "{command} is not in the help");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(server.chatd(&["completions", shell]).ok().contains("chatd"));
    }
}

#[tokio::test]
async fn a_missing_certificate_says_how_to_make_one() {
    let server = Server::configure().prepare();
    std::fs::remove_file(server.dir().join("server.crt")).expect("removed");
    let complaint = server.chatd(&["serve"]).fails(1);
    assert!(complaint.contains("server.crt") && complaint.contains("cert new"), "{complaint}");
}

#[tokio::test]
async fn certificates() {
    let server = Server::configure().prepare();
    let shown = server.chatd(&["cert", "show"]).ok().replace(':', "").to_lowercase();
    assert!(shown.contains(&fingerprint(&server.certificate())), "{shown}");
    let before = server.certificate();
    server.chatd(&["cert", "new", "--name", "chat.test"]).fails(1);
    assert_eq!(server.certificate(), before, "an existing key is not thrown away unasked");
    server.chatd(&["cert", "new", "--name", "chat.test", "--name", "other.test", "--force"]).ok();
    assert_ne!(server.certificate(), before);
    assert_eq!(mode(&server.dir().join("server.key")), 0o600);
}

// --- secrets ---

#[tokio::test]
async fn the_log_holds_no_words_and_no_passwords() {
    let server = Server::configure().set("log.level", "trace").start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_plain("bob").await;
    server.try_sasl("alice", "a-wrong-secret").await;
    alice.send("PRIVMSG #lobby :confidential-words").await;
    alice.send("PRIVMSG bob :whispered-words").await;
    alice.ask("TOPIC #lobby :topical-words").await;
    alice.ask("JOIN #dev").await;
    alice.ask("MODE #dev +k sesame-key").await;
    bob.expect("PRIVMSG bob :whispered-words").await;
    server.chatd_with_input(&["user", "passwd", "bob", "--password-stdin"], "brand-new-secret\n").ok();
    is_sent_away(bob).await;
    let log = server.log().text();
    assert!(log.len() > 100, "nothing was logged at all");
    let payload = crate::harness::sasl_payload("", "alice", &password_of("alice"));
    let secrets = [
        "confidential-words",
        "whispered-words",
        "a-wrong-secret",
        "brand-new-secret",
        "sesame-key",
        "$argon2",
        &payload,
        &password_of("alice"),
        &password_of("bob"),
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret:?} stands in the log");
    }
}

// --- from nothing ---

#[tokio::test]
async fn quickstart_makes_everything_and_keeps_it() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("chatd-data");
    let start = async || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chatd"))
            .args(["quickstart", "--dir"])
            .arg(&dir)
            .current_dir(place.path())
            .env("CHATD_SERVER__LISTEN", "127.0.0.1:0")
            .env("CHATD_LOG__FORMAT", "json")
            .env("CHATD_LIMITS__LOGINS_PER_MINUTE", "1000")
            .stdin(Stdio::null())
            .stdout(Stdio::from(std::fs::File::create(place.path().join("screen")).expect("a file")))
            .stderr(Stdio::from(std::fs::File::create(place.path().join("log")).expect("a file")))
            .spawn()
            .expect("chatd");
        let address = eventually("quickstart to listen", async || {
            let log = std::fs::read_to_string(place.path().join("log")).unwrap_or_default();
            if let Some(status) = child.try_wait().expect("our child") {
                panic!("quickstart ended ({status}): {log}");
            }
            let records = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let mut listening = records.filter(|record| record["fields"]["message"] == "listening");
            listening.next()?["fields"]["address"].as_str()?.parse::<std::net::SocketAddr>().ok()
        })
        .await;
        (child, address, std::fs::read_to_string(place.path().join("screen")).expect("the screen"))
    };

    let (mut child, address, screen) = start().await;
    let certificate = read_certificate(&dir.join("certs/server.crt"));
    let plain = screen.replace(':', "").to_lowercase();
    assert!(plain.contains(&fingerprint(&certificate)), "no fingerprint on the screen:\n{screen}");
    for word in ["user add", "chat ", "irssi", "WeeChat"] {
        assert!(screen.contains(word), "{word:?} is not on the screen:\n{screen}");
    }
    assert_eq!(mode(&dir.join("chat.db")), 0o600);
    assert_eq!(mode(&dir.join("certs/server.key")), 0o600);
    assert!(dir.join("config.toml").exists());
    // The login is on the screen, once; try the words that may be it.
    let mut login = None;
    for word in screen.split_whitespace().filter(|word| word.len() >= 12) {
        let tcp = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let name = tokio_rustls::rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let connector = crate::harness::connector(Some(certificate.clone()), &Default::default());
        let mut client = Client::new("admin", connector.connect(name, tcp).await.expect("TLS"));
        client.send("CAP REQ :sasl").await;
        client.send("NICK admin").await;
        client.send("USER admin 0 * :Admin").await;
        if sasl_plain(&mut client, "admin", word).await.is("903") {
            client.send("CAP END").await;
            let admin = welcome(client).await;
            assert!(admin.greeting.iter().any(|line| line.matches(":admin JOIN #lobby")), "{:#?}", admin.greeting);
            login = Some(word.to_owned());
            break;
        }
    }
    let login = login.unwrap_or_else(|| panic!("no password on the screen:\n{screen}"));
    assert_eq!(screen.matches(&login).count(), 1, "the password is shown once");
    signal(child.id(), "TERM");
    child.wait().expect("our child");

    let config = std::fs::read_to_string(dir.join("config.toml")).expect("the config");
    let (mut child, _, screen) = start().await;
    assert!(!screen.contains(&login), "the password is shown again:\n{screen}");
    assert_eq!(read_certificate(&dir.join("certs/server.crt")), certificate);
    assert_eq!(std::fs::read_to_string(dir.join("config.toml")).expect("the config"), config);
    signal(child.id(), "TERM");
    child.wait().expect("our child");
    let log = std::fs::read_to_string(place.path().join("log")).expect("the log");
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn a_hundred_accounts_log_in_at_once() {
    let names: Vec<String> = (0..10).map(|n| format!("user{n}")).collect();
    let server = std::sync::Arc::new(Server::configure().users(&names).start().await);
    let mut bob = server.login("bob").await;
    let logins: Vec<_> = (0..100)
        .map(|n| {
            let (server, name) = (server.clone(), names[n % names.len()].clone());
            tokio::spawn(async move {
                let client = server.connect_raw().await;
                login_over(client, &name, MODERN).await
            })
        })
        .collect();
    bob.send("PRIVMSG #lobby :meanwhile").await;
    bob.expect("PRIVMSG #lobby :meanwhile").await;
    for login in logins {
        login.await.expect("a login");
    }
}
