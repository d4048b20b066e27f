//! Moments between the writer, the publisher and a session that hardly ever meet, held open.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;
use crate::event::Speech;

const MOMENT: Duration = Duration::from_millis(150);

async fn moment() {
    tokio::time::sleep(MOMENT).await;
}

/// The publisher has rung one of two rooms when the session looks: the QUIT that stands in both is told once, and
/// nothing overtakes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_rung_rooms_are_told_in_order() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let (mut anna, mut bela) = (bench.login("anna", ALL_CAPS).await, bench.login("bela", ALL_CAPS).await);
    anna.ask("JOIN #one,#two").await;
    bela.ask("JOIN #one,#two").await;
    anna.sync().await;
    for late in ["#one", "#two"] {
        let who = bench.ctx.log.roster().by_key("bela").unwrap().who();
        let hold = bench.hold_bells(late);
        let offline = Intent::Offline { who, reason: "gone".into(), device: "".into(), seen: EventId(0) };
        let intents = vec![
            bench.says("anna", "#one", "a"),
            bench.says("anna", "#two", "b"),
            offline,
            bench.says("anna", "#one", "c"),
            bench.says("anna", "#two", "d"),
            bench.says("anna", "#one", "e"),
        ];
        bench.together(intents).await;
        moment().await;
        // Something that makes the session look in any case.
        anna.send("PONG x").await;
        moment().await;
        drop(hold);
        let lines = anna.sync().await;
        let words: Vec<&str> = lines.iter().map(|line| line.rsplit([' ', ':']).next().unwrap()).collect();
        let expected: &[&str] =
            if late == "#one" { &["a", "b", "gone", "c", "d", "e"] } else { &["a", "b", "c", "d", "e"] };
        assert_eq!(words, expected, "{lines:?}");
        assert!(events(&lines).windows(2).all(|pair| pair[0] < pair[1]), "{lines:?}");
    }
}

/// A message is visible but its room not rung when its sender's session looks: its mark must wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_i_said_stays_mine_until_it_is_told() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let (mut anna, mut bela) = (bench.login("anna", ALL_CAPS).await, bench.login("bela", "").await);
    anna.ask("JOIN #one").await;
    bela.ask("JOIN #one").await;
    anna.sync().await;

    let hold = bench.hold_bells("#one");
    bela.send("PRIVMSG #one :no echo").await;
    moment().await;
    bela.send("PONG x").await;
    moment().await;
    drop(hold);
    assert_eq!(bela.sync().await, [""; 0]);
    anna.sync().await;

    let hold = bench.hold_bells("#one");
    anna.send("@label=mine PRIVMSG #one :echo").await;
    moment().await;
    anna.send("PONG x").await;
    moment().await;
    drop(hold);
    let lines = anna.sync().await;
    assert_eq!(told(&lines, "PRIVMSG").len(), 1);
    assert_eq!(tag(&lines[0], "label").as_deref(), Some("mine"), "{lines:?}");
}

/// A direct message is visible but not rung when its receiver's connection ends: it was not seen, and is told at the
/// next login.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_not_told_was_not_seen() {
    let bench = Bench::new(&["anna", "bela"]).await;
    for first in [true, false] {
        let mut bela = bench.login("bela", "").await;
        let roster = bench.ctx.log.roster();
        let from = Actor { who: roster.by_key("anna").unwrap().who(), admin: false };
        let to = roster.by_key("bela").unwrap().who();
        let hold = if first { bench.hold_person("bela") } else { bench.hold_bells("direct:1:2") };
        let text = if first { "the first" } else { "the second" };
        let said = Intent::Direct {
            actor: from,
            to,
            speech: Speech::Privmsg,
            text: text.into(),
            tags: "".into(),
            cuts: Default::default(),
        };
        bench.ctx.log.submit(said, Reply::Nobody).await.unwrap();
        moment().await;
        bela.send("VERSION").await;
        while !bela.line().await.contains(" 351 ") {}
        moment().await;
        drop(bela);
        moment().await;
        drop(hold);
        let person = bench.ctx.log.roster().by_key("bela").unwrap();
        while person.is_online() || !bench.ctx.tasks.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut bela = bench.login_by("bela", "", 1 << 16).await;
        let lines = told(&bela.sync().await, "PRIVMSG");
        assert!(lines.iter().any(|line| line.ends_with(text)), "{text} was lost: {lines:?}");
        bela.send("QUIT").await;
        let mut rest = Vec::new();
        bela.io.read_to_end(&mut rest).await.unwrap();
        while person.is_online() || !bench.ctx.tasks.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// However the rings fall, what was said in the end is told in the end, without anything else happening.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_ring_is_lost() {
    let bench = Bench::new(&["anna", "bela"]).await;
    let (mut anna, mut bela) = (bench.login("anna", "").await, bench.login("bela", "").await);
    anna.ask("JOIN #one,#two,#three").await;
    bela.ask("JOIN #one,#two,#three").await;
    for round in 0..400 {
        let count = 1 + round % 3;
        for n in 0..count {
            anna.send(&format!("PRIVMSG #{} :{round} {n}", ["one", "two", "three"][(round + n) % 3])).await;
        }
        for n in 0..count {
            assert!(bela.line().await.ends_with(&format!("{round} {n}")));
        }
    }
}

/// Mail and the client's own lines come at the same moments: no wake is lost between the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mail_and_lines_wake_whenever_they_come() {
    const MAIL: usize = 2_000;
    let bench = Bench::new(&["anna", "bela"]).await;
    let mut anna = bench.login("anna", ALL_CAPS).await;
    anna.ask("JOIN #one").await;
    let log = bench.ctx.log.clone();
    let mail: Vec<Intent> = (0..MAIL).map(|n| bench.says("bela", "#one", &n.to_string())).collect();
    let saying = tokio::spawn(async move {
        for intent in mail {
            log.ask(intent).await.unwrap();
        }
    });
    let mut told = Vec::new();
    while !saying.is_finished() {
        // A wake that was lost would let this wait for ever.
        let lines = anna.sync().await;
        told.extend(lines.iter().map(|line| line.rsplit(' ').next().unwrap().trim_start_matches(':').to_owned()));
    }
    told.extend(
        anna.sync().await.iter().map(|line| line.rsplit(' ').next().unwrap().trim_start_matches(':').to_owned()),
    );
    assert_eq!(told, (0..MAIL).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// A stream that counts how often it is asked for input.
struct Asked(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Asked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Asked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Somebody who listens and says nothing is told without a look at what it might say.
#[tokio::test]
async fn who_is_rung_for_is_not_asked_for_input() {
    const MAIL: usize = 50;
    let bench = Bench::new(&["anna", "bela"]).await;
    let (io, server) = duplex(1 << 16);
    let asked = Arc::new(AtomicUsize::new(0));
    let mut anna = bench.login_over("anna", ALL_CAPS, io, Asked(server, asked.clone())).await;
    anna.ask("JOIN #one").await;
    let before = asked.load(Ordering::Relaxed);
    for n in 0..MAIL {
        bench.ctx.log.ask(bench.says("bela", "#one", &n.to_string())).await.unwrap();
        assert!(anna.line().await.ends_with(&format!(" #one :{n}")), "{n}");
    }
    let questions = asked.load(Ordering::Relaxed) - before;
    assert!(questions < MAIL / 10, "{questions} questions for {MAIL} lines");
    assert!(anna.ask("TOPIC #one").await.iter().any(|line| line.contains(" 331 ")), "it is still heard");
}
