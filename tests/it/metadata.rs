//! METADATA: what people and rooms say about themselves, who may change it and who is told. Both drafts are spoken,
//! `draft/metadata-2` and `draft/metadata-3`; where nothing else is said, the newer one.

use crate::harness::{Client, Line, Server, Setup, password_of};

const TWO: &[&str] = &["batch", "draft/metadata-2"];
const THREE: &[&str] = &["batch", "draft/metadata-3"];

/// Lines without their sources, without texts for people, and without what batches are called.
fn plain(lines: &[Line]) -> Vec<String> {
    lines.iter().map(one).collect()
}

fn one(line: &Line) -> String {
    let mut params = line.params.clone();
    match line.command.as_str() {
        "BATCH" => params[0].truncate(1),
        "FAIL" | "WARN" | "766" | "774" | "461" => drop(params.pop()),
        _ => {}
    }
    format!("{} {}", line.command, params.join(" "))
}

/// What came that has to do with metadata.
fn of_metadata(lines: &[Line]) -> Vec<String> {
    let ours = |line: &&Line| line.is("METADATA") || ["760", "761", "766", "774"].contains(&&*line.command);
    lines.iter().filter(ours).map(one).collect()
}

/// Nobody shares a room with anybody.
fn apart() -> Setup {
    Server::configure().set("rooms.auto_join", [] as [&str; 0])
}

async fn join(client: &mut Client, room: &str) -> Vec<Line> {
    let answer = client.ask(&format!("JOIN {room}")).await;
    assert!(answer.iter().any(|line| line.is("366")), "{answer:?}");
    answer
}

/// Says a line; the answer, in words. Who comes and goes meanwhile is no part of it.
async fn ask(client: &mut Client, line: &str) -> Vec<String> {
    let mut lines = client.ask(line).await;
    lines.retain(|line| !["JOIN", "PART", "QUIT", "MODE"].contains(&&*line.command));
    plain(&lines)
}

// --- the capability ---

#[tokio::test]
async fn the_capability_tells_the_limits() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    let mut words = Vec::new();
    loop {
        let line = client.expect("CAP * LS").await;
        words.extend(line.text().split(' ').map(str::to_owned).collect::<Vec<_>>());
        if line.param(2) != "*" {
            break;
        }
    }
    for wanted in [
        "draft/metadata-2=max-subs=64,max-keys=32,max-value-bytes=300",
        "draft/metadata-3=max-subs=64,max-keys=32,max-key-bytes=64,max-value-bytes=300",
    ] {
        assert!(words.iter().any(|word| word == wanted), "{words:?}");
    }
}

#[tokio::test]
async fn nobody_may_have_both_drafts() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :batch draft/metadata-2 draft/metadata-3").await;
    client.expect("CAP * NAK").await;
    client.send("CAP REQ :batch draft/metadata-2").await;
    client.expect("CAP * ACK").await;
    client.send("CAP REQ draft/metadata-3").await;
    client.expect("CAP * NAK").await;
    client.send("CAP REQ :-draft/metadata-2 draft/metadata-3").await;
    client.expect("CAP * ACK").await;
}

#[tokio::test]
async fn the_login_tells_ones_own_keys_before_the_end_of_the_motd() {
    let server = Server::start().await;
    let alice = server.login_with("alice", THREE).await;
    let end = |lines: &[Line]| lines.iter().position(|line| line.is("376") || line.is("422")).expect("a motd");
    let words = plain(&alice.greeting[..end(&alice.greeting)]);
    assert!(words.windows(2).any(|pair| pair == ["BATCH + metadata alice", "BATCH -"]), "empty at first: {words:?}");
    let mut alice = server.login_with("alice", THREE).await;
    alice.ask("METADATA * SET display-name :Alice A.").await;
    for (caps, line) in
        [(THREE, "761 alice alice display-name * Alice A."), (TWO, "METADATA alice display-name * Alice A.")]
    {
        let again = server.login_with("alice", caps).await;
        let words = plain(&again.greeting[..end(&again.greeting)]);
        assert!(words.windows(3).any(|three| three == ["BATCH + metadata alice", line, "BATCH -"]), "{words:?}");
    }
    let old = server.login_with("alice", &["batch"]).await;
    assert!(of_metadata(&old.greeting).is_empty());
}

#[tokio::test]
async fn who_asks_for_metadata_2_later_is_told_its_keys_then() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["batch"]).await;
    alice.ask("METADATA * SET url :http://a").await;
    let answer = ask(&mut alice, "CAP REQ draft/metadata-2").await;
    assert_eq!(answer[1..], ["BATCH + metadata alice", "METADATA alice url * http://a", "BATCH -"]);
}

#[tokio::test]
async fn without_the_capability_there_are_no_subscriptions() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", TWO).await;
    let mut bob = server.login_with("bob", THREE).await;
    for (client, cap) in [(&mut alice, "draft/metadata-2"), (&mut bob, "batch")] {
        client.ask("METADATA * SUB avatar").await;
        client.ask(&format!("CAP REQ -{cap}")).await;
        client.ask(&format!("CAP REQ {cap}")).await;
        let subs = ask(client, "METADATA * SUBS").await;
        assert_eq!(subs, ["BATCH + metadata-subs", "BATCH -"]);
    }
}

// --- GET, LIST, SET, CLEAR ---

#[tokio::test]
async fn get_answers_for_every_key_in_order() {
    let server = Server::start().await;
    for (name, caps, invalid) in
        [("alice", TWO, "FAIL METADATA KEY_INVALID"), ("bob", THREE, "WARN METADATA INVALID_KEY")]
    {
        let mut client = server.login_with(name, caps).await;
        client.ask("METADATA * SET avatar :http://a/b.png").await;
        let answer = client.ask("METADATA * GET display-name avatar Not$Valid").await;
        let batch = answer[0].param(0)[1..].to_owned();
        assert!(answer[1..4].iter().all(|line| line.tag("batch") == Some(&batch)), "{answer:?}");
        let wanted = [
            format!("BATCH + metadata {name}"),
            format!("766 {name} {name} display-name"),
            format!("761 {name} {name} avatar * http://a/b.png"),
            format!("{invalid} Not$Valid"),
            "BATCH -".to_owned(),
        ];
        assert_eq!(plain(&answer), wanted);
    }
}

#[tokio::test]
async fn list_tells_all_keys_of_somebody() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", TWO).await;
    let mut bob = server.login_with("bob", THREE).await;
    assert_eq!(ask(&mut bob, "METADATA alice LIST").await, ["BATCH + metadata alice", "BATCH -"]);
    alice.ask("METADATA * SET url :http://a").await;
    alice.ask("METADATA alice SET im.xmpp :alice@xmpp.example ☎").await;
    let wanted = [
        "BATCH + metadata alice",
        "761 bob alice im.xmpp * alice@xmpp.example ☎",
        "761 bob alice url * http://a",
        "BATCH -",
    ];
    assert_eq!(ask(&mut bob, "METADATA ALICE LIST").await, wanted);
}

#[tokio::test]
async fn a_target_that_is_not_there_is_said_to_be_so_and_nothing_else() {
    let server = Server::start().await;
    for (name, caps) in [("alice", TWO), ("bob", THREE)] {
        let mut client = server.login_with(name, caps).await;
        for rest in ["LIST", "GET a", "SET a b", "SET a", "CLEAR", "SYNC"] {
            for target in ["foobar", "#foobar", "$a:user"] {
                let answer = ask(&mut client, &format!("METADATA {target} {rest}")).await;
                assert_eq!(answer, [format!("FAIL METADATA INVALID_TARGET {target}")], "{rest}");
            }
        }
    }
}

#[tokio::test]
async fn set_answers_with_the_new_value() {
    let server = Server::start().await;
    for (name, caps) in [("alice", TWO), ("bob", THREE)] {
        let mut client = server.login_with(name, caps).await;
        for target in ["*", name] {
            for value in ["Foo The First", ":)", "->💜<-"] {
                let line = format!("761 {name} {name} display-name * {value}");
                assert_eq!(ask(&mut client, &format!("METADATA {target} SET display-name :{value}")).await, [&*line]);
                let got = ask(&mut client, &format!("METADATA {target} GET display-name")).await;
                assert_eq!(got[1], line);
            }
        }
        for removal in ["SET display-name", "SET display-name :"] {
            client.ask("METADATA * SET display-name x").await;
            assert_eq!(
                ask(&mut client, &format!("METADATA * {removal}")).await,
                [format!("766 {name} {name} display-name")]
            );
            let got = ask(&mut client, "METADATA * GET display-name").await;
            assert_eq!(got[1], format!("766 {name} {name} display-name"));
        }
    }
}

#[tokio::test]
async fn what_is_not_set_cannot_be_taken_away_in_metadata_2_and_can_in_3() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", TWO).await;
    assert_eq!(ask(&mut alice, "METADATA * SET avatar").await, ["FAIL METADATA KEY_NOT_SET alice avatar"]);
    let mut bob = server.login_with("bob", THREE).await;
    assert_eq!(ask(&mut bob, "METADATA * SET avatar").await, ["766 bob bob avatar"]);
}

#[tokio::test]
async fn keys_and_values_that_are_not_valid() {
    let server = Server::start().await;
    let (long_key, long_value) = ("k".repeat(65), "abcd".repeat(120));
    let hearts = "💜".repeat(76);
    // Who left would be seen to leave by the next.
    let mut staying = Vec::new();
    for (name, caps, key, value) in
        [("alice", TWO, "KEY_INVALID", "VALUE_INVALID"), ("bob", THREE, "INVALID_KEY", "INVALID_VALUE display-name")]
    {
        let mut client = server.login_with(name, caps).await;
        for wrong in ["Display-Name", "a:b", "ä", "$url$", &long_key] {
            let answer = ask(&mut client, &format!("METADATA * SET {wrong} :x")).await;
            assert_eq!(answer, [format!("FAIL METADATA {key} {wrong}")]);
        }
        for wrong in [&long_value, &hearts] {
            let answer = ask(&mut client, &format!("METADATA * SET display-name :{wrong}")).await;
            assert_eq!(answer, [format!("FAIL METADATA {value}")]);
        }
        let longest = "x".repeat(300);
        let answer = ask(&mut client, &format!("METADATA * SET display-name :{longest}")).await;
        assert_eq!(answer, [format!("761 {name} {name} display-name * {longest}")]);
        client.send_bytes(b"METADATA * SET display-name :\xc3(\r\n").await;
        let answer = client.sync().await;
        assert!(answer.len() == 1 && answer[0].is_error() | answer[0].is("NOTICE"), "{answer:?}");
        assert_eq!(
            ask(&mut client, "METADATA * GET display-name").await[1],
            format!("761 {name} {name} display-name * {longest}")
        );
        staying.push(client);
    }
}

/// A value that fits by itself, and not into one line with long names.
#[tokio::test]
async fn what_would_not_fit_into_a_line_is_refused() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", THREE).await;
    let room = format!("#{}", "r".repeat(63));
    join(&mut alice, &room).await;
    let (key, value) = ("k".repeat(64), "x".repeat(300));
    let answer = ask(&mut alice, &format!("METADATA {room} SET {key} :{value}")).await;
    assert_eq!(answer, [format!("FAIL METADATA INVALID_VALUE {key}")]);
    let answer = ask(&mut alice, &format!("METADATA {room} SET {key} :{}", "x".repeat(200))).await;
    assert!(answer[0].starts_with("761 "), "{answer:?}");
}

#[tokio::test]
async fn clear_takes_all_keys_away() {
    let server = Server::start().await;
    for (name, caps) in [("alice", TWO), ("bob", THREE)] {
        let mut client = server.login_with(name, caps).await;
        client.ask("METADATA * SET b 2").await;
        client.ask("METADATA * SET a 1").await;
        let wanted = [
            format!("BATCH + metadata {name}"),
            format!("766 {name} {name} a"),
            format!("766 {name} {name} b"),
            "BATCH -".to_owned(),
        ];
        assert_eq!(ask(&mut client, "METADATA * CLEAR").await, wanted);
        for again in ["CLEAR", "LIST"] {
            let answer = ask(&mut client, &format!("METADATA * {again}")).await;
            assert_eq!(answer, [format!("BATCH + metadata {name}"), "BATCH -".to_owned()]);
        }
    }
}

#[tokio::test]
async fn nobody_describes_others() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", THREE).await;
    for (name, caps) in [("carol", TWO), ("dave", THREE)] {
        let mut client = server.login_with(name, caps).await;
        bob.ask("METADATA * SUB display-name").await;
        let answer = ask(&mut client, "METADATA bob SET display-name :Totally Not Bob").await;
        assert_eq!(answer, ["FAIL METADATA KEY_NO_PERMISSION bob display-name"]);
        assert_eq!(ask(&mut client, "METADATA bob CLEAR").await, ["FAIL METADATA KEY_NO_PERMISSION bob *"]);
        assert!(of_metadata(&bob.sync().await).is_empty());
    }
}

#[tokio::test]
async fn a_room_is_described_by_its_operators() {
    let server = Server::configure().user("erin").start().await;
    for (op, other, caps) in [("bob", "carol", TWO), ("dave", "erin", THREE)] {
        let mut op_client = server.login_with(op, caps).await;
        let mut other_client = server.login_with(other, caps).await;
        let room = format!("#of-{op}");
        join(&mut op_client, &room).await;
        join(&mut other_client, &room).await;
        let answer = ask(&mut other_client, &format!("METADATA {room} SET url :http://mine")).await;
        assert_eq!(answer, [format!("FAIL METADATA KEY_NO_PERMISSION {room} url")]);
        let answer = ask(&mut other_client, &format!("METADATA {room} CLEAR")).await;
        assert_eq!(answer, [format!("FAIL METADATA KEY_NO_PERMISSION {room} *")]);
        let answer = ask(&mut op_client, &format!("METADATA {} SET url :http://ours", room.to_uppercase())).await;
        assert_eq!(answer, [format!("761 {op} {room} url * http://ours")]);
        let answer = ask(&mut other_client, &format!("METADATA {room} GET url")).await;
        assert_eq!(answer[1], format!("761 {other} {room} url * http://ours"));
        op_client.ask(&format!("MODE {room} +o {other}")).await;
        let answer = ask(&mut other_client, &format!("METADATA {room} SET url")).await;
        assert_eq!(answer, [format!("766 {other} {room} url")]);
    }
}

/// Who has said OPER acts as an operator everywhere; before that, an administrator is like anybody.
#[tokio::test]
async fn administrators_describe_everybody_after_oper() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", THREE).await;
    join(&mut bob, "#dev").await;
    let mut root = server.login_with("root", THREE).await;
    assert_eq!(ask(&mut root, "METADATA #dev LIST").await, ["FAIL METADATA INVALID_TARGET #dev"]);
    assert_eq!(ask(&mut root, "METADATA bob SET a b").await, ["FAIL METADATA KEY_NO_PERMISSION bob a"]);
    root.send(format!("OPER root {}", password_of("root"))).await;
    root.expect("381").await;
    assert_eq!(ask(&mut root, "METADATA #dev SET a b").await, ["761 root #dev a * b"]);
    assert_eq!(ask(&mut root, "METADATA bob SET a b").await, ["761 root bob a * b"]);
    assert_eq!(ask(&mut bob, "METADATA * LIST").await[1..], ["761 bob bob a * b", "BATCH -"]);
}

/// Whatever a room's modes are: who is not in it reads nothing of it, and cannot tell it from one that is not there.
#[tokio::test]
async fn a_room_is_read_by_its_members_alone() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", THREE).await;
    let mut carol = server.login_with("carol", THREE).await;
    carol.ask("METADATA * SUB topic-url").await;
    for (room, modes) in [("#public", "+t"), ("#secret", "+s"), ("#invited", "+i"), ("#locked", "+k word")] {
        join(&mut bob, room).await;
        bob.ask(&format!("MODE {room} {modes}")).await;
        bob.ask(&format!("METADATA {room} SET topic-url :http://inside")).await;
        for rest in ["LIST", "GET topic-url", "SYNC", "CLEAR", "SET topic-url x", "SET topic-url"] {
            let answer = ask(&mut carol, &format!("METADATA {room} {rest}")).await;
            assert_eq!(answer, [format!("FAIL METADATA INVALID_TARGET {room}")], "{rest}");
        }
    }
    join(&mut carol, "#public").await;
    assert_eq!(ask(&mut carol, "METADATA #public LIST").await.len(), 3);
    carol.ask("PART #public").await;
    bob.ask("METADATA #public SET topic-url :http://later").await;
    assert!(of_metadata(&carol.sync().await).is_empty());
    let answer = ask(&mut carol, "METADATA #public LIST").await;
    assert_eq!(answer, ["FAIL METADATA INVALID_TARGET #public"]);
}

#[tokio::test]
async fn so_many_keys_and_no_more() {
    let server = Server::start().await;
    for (name, caps, refusal) in [("alice", TWO, "LIMIT_REACHED alice"), ("bob", THREE, "LIMIT_REACHED bob 32")] {
        for login in 0..2 {
            let mut client = server.login_with(name, caps).await;
            for key in 0..16 {
                let answer = ask(&mut client, &format!("METADATA * SET key-{} :x", login * 16 + key)).await;
                assert!(answer[0].starts_with("761"), "{answer:?}");
            }
        }
        let mut client = server.login_with(name, caps).await;
        assert_eq!(ask(&mut client, "METADATA * SET one-more :x").await, [format!("FAIL METADATA {refusal}")]);
        assert_eq!(ask(&mut client, "METADATA * SET key-1 :y").await, [format!("761 {name} {name} key-1 * y")]);
        client.ask("METADATA * SET key-1").await;
        assert_eq!(ask(&mut client, "METADATA * SET one-more :x").await, [format!("761 {name} {name} one-more * x")]);
    }
}

#[tokio::test]
async fn too_many_changes_are_refused_with_the_time_to_wait() {
    let server = Server::start().await;
    for (name, caps) in [("alice", TWO), ("bob", THREE)] {
        let mut client = server.login_with(name, caps).await;
        let mut answer = Vec::new();
        for turn in 0..30 {
            answer = client.ask(&format!("METADATA * SET status :turn-{turn}")).await;
            if answer[0].is("FAIL") {
                break;
            }
        }
        let refusal = &answer[0];
        assert!(refusal.matches(&format!("FAIL METADATA RATE_LIMITED {name} status")), "{answer:?}");
        assert!(refusal.param(4).parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{refusal:?}");
        let value = (caps == TWO).then(|| refusal.param(5).starts_with("turn-"));
        assert_eq!((refusal.params.len(), value), if caps == TWO { (7, Some(true)) } else { (6, None) }, "{refusal:?}");
        let answer = client.ask("METADATA * CLEAR").await;
        assert!(answer[0].matches(&format!("FAIL METADATA RATE_LIMITED {name} *")), "{answer:?}");
        assert_eq!(ask(&mut client, "METADATA * GET nothing").await.len(), 3, "looking is another matter");
    }
}

#[tokio::test]
async fn commands_that_are_not_well_formed() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", TWO).await;
    let mut bob = server.login_with("bob", THREE).await;
    for (line, two, three) in [
        ("METADATA", "461 alice METADATA", "FAIL METADATA INVALID_PARAMS *"),
        ("METADATA *", "461 alice METADATA", "FAIL METADATA INVALID_PARAMS *"),
        ("METADATA * GET", "461 alice METADATA", "FAIL METADATA INVALID_PARAMS GET"),
        ("METADATA * SET", "461 alice METADATA", "FAIL METADATA INVALID_PARAMS SET"),
        ("METADATA * sub", "461 alice METADATA", "FAIL METADATA INVALID_PARAMS SUB"),
        ("METADATA * SNEEZE", "FAIL METADATA SUBCOMMAND_INVALID SNEEZE", "FAIL METADATA INVALID_PARAMS SNEEZE"),
        ("METADATA * :: hi!", "FAIL METADATA SUBCOMMAND_INVALID *", "FAIL METADATA INVALID_PARAMS *"),
    ] {
        assert_eq!(ask(&mut alice, line).await, [two], "{line}");
        assert_eq!(ask(&mut bob, line).await, [three], "{line}");
    }
    for line in ["METADATA * LIST x", "METADATA * SET a b c", "METADATA * SUBS x", "METADATA * SYNC x"] {
        let word = line.split(' ').nth(2).expect("a subcommand");
        assert_eq!(ask(&mut bob, line).await, [format!("FAIL METADATA INVALID_PARAMS {word}")]);
    }
}

// --- SUB, UNSUB, SUBS ---

#[tokio::test]
async fn sub_unsub_and_subs() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", TWO).await;
    assert_eq!(ask(&mut bob, "METADATA * SUBS").await, ["BATCH + metadata-subs", "BATCH -"]);
    assert_eq!(ask(&mut bob, "METADATA * SUB website avatar foo").await, ["770 bob website avatar foo"]);
    assert_eq!(ask(&mut bob, "METADATA * SUB avatar website").await, ["770 bob avatar website"], "again");
    assert_eq!(ask(&mut bob, "METADATA bob SUB bar bar").await, ["770 bob bar bar"], "twice at once");
    assert_eq!(
        ask(&mut bob, "METADATA * SUBS").await,
        ["BATCH + metadata-subs", "772 bob avatar bar foo website", "BATCH -"]
    );
    assert_eq!(ask(&mut bob, "METADATA * UNSUB foo never bar").await, ["771 bob foo never bar"]);
    assert_eq!(ask(&mut bob, "METADATA * SUBS").await[1], "772 bob avatar website");
    let answer = ask(&mut bob, "METADATA * SUB foo $url bar").await;
    assert_eq!(answer, ["770 bob foo bar", "FAIL METADATA KEY_INVALID $url"]);
    let answer = ask(&mut bob, "METADATA * UNSUB foo $url bar").await;
    assert_eq!(answer, ["771 bob foo bar", "FAIL METADATA KEY_INVALID $url"]);
    let mut carol = server.login_with("carol", THREE).await;
    let answer = ask(&mut carol, "METADATA * SUB foo $url").await;
    assert_eq!(answer, ["770 carol foo", "WARN METADATA INVALID_KEY $url", "BATCH + metadata *ALL", "BATCH -"]);
    assert_eq!(ask(&mut carol, "METADATA * SUB foo").await, ["770 carol foo"], "nothing new");
    let answer = ask(&mut carol, "METADATA * UNSUB $url foo").await;
    assert_eq!(answer, ["771 carol foo", "WARN METADATA INVALID_KEY $url"]);
    for line in ["SUB a", "UNSUB a", "SUBS"] {
        for target in ["bob", "#lobby"] {
            let answer = ask(&mut carol, &format!("METADATA {target} {line}")).await;
            assert_eq!(answer, [format!("FAIL METADATA INVALID_TARGET {target}")]);
        }
    }
}

#[tokio::test]
async fn so_many_subscriptions_and_no_more() {
    let server = Server::start().await;
    for (name, caps, refusal) in [("bob", TWO, "TOO_MANY_SUBS over"), ("carol", THREE, "LIMIT_REACHED over 64")] {
        let mut client = server.login_with(name, caps).await;
        for ten in 0..6 {
            let keys: Vec<String> = (0..10).map(|one| format!("k{}", 10 * ten + one)).collect();
            client.ask(&format!("METADATA * SUB {}", keys.join(" "))).await;
        }
        let answer = ask(&mut client, "METADATA * SUB k60 k61 k62 k63 over k1 more").await;
        assert_eq!(answer[..2], [format!("770 {name} k60 k61 k62 k63"), format!("FAIL METADATA {refusal}")]);
        let subs = ask(&mut client, "METADATA * SUBS").await.join(" ");
        assert_eq!(subs.matches(" k").count(), 64, "{subs}");
        assert_eq!(ask(&mut client, "METADATA * SUB k1").await, [format!("770 {name} k1")]);
    }
}

#[tokio::test]
async fn subscriptions_are_each_sessions_own() {
    let server = Server::start().await;
    let mut desk = server.login_with("bob", THREE).await;
    let mut phone = server.login_with("bob", THREE).await;
    desk.ask("METADATA * SUB avatar").await;
    assert_eq!(ask(&mut phone, "METADATA * SUBS").await.len(), 2);
    let mut alice = server.login_with("alice", THREE).await;
    alice.ask("METADATA * SET avatar :http://a").await;
    assert_eq!(of_metadata(&desk.sync().await), ["761 bob alice avatar * http://a"]);
    assert!(of_metadata(&phone.sync().await).is_empty());
}

// --- being told ---

#[tokio::test]
async fn who_shares_a_room_is_told_of_changes() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", THREE).await;
    let mut two = server.login_with("bob", TWO).await;
    let mut three = server.login_with("carol", THREE).await;
    let mut deaf = server.login_with("dave", &["batch"]).await;
    for client in [&mut two, &mut three, &mut deaf] {
        client.ask("METADATA * SUB avatar display-name").await;
    }
    alice.ask("METADATA * SET display-name :Foo The First").await;
    alice.ask("METADATA * SET display-name :Foo The First").await;
    alice.ask("METADATA * SET display-name :Foo The Second").await;
    alice.ask("METADATA * SET nobody-listens :x").await;
    alice.ask("METADATA * SET display-name").await;
    alice.ask("METADATA * SET display-name").await;
    let wanted = [
        "METADATA alice display-name * Foo The First",
        "METADATA alice display-name * Foo The Second",
        "METADATA alice display-name *",
    ];
    assert_eq!(of_metadata(&two.sync().await), wanted, "and of nothing that changes nothing");
    let wanted = [
        "761 carol alice display-name * Foo The First",
        "761 carol alice display-name * Foo The Second",
        "766 carol alice display-name",
    ];
    assert_eq!(of_metadata(&three.sync().await), wanted);
    assert!(of_metadata(&deaf.sync().await).is_empty());
}

#[tokio::test]
async fn ones_own_changes_are_told_to_ones_other_devices() {
    let server = apart().start().await;
    let mut desk = server.login_with("bob", THREE).await;
    let mut phone = server.login_with("bob", TWO).await;
    desk.ask("METADATA * SUB avatar").await;
    phone.ask("METADATA * SUB avatar").await;
    assert_eq!(ask(&mut desk, "METADATA * SET avatar :http://b").await, ["761 bob bob avatar * http://b"], "once");
    assert_eq!(of_metadata(&phone.sync().await), ["METADATA bob avatar * http://b"]);
}

#[tokio::test]
async fn who_is_in_a_room_is_told_of_its_changes_and_others_are_not() {
    let server = apart().start().await;
    let mut bob = server.login_with("bob", THREE).await;
    let mut carol = server.login_with("carol", TWO).await;
    let mut dave = server.login_with("dave", THREE).await;
    for client in [&mut carol, &mut dave] {
        client.ask("METADATA * SUB display-name avatar").await;
    }
    join(&mut bob, "#chan").await;
    join(&mut carol, "#chan").await;
    bob.ask("METADATA #chan SET display-name :Hash Channel").await;
    bob.ask("METADATA * SET avatar :http://b").await;
    bob.ask("METADATA #chan CLEAR").await;
    let wanted = [
        "METADATA #chan display-name * Hash Channel",
        "METADATA bob avatar * http://b",
        "METADATA #chan display-name *",
    ];
    assert_eq!(of_metadata(&carol.sync().await), wanted);
    assert!(of_metadata(&dave.sync().await).is_empty());
}

#[tokio::test]
async fn who_joins_is_told_of_the_room_and_of_those_in_it() {
    let server = apart().start().await;
    let mut bob = server.login_with("bob", TWO).await;
    let mut carol = server.login_with("carol", TWO).await;
    let mut dave = server.login_with("dave", THREE).await;
    for client in [&mut carol, &mut dave] {
        client.ask("METADATA * SUB display-name avatar").await;
    }
    join(&mut bob, "#chan").await;
    bob.ask("METADATA #chan SET display-name :Hash Channel").await;
    bob.ask("METADATA * SET avatar :http://b").await;
    bob.ask("METADATA * SET other :x").await;
    let answer = plain(&join(&mut carol, "#chan").await);
    let end = answer.iter().position(|line| line.starts_with("366")).expect("names");
    let wanted = [
        "BATCH + metadata #chan",
        "METADATA #chan display-name * Hash Channel",
        "METADATA bob avatar * http://b",
        "BATCH -",
    ];
    assert_eq!(answer[end + 1..], wanted);
    let answer = plain(&join(&mut dave, "#chan").await);
    let end = answer.iter().position(|line| line.starts_with("366")).expect("names");
    let wanted = [
        "BATCH + metadata #chan",
        "761 dave #chan display-name * Hash Channel",
        "761 dave bob avatar * http://b",
        "BATCH -",
    ];
    assert_eq!(answer[end + 1..], wanted);
    assert_eq!(plain(&dave.ask("METADATA #chan SYNC").await), wanted, "SYNC says the same");
    let answer = plain(&join(&mut dave, "#empty").await);
    assert_eq!(answer[answer.len() - 2..], ["BATCH + metadata #empty", "BATCH -"]);
}

/// Nothing says that one has to be told of somebody who comes in; without it a client would never learn of them.
#[tokio::test]
async fn members_are_told_of_who_comes_in() {
    let server = apart().start().await;
    let mut bob = server.login_with("bob", TWO).await;
    bob.ask("METADATA * SET avatar :http://b").await;
    let mut carol = server.login_with("carol", TWO).await;
    carol.ask("METADATA * SUB avatar").await;
    join(&mut carol, "#one").await;
    join(&mut carol, "#two").await;
    assert!(of_metadata(&carol.sync().await).is_empty());
    join(&mut bob, "#one").await;
    assert_eq!(of_metadata(&carol.sync().await), ["METADATA bob avatar * http://b"]);
    join(&mut bob, "#two").await;
    assert!(of_metadata(&carol.sync().await).is_empty(), "it knows");
}

#[tokio::test]
async fn who_subscribes_is_told_the_present_values() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", TWO).await;
    bob.ask("METADATA * SET avatar :http://b").await;
    bob.ask("METADATA * SET status :here").await;
    let mut carol = server.login_with("carol", TWO).await;
    let answer = ask(&mut carol, "METADATA * SUB avatar").await;
    assert_eq!(answer, ["770 carol avatar", "BATCH + metadata carol", "METADATA bob avatar * http://b", "BATCH -"]);
    let mut dave = server.login_with("dave", THREE).await;
    dave.ask("METADATA * SET status :away with the fairies").await;
    let answer = ask(&mut dave, "METADATA * SUB avatar status").await;
    let wanted = [
        "770 dave avatar status",
        "BATCH + metadata *ALL",
        "761 dave bob avatar * http://b",
        "761 dave bob status * here",
        "761 dave dave status * away with the fairies",
        "BATCH -",
    ];
    assert_eq!(answer, wanted);
}

#[tokio::test]
async fn who_monitors_somebody_is_told_of_them() {
    let server = apart().start().await;
    let mut bob = server.login_with("bob", TWO).await;
    bob.ask("METADATA * SET avatar :http://b").await;
    let mut carol = server.login_with("carol", TWO).await;
    let mut dave = server.login_with("dave", THREE).await;
    for client in [&mut carol, &mut dave] {
        client.ask("METADATA * SUB avatar").await;
    }
    let answer = ask(&mut carol, "MONITOR + bob,alice").await;
    let wanted = ["BATCH + metadata bob", "METADATA bob avatar * http://b", "BATCH -"];
    assert_eq!(answer[1..4], wanted, "{answer:?}");
    let answer = ask(&mut dave, "MONITOR + bob,alice").await;
    assert_eq!(answer[1..4], ["BATCH + metadata bob", "761 dave bob avatar * http://b", "BATCH -"], "{answer:?}");
    bob.ask("METADATA * SET avatar :http://c").await;
    assert_eq!(of_metadata(&carol.sync().await), ["METADATA bob avatar * http://c"]);
    assert_eq!(of_metadata(&dave.sync().await), ["761 dave bob avatar * http://c"]);
    let answer = ask(&mut dave, "METADATA *ALL SYNC").await;
    assert_eq!(answer[1..2], ["761 dave bob avatar * http://c"]);
    let alice = server.login("alice").await;
    dave.expect("730 dave :alice!*").await;
    assert_eq!(one(&dave.expect("BATCH * metadata alice").await), "BATCH + metadata alice");
    drop(alice);
    dave.ask("MONITOR C").await;
    bob.ask("METADATA * SET avatar :http://d").await;
    assert!(of_metadata(&dave.sync().await).is_empty());
}

#[tokio::test]
async fn whois_tells_what_people_read_to_who_knows_of_it() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", TWO).await;
    bob.ask("METADATA * SET display-name :Bobby").await;
    bob.ask("METADATA * SET machine-readable :0xff").await;
    let mut carol = server.login_with("carol", THREE).await;
    assert_eq!(of_metadata(&carol.ask("WHOIS bob").await), ["760 carol bob display-name * Bobby"]);
    let mut old = server.login_plain("dave").await;
    assert!(of_metadata(&old.ask("WHOIS bob").await).is_empty());
}

// --- SYNC ---

#[tokio::test]
async fn sync_tells_what_is_subscribed_to() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", TWO).await;
    bob.ask("METADATA * SET avatar :http://b").await;
    bob.ask("METADATA * SET other :x").await;
    let mut carol = server.login_with("carol", TWO).await;
    assert_eq!(ask(&mut carol, "METADATA bob SYNC").await, ["BATCH + metadata bob", "BATCH -"]);
    carol.ask("METADATA * SUB avatar").await;
    carol.ask("METADATA * SET avatar :http://c").await;
    let wanted = ["BATCH + metadata bob", "METADATA bob avatar * http://b", "BATCH -"];
    assert_eq!(ask(&mut carol, "METADATA bob SYNC").await, wanted);
    let wanted = ["BATCH + metadata #lobby", "METADATA bob avatar * http://b", "BATCH -"];
    assert_eq!(ask(&mut carol, "METADATA #lobby SYNC").await, wanted, "all others who are in it");
    let answer = ask(&mut carol, "METADATA *ALL SYNC").await;
    assert_eq!(answer, ["FAIL METADATA INVALID_TARGET *ALL"], "the older draft does not know it");
    let mut dave = server.login_with("dave", THREE).await;
    dave.ask("METADATA * SUB avatar").await;
    let answer = ask(&mut dave, "METADATA *ALL SYNC").await;
    let wanted =
        ["BATCH + metadata *ALL", "761 dave bob avatar * http://b", "761 dave carol avatar * http://c", "BATCH -"];
    assert_eq!(answer, wanted);
}

/// Who joins a room with very much to tell is told to ask; and who asks gets all of it.
#[tokio::test]
async fn much_is_told_on_request_alone() {
    let names: Vec<String> = (0..9).map(|n| format!("talker{n}")).collect();
    let server = apart().users(&names).start().await;
    let mut talkers = Vec::new();
    for name in &names {
        let mut client = server.login_with(name, TWO).await;
        join(&mut client, "#big").await;
        for key in 0..12 {
            client.ask(&format!("METADATA * SET k{key} :{}", "value ".repeat(40))).await;
        }
        talkers.push(client);
    }
    let keys: Vec<String> = (0..12).map(|key| format!("k{key}")).collect();
    for (name, caps, everything) in [("alice", TWO, "#big"), ("bob", THREE, "*ALL")] {
        let mut client = server.login_with(name, caps).await;
        client.ask(&format!("METADATA * SUB {}", keys.join(" "))).await;
        let joined = join(&mut client, "#big").await;
        assert_eq!(of_metadata(&joined), [format!("774 {name} #big 5")]);
        client.ask(&format!("METADATA * UNSUB {}", keys.join(" "))).await;
        let answer = ask(&mut client, &format!("METADATA * SUB {}", keys.join(" "))).await;
        assert_eq!(answer.last(), Some(&format!("774 {name} {everything} 5")));
        let all = client.ask(&format!("METADATA {everything} SYNC")).await;
        assert_eq!(of_metadata(&all).len(), names.len() * 12);
        assert!(
            all[0].matches(&format!("BATCH * metadata {everything}")) && all.last().is_some_and(|end| end.is("BATCH"))
        );
        let batch = &all[0].param(0)[1..];
        assert!(all[1..all.len() - 1].iter().all(|line| line.tag("batch") == Some(batch)));
    }
}

// --- labels ---

#[tokio::test]
async fn every_answer_carries_its_label() {
    let server = Server::start().await;
    let caps = ["batch", "draft/metadata-3", "labeled-response"];
    let mut bob = server.login_with("bob", &caps).await;
    let one = bob.ask("@label=a METADATA * SET avatar :http://b").await;
    assert!(one.len() == 1 && one[0].is("761") && one[0].tag("label") == Some("a"), "{one:?}");
    let fail = bob.ask("@label=b METADATA nobody LIST").await;
    assert!(fail.len() == 1 && fail[0].is("FAIL") && fail[0].tag("label") == Some("b"), "{fail:?}");
    for line in ["SUB avatar", "SYNC", "LIST", "SUBS", "GET avatar", "CLEAR"] {
        let answer = bob.ask(&format!("@label=c METADATA * {line}")).await;
        assert!(answer[0].is("BATCH") && answer[0].tag("label") == Some("c"), "{answer:?}");
        let outer = answer[0].param(0)[1..].to_owned();
        let batch = answer.iter().find(|line| line.matches("BATCH +* metadata*")).expect("a batch");
        // A batch that is the whole answer carries the label; with something beside it, it stands in another.
        let inside = answer[0].param(1) == "labeled-response";
        assert_eq!(batch.tag("batch"), inside.then_some(&*outer), "{answer:?}");
        let name = &batch.param(0)[1..];
        let told = answer.iter().filter(|line| line.tag("batch") == Some(name)).count();
        assert_eq!(told, 1, "{answer:?}");
        assert_eq!(answer.last().expect("an end").param(0), format!("-{outer}"));
        assert_eq!(answer.iter().filter(|line| line.tag("label").is_some()).count(), 1, "{answer:?}");
    }
}

// --- what stays ---

#[tokio::test]
async fn metadata_outlives_the_server() {
    let mut server = Server::start().await;
    let mut bob = server.login_with("bob", TWO).await;
    join(&mut bob, "#dev").await;
    bob.ask("METADATA * SET avatar :http://b").await;
    bob.ask("METADATA #dev SET url :http://dev").await;
    bob.ask("METADATA #dev SET gone :x").await;
    bob.ask("METADATA #dev SET gone").await;
    server.restart().await;
    let mut bob = server.login_with("bob", TWO).await;
    assert_eq!(ask(&mut bob, "METADATA * LIST").await[1..2], ["761 bob bob avatar * http://b"]);
    bob.ask("METADATA * SET avatar :http://c").await;
    server.kill9();
    server.boot().await;
    let mut bob = server.login_with("bob", TWO).await;
    assert_eq!(ask(&mut bob, "METADATA * LIST").await[1..], ["761 bob bob avatar * http://c", "BATCH -"]);
    assert_eq!(ask(&mut bob, "METADATA #dev LIST").await[1..], ["761 bob #dev url * http://dev", "BATCH -"]);
    let shown = server.chatd(&["user", "show", "bob"]).ok();
    assert!(shown.contains("avatar"), "{shown}");
}

#[tokio::test]
async fn what_is_removed_takes_its_metadata_along() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", TWO).await;
    join(&mut bob, "#dev").await;
    bob.ask("METADATA #dev SET url :http://dev").await;
    server.chatd(&["room", "remove", "#dev", "--yes"]).ok();
    bob.expect("KICK #dev bob").await;
    join(&mut bob, "#dev").await;
    assert_eq!(ask(&mut bob, "METADATA #dev LIST").await.len(), 2);
    let mut carol = server.login_with("carol", TWO).await;
    carol.ask("METADATA * SET avatar :http://c").await;
    server.chatd(&["user", "remove", "carol", "--yes"]).ok();
    carol.expect_end().await;
    assert_eq!(ask(&mut bob, "METADATA carol LIST").await, ["FAIL METADATA INVALID_TARGET carol"]);
}
