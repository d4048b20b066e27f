//! `chat bot`: a command answers messages; what is said never becomes part of a command line; no bot answers a bot.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::chat_client::Chat;
use crate::harness::{DEADLINE, Server, eventually, signal, wait};

/// A running `chat bot`, and what it says on standard error.
struct Bot {
    child: Child,
    notes: tokio::sync::mpsc::Receiver<String>,
}

impl Bot {
    async fn start(chat: &Chat<'_>, args: &[&str]) -> Bot {
        let mut child = chat
            .command()
            .args(["--server", &chat.place(), "bot"])
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chat");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (lines, notes) = tokio::sync::mpsc::channel(1000);
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| drop(lines.blocking_send(line)));
        });
        let mut bot = Bot { child, notes };
        bot.note("listening").await;
        bot
    }

    /// The next note with these words.
    async fn note(&mut self, words: &str) -> String {
        let next = async {
            loop {
                let note = self.notes.recv().await.unwrap_or_else(|| panic!("the bot ended without: {words}"));
                if note.contains(words) {
                    return note;
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.unwrap_or_else(|_| panic!("the bot does not say: {words}"))
    }

    fn end(&mut self) {
        signal(self.child.id(), "TERM");
        assert!(wait(&mut self.child, DEADLINE).expect("it ends").success());
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_command_answers_and_is_never_made_of_what_is_said() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let robo = Chat::of(&server, "carol");
    let witness = server.dir().join("witness");
    let exec =
        "printf '%s in %s (%s): %s\\n' \"$CHAT_FROM\" \"$CHAT_ROOM\" \"$CHAT_DIRECT\" \"$CHAT_TEXT\"; tr a-z A-Z";
    let mut bot = Bot::start(&robo, &["--exec", exec]).await;
    bob.ask("PRIVMSG #lobby :hello there").await;
    bob.expect_from("carol", "PRIVMSG #lobby :bob in #lobby (0): hello there").await;
    bob.expect_from("carol", "PRIVMSG #lobby :HELLO THERE").await;
    let last = server.history("#lobby");
    let entry = last.iter().rev().find(|entry| entry.kind == "message").expect("the answer");
    assert_eq!(entry.text(), "bob in #lobby (0): hello there\nHELLO THERE", "one message");

    let nasty = format!("$(touch {0}) `touch {0}` ; touch {0} | \" ' && touch {0} \\", witness.display());
    bob.send(format!("PRIVMSG carol :{nasty}")).await;
    let answer = bob.expect_from("carol", "PRIVMSG bob :bob in bob (1):*").await;
    assert!(answer.text().ends_with(&nasty), "{answer:?}");
    assert!(answer.tag("+draft/reply").is_some());
    assert!(!witness.exists());
    bot.end();
}

#[tokio::test]
async fn bots_leave_each_other_alone() {
    let server = Server::configure().user("robo").start().await;
    let mut bob = server.login("bob").await;
    let (one, two) = (Chat::of(&server, "carol"), Chat::of(&server, "dave"));
    let mut bots = [
        Bot::start(&one, &["#lobby", "--exec", "echo one heard: $(cat)"]).await,
        Bot::start(&two, &["#lobby", "--exec", "echo two heard: $(cat)"]).await,
    ];
    bob.send("NOTICE #lobby :not for programs").await;
    bob.send("PRIVMSG #lobby :hi").await;
    answered(&server, "hi").await;
    // Had one of them heard another's answer or the notice, it would have answered before this.
    bob.send("PRIVMSG #lobby :bye").await;
    answered(&server, "bye").await;
    bots.iter_mut().for_each(Bot::end);
    assert_eq!(server.said("#lobby").len(), 7);
}

/// Waits until both bots have answered.
async fn answered(server: &Server, to: &str) {
    let answers = [format!("one heard: {to}"), format!("two heard: {to}")];
    let both = async || {
        let said = server.said("#lobby");
        answers.iter().all(|answer| said.contains(answer)).then_some(())
    };
    eventually("both answers", both).await;
}

#[tokio::test]
async fn which_messages_a_bot_answers() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #other").await;
    let robo = Chat::of(&server, "carol");
    let mut bot = Bot::start(&robo, &["#other", "--join", "--on", "!say", "--exec", "printf %s \"$CHAT_ARGS\""]).await;
    bob.send("PRIVMSG #lobby :!say elsewhere").await;
    bob.send("PRIVMSG #other :say nothing").await;
    bob.send("PRIVMSG #other :!saying nothing").await;
    bob.send("PRIVMSG #other :!SAY  these words").await;
    bob.expect_from("carol", "PRIVMSG #other :these words").await;
    bot.end();
    assert_eq!(server.said("#lobby"), ["!say elsewhere"]);
    assert_eq!(server.said("#other").len(), 4);
    let refused = robo.run(&["bot", "#nowhere", "--exec", "true"], "").fails(1);
    assert!(refused.contains("#nowhere"), "{refused}");
    robo.run(&["bot", "#lobby"], "").fails(2);
}

#[tokio::test]
async fn a_command_that_fails_or_takes_too_long_says_nothing() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let robo = Chat::of(&server, "carol");
    let exec = "case $CHAT_TEXT in slow) sleep 1000;; bad) echo half; exit 3;; much) yes | head -n 3;; *) cat;; esac";
    let args = ["--timeout", "1s", "--per-minute", "4", "--exec", exec];
    let mut bot = Bot::start(&robo, &args).await;
    bob.send("PRIVMSG carol :bad").await;
    bot.note("exit status: 3").await;
    bob.send("PRIVMSG carol :slow").await;
    bot.note("too long").await;
    bob.send("PRIVMSG carol :much").await;
    for _ in 0..3 {
        bob.expect_from("carol", "PRIVMSG bob :y").await;
    }
    bob.send("PRIVMSG carol :fine").await;
    bob.expect_from("carol", "PRIVMSG bob :fine").await;
    bob.send("PRIVMSG carol :one too many").await;
    bot.note("--per-minute").await;
    bot.end();
}

#[tokio::test]
async fn a_bot_comes_back_with_its_server() {
    let mut server = Server::configure().start().await;
    let port = server.address().port();
    server.reconfigure("server.listen", [format!("127.0.0.1:{port}").as_str()]);
    let robo = Chat::of(&server, "carol");

    let mut bot = Bot::start(&robo, &["--exec", "cat"]).await;
    server.kill9();
    bot.note("connecting again").await;
    server.boot().await;
    bot.note("listening").await;
    let mut bob = server.login("bob").await;
    bob.send("PRIVMSG carol :still there?").await;
    bob.expect_from("carol", "PRIVMSG bob :still there?").await;
    bot.end();
}
