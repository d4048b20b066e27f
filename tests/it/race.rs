//! What many do at once has one order, and everybody's own words are known as such.

use crate::harness::{MODERN, Server};

/// The answer to what a session says (its label, or no echo at all) must be known before the line itself is seen,
/// however busy the rooms are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_speaks_knows_its_own_words() {
    const LINES: usize = 1500;
    let server = Server::start().await;
    let mut readers = Vec::new();
    for _ in 0..30 {
        let (mut reader, writer) = server.login("carol").await.split();
        readers.push(tokio::spawn(async move {
            let _writer = writer;
            while reader.read_line().await.is_some() {}
        }));
    }
    let mut senders = Vec::new();
    for (name, echo) in [("alice", true), ("bob", false), ("dave", true), ("root", false)] {
        let caps: Vec<&str> = MODERN.iter().copied().filter(|cap| echo || *cap != "echo-message").collect();
        let (mut reader, mut writer) = server.login_with(name, &caps).await.split();
        senders.push(tokio::spawn(async move {
            let sending = tokio::spawn(async move {
                for n in 0..LINES {
                    writer.try_send(&format!("@label=l{n} PRIVMSG #lobby :{name} {n}")).await.expect("sent");
                }
                writer.try_send("PING :end").await.expect("sent");
                writer
            });
            let (mut labels, mut own, mut bare) = (0, 0, 0);
            loop {
                let line = reader.next().await.expect("a line");
                if line.is("PONG") {
                    break;
                }
                labels += usize::from(line.tag("label").is_some());
                if line.is("PRIVMSG") && line.text().starts_with(name) {
                    own += 1;
                    bare += usize::from(line.tag("label").is_none());
                }
            }
            drop(sending.await.expect("sent"));
            (name, labels, own, bare)
        }));
    }
    for sender in senders {
        let (name, labels, own, bare) = sender.await.expect("no panic");
        let echoes = if ["alice", "dave"].contains(&name) { LINES } else { 0 };
        assert_eq!((labels, own, bare), (LINES, echoes, 0), "{name}: labels, own lines, own lines without a label");
    }
    readers.iter().for_each(|reader| reader.abort());
}
