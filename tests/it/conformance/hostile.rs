//! Every command there is, with arguments that no client would send: the server answers each labelled one exactly once,
//! still answers PING, and its log holds no panic (the harness looks).

use super::commands;
use crate::harness::{Client, MODERN, Server};

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// Ends the session, or is answered by the line that ends what it begins.
const NOT_PLAYED: &[&str] = &["QUIT", "BATCH"];

const WORDS: &[&str] = &[
    "#lobby",
    "#hostile",
    "#hostile,#lobby,#Hostile",
    "#计划",
    "#a\u{301}",
    "#",
    "##",
    "#x\u{7}",
    "&local",
    "0",
    "alice",
    "ALICE",
    "alice,bob,alice",
    "bob",
    "chatd",
    "nobody",
    "alice!*@*",
    "*!*@*",
    "$a:alice",
    "~account:bob",
    "*",
    "**",
    "?",
    ",",
    ",,,,",
    "@#lobby",
    "$*",
    "%tcuihsnfdlaor,999",
    "%",
    "+o",
    "-o+v-v",
    "+b",
    "-b",
    "+beIq",
    "+kl",
    "-k",
    "+imnst",
    "-imnst",
    "99",
    "-1",
    "0x10",
    "4294967296",
    "18446744073709551616",
    "302",
    "LS",
    "LIST",
    "REQ",
    "END",
    "LATEST",
    "BEFORE",
    "AROUND",
    "BETWEEN",
    "TARGETS",
    "GET",
    "SET",
    "SUB",
    "SYNC",
    "server-time",
    "-multi-prefix",
    "-echo-message",
    "echo-message",
    "PLAIN",
    "+",
    "-",
    "=",
    "timestamp=2026-01-01T00:00:00.000Z",
    "timestamp=9999-99-99T99:99:99.999Z",
    "timestamp=-",
    "msgid=0",
    "msgid=zzzzzzzzzzzzz",
    "msgid=",
    "\u{202e}",
    "\u{0}",
    "\u{1}ACTION waves\u{1}",
    "é",
    "👩\u{200d}👩\u{200d}👧",
    "%s%n",
    "'; DROP TABLE events; --",
    "\\",
    "::",
    ":",
    ": ",
    ":a b c",
    ":",
];

const TAGS: &[&str] = &["", "", "", ";+typing=active", ";+draft/react=👍;+draft/reply=1", ";é=1;=;;+", ";batch=1"];

fn line(dice: &mut Dice, commands: &[String], label: Option<usize>) -> String {
    let mut line = label.map(|label| format!("@label={label}{} ", dice.pick(TAGS))).unwrap_or_default();
    if dice.roll(10) == 0 {
        line.push_str(":bob!b@b ");
    }
    line.push_str(&commands[dice.roll(commands.len())]);
    for _ in 0..dice.roll(6) {
        line.push(' ');
        line.push_str(dice.pick(WORDS));
    }
    if dice.roll(40) == 0 {
        line.push_str(&" x".repeat(100));
    }
    line
}

fn played() -> Vec<String> {
    commands().into_iter().filter(|name| !NOT_PLAYED.contains(&&**name)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_labelled_command_is_answered_exactly_once() {
    let server = Server::start().await;
    let commands = played();
    for seed in [1, 2_463_534_242, 88_172_645_463_325_252] {
        let mut dice = Dice(seed);
        // In and out of the same rooms, so that there is somebody to disturb.
        let mut bob = server.login("bob").await;
        let mut alice = server.login("alice").await;
        alice.ask("JOIN #hostile").await;
        for round in 0..20 {
            let labels = round * 50..(round + 1) * 50;
            let lines: Vec<String> = labels.clone().map(|label| line(&mut dice, &commands, Some(label))).collect();
            alice.send_bytes((lines.join("\r\n") + "\r\n").as_bytes()).await;
            let answer = alice.sync().await;
            for (label, line) in labels.zip(&lines) {
                let wanted = label.to_string();
                let count = answer.iter().filter(|have| have.tag("label") == Some(&wanted)).count();
                assert_eq!(count, 1, "seed {seed}: answers to {line:?}, among {answer:#?}");
            }
            bob.send(line(&mut dice, &commands, None)).await;
            bob.sync().await;
        }
        bob.quit("").await;
        alice.quit("").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_clients_and_strangers_too() {
    let server = Server::start().await;
    let commands = played();
    let mut dice = Dice(77);
    let mut carol = server.login_plain("carol").await;
    let mut dave = server.login_with("dave", &[MODERN, &["chghost", "account-notify"]].concat()).await;
    carol.ask("JOIN #hostile").await;
    dave.ask("JOIN #hostile").await;
    for _ in 0..10 {
        throw(&mut carol, &mut dice, &commands).await;
        throw(&mut dave, &mut dice, &commands).await;
        // Before the login commands may end the connection, and that is all they may do.
        let mut stranger = server.connect_raw().await;
        let lines: Vec<String> = (0..30).map(|_| line(&mut dice, &commands, None)).collect();
        stranger.send_bytes((lines.join("\r\n") + "\r\n").as_bytes()).await;
    }
}

async fn throw(client: &mut Client, dice: &mut Dice, commands: &[String]) {
    let lines: Vec<String> = (0..30).map(|_| line(dice, commands, None)).collect();
    client.send_bytes((lines.join("\r\n") + "\r\n").as_bytes()).await;
    client.sync().await;
}
