//! Rooms and who may do what in them: membership, topics, modes, invitations, kicks, lists, and every refusal.

use crate::harness::{Client, Line, Server};

/// The names of a room as 353 lists them, sorted.
pub async fn names(client: &mut Client, room: &str) -> Vec<String> {
    let answer = client.ask(&format!("NAMES {room}")).await;
    assert!(answer.iter().any(|line| line.matches("366")), "no end of names: {answer:?}");
    let mut names: Vec<String> = answer
        .iter()
        .filter(|line| line.matches(&format!("353 * * {room}")))
        .flat_map(|line| line.text().split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    names.sort();
    names
}

/// Says `line` and has to be refused by `numeric`.
pub async fn refused(client: &mut Client, line: &str, numeric: &str) {
    let answer = client.ask(line).await;
    let found = answer.iter().any(|line| numeric.split('|').any(|numeric| line.is(numeric)));
    assert!(found, "{line:?} should be refused by {numeric}: {answer:?}");
}

/// alice founds #dev, bob joins it.
pub async fn dev(server: &Server) -> (Client, Client) {
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.send("JOIN #dev").await;
    alice.expect_from("alice", "JOIN #dev").await;
    bob.send("JOIN #dev").await;
    bob.expect("366 bob #dev").await;
    alice.expect_from("bob", "JOIN #dev").await;
    alice.sync().await;
    bob.sync().await;
    (alice, bob)
}

#[tokio::test]
async fn everybody_is_in_the_lobby() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let greeting = &alice.greeting;
    let at = |pattern: &str| greeting.iter().position(|line| line.matches(pattern)).expect(pattern);
    assert!(at(":alice JOIN #lobby") < at("353 alice * #lobby") && at("353 alice") < at("366 alice #lobby"));
    assert_eq!(greeting.iter().filter(|line| line.matches("JOIN")).count(), 1, "{greeting:#?}");
    assert_eq!(names(&mut alice, "#lobby").await, ["alice"]);
}

#[tokio::test]
async fn a_new_room_belongs_to_who_makes_it() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask("JOIN #dev").await;
    let order: Vec<&Line> = answer.iter().filter(|line| !line.is("MODE")).collect();
    assert!(order[0].matches(":alice JOIN #dev"), "{answer:?}");
    assert!(order[1].matches("353 alice * #dev :@alice"), "no topic, so names come next: {answer:?}");
    assert!(order[2].matches("366 alice #dev"), "{answer:?}");
    alice.send("MODE #dev").await;
    let modes = alice.expect("324 alice #dev").await;
    assert!(modes.param(2).contains('n') && modes.param(2).contains('t'), "{modes:?}");
}

#[tokio::test]
async fn joining_is_seen_by_those_inside() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login_plain("carol").await;
    carol.send("JOIN #dev").await;
    let line = alice.expect_from("carol", "JOIN #dev").await;
    assert_eq!(line.params[1..], ["carol", "carol the tester"], "extended-join");
    bob.expect_from("carol", "JOIN #dev").await;
    let own = carol.expect_from("carol", "JOIN #dev").await;
    assert_eq!(own.params.len(), 1, "without extended-join: {own:?}");
    carol.expect("366 carol #dev").await;
    assert_eq!(names(&mut carol, "#dev").await, ["@alice", "bob", "carol"]);
    assert!(carol.ask("JOIN #dev").await.iter().all(|line| !line.is("JOIN")), "a second JOIN changes nothing");
}

#[tokio::test]
async fn parting_is_seen_and_lasts() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    bob.send("PART #dev :to lunch").await;
    alice.expect_from("bob", "PART #dev :to lunch").await;
    bob.expect_from("bob", "PART #dev :to lunch").await;
    refused(&mut bob, "PART #dev", "442").await;
    refused(&mut bob, "PART #nowhere", "403").await;
    refused(&mut bob, "PRIVMSG #dev :anybody?", "404").await;
    alice.send("PRIVMSG #dev :he is gone").await;
    bob.expect_nothing("PRIVMSG #dev").await;
    bob.quit("").await;
    let bob = server.login("bob").await;
    assert!(!bob.greeting.iter().any(|line| line.matches("JOIN #dev")), "{:#?}", bob.greeting);
}

#[tokio::test]
async fn membership_outlives_the_connection_and_the_server() {
    let mut server = Server::start().await;
    let (mut alice, bob) = dev(&server).await;
    bob.quit("night").await;
    alice.expect_from("bob", "QUIT").await;
    assert_eq!(names(&mut alice, "#dev").await, ["@alice"], "online means connected");
    let mut bob = server.login("bob").await;
    assert!(bob.greeting.iter().any(|line| line.matches(":bob JOIN #dev")), "{:#?}", bob.greeting);
    alice.expect_from("bob", "JOIN #dev").await;
    assert_eq!(names(&mut bob, "#dev").await, ["@alice", "bob"]);
    server.restart().await;
    let mut alice = server.login("alice").await;
    assert_eq!(names(&mut alice, "#dev").await, ["@alice"], "still the founder, alone");
    let mut bob = server.login("bob").await;
    assert_eq!(names(&mut bob, "#dev").await, ["@alice", "bob"]);
}

#[tokio::test]
async fn all_devices_share_the_rooms() {
    let server = Server::start().await;
    let mut desk = server.login("alice").await;
    let mut phone = server.login("alice").await;
    desk.send("JOIN #dev").await;
    phone.expect_from("alice", "JOIN #dev").await;
    phone.expect("366 alice #dev").await;
    phone.send("PART #dev").await;
    desk.expect_from("alice", "PART #dev").await;
}

#[tokio::test]
async fn room_names_do_not_care_for_case_and_know_all_scripts() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    assert!(alice.ask("JOIN #DEV").await.iter().all(|line| !line.is("JOIN")), "the same room");
    alice.send("JOIN #计划").await;
    alice.expect_from("alice", "JOIN #计划").await;
    alice.send("PRIVMSG #计划 :开始").await;
    alice.expect_from("alice", "PRIVMSG #计划 :开始").await;
    assert_eq!(server.said("#计划"), ["开始"]);
}

#[tokio::test]
async fn several_rooms_at_once() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask("JOIN #one,#two").await;
    for room in ["#one", "#two"] {
        assert!(answer.iter().any(|line| line.matches(&format!(":alice JOIN {room}"))), "{answer:?}");
    }
    let answer = alice.ask("PART #one,#two :enough").await;
    for room in ["#one", "#two"] {
        assert!(answer.iter().any(|line| line.matches(&format!(":alice PART {room} :enough"))), "{answer:?}");
    }
}

#[tokio::test]
async fn names_that_are_no_rooms() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for name in ["lobby", "#", "&local", "#a\u{7}b", &format!("#{}", "x".repeat(200))] {
        refused(&mut alice, &format!("JOIN {name}"), "403|476|479").await;
    }
    for command in ["JOIN", "PART", "TOPIC", "KICK #lobby", "INVITE bob", "MODE"] {
        refused(&mut alice, command, "461").await;
    }
}

#[tokio::test]
async fn the_topic() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    refused(&mut bob, "TOPIC #dev", "331").await;
    alice.send("TOPIC #dev :版本 2.0 on Friday").await;
    bob.expect_from("alice", "TOPIC #dev :版本 2.0 on Friday").await;
    alice.expect_from("alice", "TOPIC #dev :版本 2.0 on Friday").await;
    refused(&mut bob, "TOPIC #dev :mine", "482").await;
    let answer = bob.ask("TOPIC #dev").await;
    assert!(answer.iter().any(|line| line.matches("332 bob #dev :版本 2.0 on Friday")), "{answer:?}");
    assert!(answer.iter().any(|line| line.matches("333 bob #dev alice*")), "{answer:?}");

    alice.send("MODE #dev -t").await;
    bob.expect("MODE #dev -t").await;
    bob.send("TOPIC #dev :everybody's").await;
    alice.expect_from("bob", "TOPIC #dev :everybody's").await;
    let mut carol = server.login("carol").await;
    refused(&mut carol, "TOPIC #dev :from outside", "442").await;
    refused(&mut carol, "TOPIC #nowhere :x", "403").await;
    let answer = carol.ask("JOIN #dev").await;
    let at = |pattern: &str| answer.iter().position(|line| line.matches(pattern)).expect(pattern);
    assert!(at("JOIN #dev") < at("332 carol #dev") && at("332 carol") < at("353 carol"), "{answer:?}");

    alice.send("TOPIC #dev :").await;
    carol.expect_from("alice", "TOPIC #dev :").await;
    refused(&mut alice, "TOPIC #dev", "331").await;
}

#[tokio::test]
async fn the_topic_outlives_the_server() {
    let mut server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    alice.send("TOPIC #dev :remember me").await;
    alice.sync().await;
    server.restart().await;
    let alice = server.login("alice").await;
    assert!(alice.greeting.iter().any(|line| line.matches("332 alice #dev :remember me")), "{:#?}", alice.greeting);
}

#[tokio::test]
async fn operators_and_voices() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    refused(&mut bob, "MODE #dev +o bob", "482").await;
    alice.send("MODE #dev +o bob").await;
    bob.expect_from("alice", "MODE #dev +o bob").await;
    bob.send("TOPIC #dev :now I may").await;
    alice.expect_from("bob", "TOPIC #dev :now I may").await;
    alice.send("MODE #dev +v bob").await;
    bob.expect_from("alice", "MODE #dev +v bob").await;
    assert_eq!(names(&mut alice, "#dev").await, ["@+bob", "@alice"], "multi-prefix");
    let mut carol = server.login_plain("carol").await;
    assert_eq!(names(&mut carol, "#dev").await, ["@alice", "@bob"], "the highest prefix alone");
    alice.send("MODE #dev -o bob").await;
    bob.expect_from("alice", "MODE #dev -o bob").await;
    refused(&mut bob, "TOPIC #dev :no more", "482").await;
    refused(&mut alice, "MODE #dev +o carol", "441").await;
    refused(&mut alice, "MODE #dev +o nobody", "401|441").await;
    refused(&mut alice, "MODE #dev +Z", "472").await;
    refused(&mut alice, "MODE #nowhere +m", "403").await;
    refused(&mut carol, "MODE #dev +m", "482|442").await;
}

#[tokio::test]
async fn several_modes_in_one_command() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.send("MODE #dev +vm-t bob").await;
    let line = bob.expect_from("alice", "MODE #dev").await;
    assert_eq!(line.params.last().map(String::as_str), Some("bob"), "{line:?}");
    let letters = line.param(1);
    assert!(letters.contains("-t") && letters.contains('v') && letters.contains('m'), "{line:?}");
    alice.expect_from("alice", "MODE #dev").await;
    assert!(alice.ask("MODE #dev +m").await.iter().all(|line| !line.matches(":alice MODE")), "nothing changed");
    alice.send("MODE #dev b").await;
    let answer = alice.sync().await;
    assert!(answer.iter().any(|line| line.is("368") || line.is("472")), "a ban list or a refusal: {answer:?}");
}

#[tokio::test]
async fn a_moderated_room_hears_voices_alone() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.send("MODE #dev +m").await;
    bob.expect("MODE #dev +m").await;
    refused(&mut bob, "PRIVMSG #dev :psst", "404").await;
    alice.send("MODE #dev +v bob").await;
    bob.expect("MODE #dev +v bob").await;
    bob.send("PRIVMSG #dev :thanks").await;
    assert_eq!(alice.expect_from("bob", "PRIVMSG #dev").await.text(), "thanks");
    assert_eq!(server.said("#dev"), ["thanks"]);
}

#[tokio::test]
async fn an_invite_only_room() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    let mut dave = server.login("dave").await;
    alice.send("MODE #dev +i").await;
    bob.expect("MODE #dev +i").await;
    refused(&mut carol, "JOIN #dev", "473").await;
    refused(&mut bob, "INVITE carol #dev", "482").await;
    refused(&mut carol, "INVITE dave #dev", "442").await;
    refused(&mut alice, "INVITE bob #dev", "443").await;
    refused(&mut alice, "INVITE nobody #dev", "401").await;
    refused(&mut alice, "INVITE carol #nowhere", "403").await;
    alice.send("INVITE carol #dev").await;
    alice.expect("341 alice carol #dev").await;
    carol.expect_from("alice", "INVITE carol #dev").await;
    carol.send("JOIN #dev").await;
    alice.expect_from("carol", "JOIN #dev").await;
    refused(&mut dave, "JOIN #dev", "473").await;
    alice.send("MODE #dev -i").await;
    dave.sync().await;
    alice.sync().await;
    dave.send("JOIN #dev").await;
    alice.expect_from("dave", "JOIN #dev").await;
}

#[tokio::test]
async fn the_other_operators_hear_of_an_invitation() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.send("MODE #dev +o bob").await;
    bob.expect("MODE #dev +o bob").await;
    let mut carol = server.login_plain("carol").await;
    alice.send("INVITE carol #dev").await;
    bob.expect_from("alice", "INVITE carol #dev").await;
    carol.expect_from("alice", "INVITE carol #dev").await;
}

#[tokio::test]
async fn a_room_with_a_key() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    alice.send("MODE #dev +k sesame").await;
    bob.expect("MODE #dev +k sesame").await;
    refused(&mut carol, "JOIN #dev", "475").await;
    refused(&mut carol, "JOIN #dev wrong", "475").await;
    let answer = carol.ask("MODE #dev").await;
    assert!(answer.iter().all(|line| !line.raw.contains("sesame")), "the key is shown outside: {answer:?}");
    carol.send("JOIN #dev sesame").await;
    alice.expect_from("carol", "JOIN #dev").await;
    alice.send("MODE #dev -k *").await;
    bob.expect("MODE #dev -k").await;
    carol.send("PART #dev").await;
    carol.expect("PART #dev").await;
    carol.send("JOIN #dev").await;
    carol.expect("366 carol #dev").await;
}

#[tokio::test]
async fn a_room_with_a_limit() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    alice.send("MODE #dev +l 2").await;
    bob.expect("MODE #dev +l 2").await;
    refused(&mut carol, "JOIN #dev", "471").await;
    alice.send("MODE #dev -l").await;
    bob.expect("MODE #dev -l").await;
    carol.send("JOIN #dev").await;
    carol.expect("366 carol #dev").await;
}

#[tokio::test]
async fn no_voices_from_outside() {
    let server = Server::start().await;
    let (_alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    refused(&mut carol, "PRIVMSG #dev :let me in", "404").await;
    refused(&mut carol, "@+typing=active TAGMSG #dev", "404").await;
    bob.expect_nothing("PRIVMSG").await;
    assert!(server.said("#dev").is_empty());
}

#[tokio::test]
async fn a_secret_room_is_not_there_for_others() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    alice.send("MODE #dev +s").await;
    bob.expect("MODE #dev +s").await;
    alice.send("TOPIC #dev :the plan").await;
    bob.expect("TOPIC").await;
    carol.sync().await;
    for question in ["LIST", "NAMES #dev", "WHOIS alice", "WHO alice", "WHO #dev", "TOPIC #dev", "LIST #dev"] {
        for line in carol.ask(question).await {
            let echo_of_question = line.is("366") || line.is("315") || line.is_error();
            assert!(echo_of_question || !line.raw.contains("#dev"), "{question} tells of a secret room: {line:?}");
            assert!(!line.raw.contains("the plan"), "{line:?}");
        }
    }
    assert!(bob.ask("LIST").await.iter().any(|line| line.matches("322 bob #dev")), "its members see it");
}

#[tokio::test]
async fn the_list_of_rooms() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.send("TOPIC #dev :all about code").await;
    bob.expect("TOPIC").await;
    let mut carol = server.login("carol").await;
    let answer = carol.ask("LIST").await;
    assert!(answer.iter().any(|line| line.matches("322 carol #dev 2 :*all about code")), "{answer:?}");
    assert!(answer.iter().any(|line| line.matches("322 carol #lobby 3")), "{answer:?}");
    assert!(answer.last().is_some_and(|line| line.is("323")), "{answer:?}");
    let answer = carol.ask("LIST #dev").await;
    assert!(answer.iter().any(|line| line.matches("322 carol #dev")), "{answer:?}");
    assert!(!answer.iter().any(|line| line.matches("322 carol #lobby")), "{answer:?}");
}

#[tokio::test]
async fn a_kick() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    refused(&mut bob, "KICK #dev alice", "482").await;
    refused(&mut alice, "KICK #dev carol", "441").await;
    refused(&mut alice, "KICK #dev nobody", "401|441").await;
    refused(&mut alice, "KICK #nowhere bob", "403").await;
    refused(&mut carol, "KICK #dev bob", "442|482").await;
    alice.send("KICK #dev bob :enough for today").await;
    bob.expect_from("alice", "KICK #dev bob :enough for today").await;
    alice.expect_from("alice", "KICK #dev bob :enough for today").await;
    refused(&mut bob, "PRIVMSG #dev :but", "404|442").await;
    assert_eq!(names(&mut alice, "#dev").await, ["@alice"]);
    bob.quit("").await;
    let mut bob = server.login("bob").await;
    assert!(!bob.greeting.iter().any(|line| line.matches("JOIN #dev")), "a kick lasts");
    bob.send("JOIN #dev").await;
    alice.expect_from("bob", "JOIN #dev").await;
}

#[tokio::test]
async fn who_was_kicked_hears_no_more_even_in_full_flow() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    for n in 0..100 {
        alice.send(format!("PRIVMSG #dev :before {n}")).await;
    }
    alice.send("KICK #dev bob :now").await;
    for n in 0..100 {
        alice.send(format!("PRIVMSG #dev :after {n}")).await;
    }
    alice.sync().await;
    let heard = bob.sync().await;
    let kick = heard.iter().position(|line| line.matches("KICK #dev bob")).expect("the kick");
    assert_eq!(heard[..kick].iter().filter(|line| line.is_speech()).count(), 100);
    assert_eq!(heard[kick..].iter().filter(|line| line.is_speech()).count(), 0);
}

#[tokio::test]
async fn an_administrator_may_act_everywhere() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut root = server.login_oper("root").await;
    root.send("JOIN #dev").await;
    alice.expect_from("root", "JOIN #dev").await;
    root.send("TOPIC #dev :by the administrator").await;
    alice.expect_from("root", "TOPIC #dev :by the administrator").await;
    root.send("KICK #dev bob :out").await;
    bob.expect_from("root", "KICK #dev bob").await;
}

#[tokio::test]
async fn a_member_who_is_offline_is_a_member() {
    let server = Server::start().await;
    let (mut alice, bob) = dev(&server).await;
    bob.quit("").await;
    alice.expect_from("bob", "QUIT").await;
    alice.send("KICK #dev bob :while he is away").await;
    alice.expect_from("alice", "KICK #dev bob").await;
    let bob = server.login("bob").await;
    assert!(!bob.greeting.iter().any(|line| line.matches("JOIN #dev")), "{:#?}", bob.greeting);
}

#[tokio::test]
async fn rooms_of_the_configuration_are_joined_by_new_accounts() {
    let server = Server::configure().set("rooms.auto_join", ["#lobby", "#news"]).start().await;
    let mut alice = server.login("alice").await;
    for room in ["#lobby", "#news"] {
        assert!(alice.greeting.iter().any(|line| line.matches(&format!(":alice JOIN {room}"))), "{room}");
    }
    alice.send("PART #news").await;
    alice.expect("PART #news").await;
    alice.quit("").await;
    let alice = server.login("alice").await;
    assert!(!alice.greeting.iter().any(|line| line.matches("JOIN #news")), "who left stays out");
}

#[tokio::test]
async fn only_administrators_make_rooms_where_it_is_so_configured() {
    let server = Server::configure().set("rooms.creation", "admins").start().await;
    let mut alice = server.login("alice").await;
    let mut root = server.login_oper("root").await;
    let answer = alice.ask("JOIN #mine").await;
    assert!(answer.iter().any(Line::is_error) && !answer.iter().any(|line| line.matches(":alice JOIN")), "{answer:?}");
    root.ask("JOIN #ours").await;
    assert!(alice.ask("JOIN #ours").await.iter().any(|line| line.matches(":alice JOIN #ours")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_after_the_kick() {
    let server = Server::start().await;
    let (mut alice, bob) = dev(&server).await;
    let (mut hearing, mut speaking) = bob.split();
    let talking = tokio::spawn(async move {
        for n in 0..2000 {
            if speaking.try_send(&format!("PRIVMSG #dev :{n}")).await.is_err() {
                break;
            }
        }
        speaking.try_send("PING :end").await.expect("still connected");
    });
    let listening = tokio::spawn(async move {
        let (mut echoes, mut refusals) = (0, 0);
        while let Some(line) = hearing.next().await {
            echoes += usize::from(line.matches(":bob PRIVMSG #dev"));
            refusals += usize::from(line.is("404") || line.is("442"));
            if line.is("PONG") && line.text() == "end" {
                break;
            }
        }
        (echoes, refusals)
    });
    for _ in 0..100 {
        alice.expect_from("bob", "PRIVMSG #dev").await;
    }
    alice.send("KICK #dev bob :enough").await;
    talking.await.expect("bob's speech");
    let (echoes, refusals) = listening.await.expect("bob's ears");
    let lines = alice.expect_until("the kick", |line| line.matches("KICK #dev bob")).await;
    let before = 100 + lines.iter().filter(|line| line.is_speech()).count();
    assert!(alice.hears().await.is_empty(), "bob speaks after the kick");
    assert_eq!(echoes, before, "what bob was told is stored is what the others saw");
    assert_eq!(echoes + refusals, 2000, "every line has its fate");
    assert_eq!(server.said("#dev").len(), before);
}
