//! Faults, defaults, overrides, and the example file held to the code.

use super::*;

const NO_ENV: [(&str, &str); 0] = [];

fn read(text: &str) -> Result<Config, ConfigFaults> {
    Config::from_text(text, Some(Path::new("conf/config.toml")), NO_ENV)
}

fn faults(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn the_example_is_the_defaults_and_names_every_key() {
    let mut source = Source::parse(EXAMPLE, None, NO_ENV);
    assert_eq!(check::read(&mut source), Config::default());
    for (table, key) in source.asked().to_vec() {
        assert!(source.has(table, key), "config.example.toml lacks [{table}] {key}");
    }
    source.finish().unwrap();
}

#[test]
fn every_key_of_the_example_is_explained() {
    let mut explained = false;
    for line in EXAMPLE.lines() {
        match line.chars().next() {
            Some('#') => explained = true,
            None | Some('[') => explained = false,
            Some(_) => assert!(explained, "no comment above: {line}"),
        }
    }
}

#[test]
fn nothing_at_all_is_the_defaults() {
    assert_eq!(Config::from_text("", None, NO_ENV).unwrap(), Config::default());
}

#[test]
fn all_faults_are_told_at_once_each_with_file_line_and_key() {
    let told = faults(
        "[server]\nname = \"two words\"\nnmae = \"x\"\nlisten = [\"localhost:6697\"]\n\n\
         [limits]\nmessages_per_second = 0\nping_timeout = 60\n\
         [nonsense]\na = 1\n[empty]\n[metrics]\nlisten = \"0.0.0.0:9\"\n[log]\nlevel = \"inof\"\nformat = \"xml\"\n",
    );
    let expected = [
        "the configuration has 10 faults:",
        "conf/config.toml:2: server.name: \"two words\" is not a host name; write letters, digits, \"-\" and \".\", such as \"chat.example.org\"",
        "conf/config.toml:3: server.nmae: unknown key; did you mean `name`?",
        "conf/config.toml:4: server.listen: \"localhost:6697\" is not an address; write \"ip:port\", such as",
        "conf/config.toml:7: limits.messages_per_second: 0 is out of range; write a number from 1 to",
        "conf/config.toml:8: limits.ping_timeout: is a number; write a length of time with its unit in quotes",
        "conf/config.toml:10: nonsense.a: unknown table; there are [server], [tls], [tls.acme], [rooms],",
        "conf/config.toml:11: empty: unknown table; there are",
        "conf/config.toml:13: metrics.listen: 0.0.0.0:9 can be reached from other machines",
        "conf/config.toml:15: log.level: \"inof\" names no level; write error, warn, info",
        "conf/config.toml:16: log.format: \"xml\" is not known; write \"text\" or \"json\"",
    ];
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{told}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.trim_start().starts_with(expected), "{line}\nshould start with\n{expected}");
    }
}

#[test]
fn a_key_in_the_wrong_place_is_told_its_table() {
    assert!(faults("[server]\nreplay_lines = 5\n").contains("`replay_lines` belongs under [history]"));
    assert!(faults("name = \"x\"\n").contains("config.toml:1: name: stands outside of any table"));
}

#[test]
fn broken_toml_has_a_line_and_hides_no_other_fault() {
    let told = faults("[server]\nname = \n[limits]\nmessage_burst = 0\n");
    assert!(told.contains("conf/config.toml:2: "), "{told}");
    assert!(told.contains("conf/config.toml:4: limits.message_burst"), "{told}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = read("[server]\ndata_dir = \"data\"\n[tls]\nkey = \"/etc/ssl/key.pem\"\n").unwrap();
    assert_eq!(config.server.data_dir, Path::new("conf/data"));
    assert_eq!(config.tls.key, Path::new("/etc/ssl/key.pem"));
    assert_eq!(config.tls.cert, Path::new("conf/certs/server.crt"), "defaults too");
    let here = Config::from_text("", Some(Path::new("config.toml")), NO_ENV).unwrap();
    assert_eq!(here.tls.cert, Path::new("certs/server.crt"));
}

#[test]
fn values_of_every_type() {
    let config = read(
        "[server]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\npresence_grace = \"0s\"\n[history]\nretention = \"90days\"\n\
         tail_memory = \"1GiB\"\n[limits]\nwrite_deadline = \"1h 30m\"\nmessages_per_second = 1_000_000\n\
         [rooms]\nauto_join = []\ncreation = \"admins\"\n[metrics]\nlisten = \"[::1]:9697\"\n[auth]\nconcurrent_hashes = 3\nregistration = \"invite\"\n\
         [log]\nformat = \"json\"\n",
    )
    .unwrap();
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.presence_grace, Duration::ZERO);
    assert_eq!(config.history.retention, Some(Duration::from_secs(90 * 86_400)));
    assert_eq!(config.history.tail_memory, 1 << 30);
    assert_eq!(config.limits.write_deadline, Duration::from_secs(5_400));
    assert_eq!(config.limits.messages_per_second, 1_000_000);
    assert_eq!(config.rooms, Rooms { auto_join: vec![], creation: Creation::Admins });
    assert_eq!(config.metrics.listen, Some("[::1]:9697".parse().unwrap()));
    assert_eq!(config.auth.concurrent_hashes, 3);
    assert_eq!(config.auth.registration, Registration::Invite);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(read("server.name = \"chat.test\"").unwrap().server.name, "chat.test", "dotted keys");
}

#[test]
fn values_that_are_not_fit() {
    for text in [
        "server.name = \"\"",
        "server.name = \"-a\"",
        "server.name = \"ch at\"",
        "server.network = \"my chat\"",
        "server.listen = []",
        "server.listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]",
        "server.listen = \"127.0.0.1:1\"",
        "server.listen = [5]",
        "server.data_dir = \"\"",
        "server.presence_grace = \"soon\"",
        "server.motd = \"a\\u0007b\"",
        "server.icon = \"icon.svg\"",
        "server.icon = \"https://example.org/a b\"",
        "server.admin_contact = \"a\\nb\"",
        "server.max_connections = -1",
        "server.max_connections = 99999999999999999999",
        "tls.handshake_timeout = \"0s\"",
        "rooms.auto_join = [\"lobby\"]",
        "rooms.auto_join = [\"#a b\"]",
        "rooms.creation = \"nobody\"",
        "auth.registration = \"yes\"",
        "limits.registrations_per_hour = 0",
        "history.retention = \"never\"",
        "history.retention = \"1s\"",
        "history.tail_memory = \"64\"",
        "history.tail_memory = \"64 florins\"",
        "history.tail_memory = 64",
        "limits.logins_per_minute = 0",
        "limits.rooms_per_account = \"many\"",
        "limits.ping_interval = \"2000years\"",
        "auth.argon2_memory_kib = 7",
        "auth = { argon2_parallelism = 4, argon2_memory_kib = 31 }",
        "metrics.listen = \"192.168.0.1:9\"",
        "server = 5",
    ] {
        let told = read(text).expect_err(text);
        assert_eq!(told.list().len(), 1, "{text}: {told}");
        assert!(told.list()[0].place.ends_with(":1"), "{told}");
    }
}

#[test]
fn the_environment_has_the_last_word() {
    let env = [
        ("CHATD_SERVER__NAME", "env.example"),
        ("CHATD_SERVER__LISTEN", "127.0.0.1:1, 127.0.0.1:2"),
        ("CHATD_ROOMS__AUTO_JOIN", ""),
        ("CHATD_LIMITS__MESSAGES_PER_SECOND", "7"),
        ("CHATD_HISTORY__RETENTION", "30days"),
        ("CHATD_LOG_DIR", "not ours"),
        ("HOME", "/root"),
    ];
    let config = Config::from_text("[server]\nname = \"file.example\"\n", None, env).unwrap();
    assert_eq!(config.server.name, "env.example");
    assert_eq!(config.server.listen.len(), 2);
    assert!(config.rooms.auto_join.is_empty());
    assert_eq!(config.limits.messages_per_second, 7);
    assert_eq!(config.history.retention, Some(Duration::from_secs(30 * 86_400)));
}

#[test]
fn faults_of_the_environment_name_the_variable() {
    let env = [("CHATD_SERVER__NMAE", "x"), ("CHATD_LIMITS__MESSAGE_BURST", "0"), ("CHATD_X__Y", "z")];
    let told = Config::from_text("", None, env).unwrap_err().to_string();
    assert!(told.contains("CHATD_SERVER__NMAE: server.nmae: unknown key; did you mean `name`?"), "{told}");
    assert!(told.contains("CHATD_LIMITS__MESSAGE_BURST: limits.message_burst: 0 is out of range"), "{told}");
    assert!(told.contains("CHATD_X__Y: x.y: unknown table"), "{told}");
}

#[test]
fn the_message_of_the_day_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("motd.txt"), "Hello\nyou\n").unwrap();
    let file = dir.path().join("config.toml");
    let read = |text: &str| Config::from_text(text, Some(&file), NO_ENV);
    assert_eq!(read("server.motd_file = \"motd.txt\"").unwrap().server.motd, "Hello\nyou\n");
    assert!(
        read("server = { motd_file = \"motd.txt\", motd = \"two\" }").unwrap_err().to_string().contains("keep one")
    );
    assert!(read("server.motd_file = \"none.txt\"").unwrap_err().to_string().contains("none.txt cannot be read"));
}

#[test]
fn the_order_of_lookup() {
    let dir = tempfile::tempdir().unwrap();
    let (here, etc) = (dir.path().join("config.toml"), dir.path().join("etc.toml"));
    let candidates = [here.as_path(), etc.as_path()];
    assert_eq!(locate(None, &candidates), None);
    std::fs::write(&etc, "").unwrap();
    assert_eq!(locate(None, &candidates), Some(etc.clone()));
    std::fs::write(&here, "").unwrap();
    assert_eq!(locate(None, &candidates), Some(here.clone()));
    let missing = dir.path().join("missing.toml");
    assert_eq!(locate(Some(&missing), &candidates), Some(missing.clone()), "never silently another one");
    let told = Config::load(Some(&missing)).unwrap_err().to_string();
    assert!(told.contains("missing.toml: does not exist; check the path"), "{told}");
}

#[test]
fn a_file_that_is_not_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(&file, b"\xff\xfe").unwrap();
    assert!(Config::load(Some(&file)).unwrap_err().to_string().contains("is not UTF-8"));
    assert!(Config::load(Some(dir.path())).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn origins_are_written_as_browsers_say_them() {
    let with = |origin: &str| read(&format!("[web]\norigins = [{origin:?}]\n"));
    for fit in ["https://chat.example.org", "http://localhost:8000", "https://[::1]:8443"] {
        assert_eq!(with(fit).unwrap().web.origins, [fit]);
    }
    for bad in ["", "*", "chat.example.org", "https://", "https://a/b", "https://a b", "null"] {
        assert!(with(bad).unwrap_err().to_string().contains("web.origins"), "{bad}");
    }
    assert!(faults("[web]\nenabled = \"yes\"\n").contains("write true or false"));
    assert!(!Config::from_text("", None, [("CHATD_WEB__ENABLED", "false")]).unwrap().web.enabled);
}
