//! The audit: every way in which an administrator acts is noted, with who, from where, and what came of it.

use serde_json::Value;

use crate::harness::{Server, eventually};

fn acts(server: &Server, args: &[&str]) -> Vec<Value> {
    let printed = server.chatd(&[&["audit", "--json"], args].concat()).ok();
    printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// (who, from, what, done) of the newest act.
fn newest(server: &Server) -> (String, String, String, bool) {
    let act = acts(server, &["--last", "1"]).pop().expect("an act");
    let text = |key: &str| act[key].as_str().expect("text").to_owned();
    (text("who"), text("from"), text("what"), act["done"] == true)
}

#[tokio::test]
async fn acts_of_the_command_line_and_of_sessions() {
    let mut server = Server::start().await;
    let me = newest(&server).0;
    for running in [true, false] {
        if !running {
            server.sigterm();
            server.ended().await;
        }
        let room = if running { "#one" } else { "#two" };
        server.chatd(&["room", "create", room, "--topic", "secretword"]).ok();
        assert_eq!(newest(&server), (me.clone(), "command line".into(), format!("room create {room}"), true));
        // What was refused is noted, too.
        server.chatd(&["room", "create", room]).fails(1);
        assert_eq!(newest(&server), (me.clone(), "command line".into(), format!("room create {room}"), false));
        assert!(acts(&server, &["--last", "1"])[0]["result"].as_str().is_some_and(|text| text.contains("already")));
    }
    server.boot().await;
    let mut root = server.login_oper("root").await;
    // OPER is answered before it is noted.
    eventually("OPER in the audit", async || (newest(&server).2 == "OPER root").then_some(())).await;
    assert_eq!(newest(&server), ("root".into(), "127.0.0.1".into(), "OPER root".into(), true));
    root.ask_service("users disable bob").await;
    assert_eq!(newest(&server), ("root".into(), "127.0.0.1".into(), "user disable bob".into(), true));
    root.ask_service("bans add account nobody spam").await;
    assert_eq!(newest(&server), ("root".into(), "127.0.0.1".into(), "ban add account nobody: spam".into(), false));
    let _alice = server.login("alice").await;
    root.ask("KILL alice :enough").await;
    root.ask("REHASH").await;
    let told: Vec<String> =
        acts(&server, &["--last", "2"]).iter().map(|act| act["what"].as_str().expect("text").to_owned()).collect();
    assert_eq!(told, ["KILL alice: enough", "REHASH"]);

    // People ask for what they want to know.
    assert!(acts(&server, &["--who", "ROOT"]).iter().all(|act| act["who"] == "root"));
    assert_eq!(acts(&server, &["--since", "2000-01-01", "--last", "3"]).len(), 3);
    assert_eq!(acts(&server, &["--since", "2199-01-01"]), Vec::<Value>::new());
    let printed = server.chatd(&["audit"]).ok();
    assert!(printed.contains("user disable bob") && printed.contains("refused: "), "{printed}");
    let dump = format!("{:?}", acts(&server, &["--last", "1000"]));
    assert!(!dump.contains("secretword") && !dump.contains("argon2"), "{dump}");

    // However long an act is, a program gets an object a line.
    root.ask_service(&format!("bans add account carol {}", "\u{3}4\"x\" ".repeat(60))).await;
    for line in root.ask_service("audit json").await {
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    }
    server.chatd(&["ban", "remove", "account", "carol"]).ok();

    // In any client, page by page, for administrators alone.
    let answer = root.ask_service("audit").await;
    assert!(answer.iter().any(|line| line.contains("127.0.0.1: REHASH")), "{answer:?}");
    for n in 0..60 {
        root.ask_service(&format!("users kick nobody{n}")).await;
    }
    let page = root.ask_service("audit").await;
    let more = page.last().expect("an end").split_once(": ").expect("how to go on").1.to_owned();
    let older = root.ask_service(&more).await;
    assert!(page[page.len() - 2].contains("nobody59") && older.iter().any(|line| line.contains("REHASH")), "{older:?}");
    let mut carol = server.login("carol").await;
    assert!(carol.ask_service("audit").await[0].contains("OPER"));
}

/// What people do to their own accounts is their own business.
#[tokio::test]
async fn ones_own_devices_are_no_act_of_an_administrator() {
    let server = Server::start().await;
    let before = acts(&server, &["--last", "1000"]).len();
    let mut alice = server.login("alice").await;
    let made = alice.ask_service("devices add phone").await.join("\n");
    assert!(made.contains("phone"), "{made}");
    assert_eq!(acts(&server, &["--last", "1000"]).len(), before);
}
