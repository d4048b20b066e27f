//! Databases that older programs left behind, in mid-life: this one takes them up, and nothing is missing.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::harness::{Server, password_of};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemas")
}

/// The numbers of the schemas of which there is a database, in order.
fn kept() -> Vec<u32> {
    let number = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().expect("text");
        name.strip_prefix('V')?.strip_suffix(".db.gz")?.parse().ok()
    };
    let mut kept: Vec<u32> = std::fs::read_dir(schemas()).expect("the folder").flatten().filter_map(number).collect();
    kept.sort_unstable();
    kept
}

fn lay_down(server: &Server, schema: u32) {
    let packed = std::fs::read(schemas().join(format!("V{schema}.db.gz"))).expect("the database");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).expect("unpacked");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(server.data_dir().join(format!("chat.db{end}")));
    }
    std::fs::write(server.data_dir().join("chat.db"), bytes).expect("written");
}

fn version(server: &Server) -> u32 {
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    let sql = "SELECT max(version) FROM refinery_schema_history";
    database.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[test]
fn the_newest_schema_is_among_them() {
    let newest = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).expect("the folder");
    let number = |entry: std::fs::DirEntry| {
        entry.file_name().to_str()?.strip_prefix('V')?.split_once("__")?.0.parse::<u32>().ok()
    };
    let newest = newest.flatten().filter_map(number).max();
    assert_eq!(
        kept().last().copied(),
        newest,
        "make one with this program: python3 tests/it/schemas/make_dump.py target/debug/chatd tests/it/schemas/V<number>.db.gz"
    );
}

#[tokio::test]
async fn what_older_programs_kept_is_all_there() {
    for schema in kept() {
        let mut server = Server::configure().prepare();
        lay_down(&server, schema);
        // A command that only looks does not upgrade; it says who does.
        let now = version(&server);
        assert_eq!(now, schema);
        let looked = server.chatd(&["user", "list"]);
        if kept().last() != Some(&schema) {
            assert!(looked.code == 1 && looked.stderr.contains("chatd serve"), "V{schema}: {looked:?}");
        }
        server.boot().await;
        assert!(version(&server) >= schema);
        let said = server.said("#dev");
        let words = ["good morning", "the old words are kept", "café 中文 😀", "a notice", "soon out"];
        assert!(words.iter().all(|word| said.iter().any(|line| line == word)), "V{schema}: {said:?}");
        assert_eq!(said.iter().any(|line| line == "taken back"), schema < 2, "V{schema}: {said:?}");
        assert!(server.chatd(&["history", "alice,bob"]).ok().contains("between us"), "V{schema}");
        let found = server.chatd(&["history", "#dev", "--search", "old words"]).ok();
        assert!(found.contains("the old words are kept"), "V{schema}: {found}");
        assert!(server.chatd(&["doctor"]).stdout.contains("the database is whole"), "V{schema}");

        assert_eq!(server.try_sasl("bob", &password_of("bob")).await.0, "903", "V{schema}");
        let mut alice = server.login("alice").await;
        let modes = alice.ask("MODE #dev").await;
        let modes = &modes.iter().find(|line| line.is("324")).expect("324").params[2];
        assert!(modes.contains('i') && modes.contains('t'), "V{schema}: {modes}");
        let names = alice.ask("NAMES #dev").await;
        let names = &names.iter().find(|line| line.is("353")).expect("353").params[3];
        assert_eq!(names, "@alice", "V{schema}: who seemed present is not");
        let topic = alice.ask("TOPIC #dev").await;
        assert!(topic.iter().any(|line| line.is("332") && line.text() == "what we build"), "V{schema}: {topic:?}");
        alice.send("PRIVMSG #dev :and it goes on").await;
        alice.expect_from("alice", "PRIVMSG #dev :and it goes on").await;
        assert_eq!(server.said("#dev").last().map(String::as_str), Some("and it goes on"), "V{schema}");
        // All of it is kept by way of lines, too.
        let lines = server.chatd(&["export", "--with-secrets"]).ok();
        assert!(lines.lines().count() > 40 && lines.ends_with("}\n"), "V{schema}");
    }
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_old_state_and_a_newer_schema_is_refused_in_words() {
    let mut server = Server::configure().prepare();
    lay_down(&server, 1);
    let path = server.data_dir().join("chat.db");
    let change = |sql: &str| rusqlite::Connection::open(&path).expect("the database").execute_batch(sql).expect(sql);
    // In the way of the newest step; all before it succeed, and are taken back.
    change("CREATE TABLE audit (mine)");
    let refused = server.chatd(&["serve"]).fails(1);
    assert!(refused.contains("could not be upgraded") && refused.contains("its old state was kept"), "{refused}");
    assert_eq!(version(&server), 1);
    change("DROP TABLE audit");
    server.boot().await;
    assert!(version(&server) > 1);
    server.sigterm();
    server.ended().await;
    change(
        "INSERT INTO refinery_schema_history SELECT 999, 'later', applied_on, checksum FROM refinery_schema_history LIMIT 1",
    );
    let refused = server.chatd(&["serve"]).fails(1);
    assert!(refused.contains("newer chatd") && refused.contains("upgrade chatd"), "{refused}");
}

#[tokio::test]
async fn an_upgrade_that_is_cut_short_leaves_the_old_state() {
    let orders = tempfile::NamedTempFile::new().expect("a file");
    let path = orders.path().to_str().expect("UTF-8").to_owned();
    let mut server = Server::configure().env("CHATD_FAILPOINTS", &path).prepare();
    lay_down(&server, 1);
    let file = server.data_dir().join("chat.db");
    let rows = || -> Vec<String> {
        let database = rusqlite::Connection::open(&file).expect("the database");
        let mut all = database.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY 1").expect("the schema");
        let rows = all.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("text")
    };
    let before = rows();
    for what in ["die", "fail"] {
        std::fs::write(orders.path(), format!("migrate {what}")).expect("armed");
        let ended = server.chatd(&["serve"]);
        assert_ne!(ended.code, 0, "{what}: {ended:?}");
        assert_eq!((version(&server), rows()), (1, before.clone()), "{what}");
    }
    std::fs::write(orders.path(), "").expect("disarmed");
    server.boot().await;
    assert!(version(&server) > 1);
    assert!(server.said("#dev").iter().any(|line| line == "the old words are kept"));
}
