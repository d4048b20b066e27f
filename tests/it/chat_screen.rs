//! `chat` on a terminal as a person sees it: the real program in tmux, against the real server.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::harness::{Client, Server, eventually, fingerprint, password_of};
use crate::real_clients::{Terminal, left_out};

/// The arguments that let `name` in without a question.
pub fn arguments(server: &Server, name: &str) -> Vec<String> {
    let file = home(server, name).join("password");
    std::fs::write(&file, format!("{}\n", password_of(name))).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("made private");
    let file = file.to_str().expect("UTF-8").to_owned();
    let pin = fingerprint(&server.certificate());
    ["--password-file".to_owned(), file, "--fingerprint".to_owned(), pin].to_vec()
}

pub fn home(server: &Server, name: &str) -> PathBuf {
    let home = server.dir().join(format!("screen-{name}"));
    std::fs::create_dir_all(&home).expect("a home");
    home
}

pub fn place(server: &Server, name: &str) -> String {
    format!("{name}@127.0.0.1:{}", server.address().port())
}

/// `chat` of `name` on a terminal of 80 columns and 24 rows.
async fn chat(server: &Server, name: &str) -> Terminal {
    let mut command = vec![env!("CARGO_BIN_EXE_chat").to_owned()];
    command.extend(arguments(server, name));
    command.push(place(server, name));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let terminal = Terminal::open_sized(&home(server, name), (80, 24), &command);
    terminal.shows(&["●", name]).await;
    terminal
}

/// A server that comes back on the same port.
async fn steady() -> Server {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let listen = free.to_string();
    Server::configure().set("server.listen", [&*listen]).start().await
}

pub async fn say(client: &mut Client, room: &str, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        client.send(format!("PRIVMSG {room} :{text}")).await;
    }
    client.sync().await;
}

/// Waits until an own line is shown as stored.
async fn stored(terminal: &Terminal, text: &str) {
    eventually("an own line, stored", async || {
        let screen = terminal.screen();
        screen.lines().any(|line| line.contains(text) && !line.contains('…')).then_some(())
    })
    .await;
}

/// How often a text stands on the screen.
fn count(terminal: &Terminal, text: &str) -> usize {
    terminal.screen().lines().filter(|line| line.contains(text)).count()
}

#[tokio::test]
async fn the_first_minute() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", ["said before she came".to_owned()]).await;
    // Nothing is known: it asks for all.
    let command = ["env", "-u", "CHAT_SERVER", "USER=nobody", env!("CARGO_BIN_EXE_chat")];
    let alice = Terminal::open_sized(&home(&server, "alice"), (80, 24), &command);
    alice.shows(&["Server:"]).await;
    alice.types(&format!("127.0.0.1:{}", server.address().port()));
    alice.shows(&["Your name there [nobody]:"]).await;
    alice.types("alice");
    alice.shows(&["The certificate of", "is not known here"]).await;
    alice.shows(&[&fingerprint(&server.certificate())]).await;
    alice.shows(&["[yes/no]"]).await;
    alice.types("yes");
    alice.shows(&["Password of alice"]).await;
    alice.types("mistyped");
    alice.shows(&["wrong name or password"]).await;
    alice.types(&password_of("alice"));
    alice.shows(&["bob", "said before she came"]).await;
    alice.shows(&["write to #lobby"]).await;
    alice.shows(&["F1 help"]).await;
    alice.shows(&["The password"]).await;
    assert!(!alice.screen().contains(&password_of("alice")));
    alice.types("hello, 早安 :wave:");
    bob.expect_from("alice", "PRIVMSG #lobby :hello, 早安 👋").await;
    alice.shows(&["alice", "hello, 早安 👋"]).await;
    alice.keys(&["F1"]);
    alice.shows(&["Keys and commands"]).await;
    alice.keys(&["Escape"]);
    alice.types("/quit so long");
    let quit = bob.expect_from("alice", "QUIT").await;
    assert!(quit.text().contains("so long"), "{quit:?}");
}

#[tokio::test]
async fn unread_is_counted_and_read_on_all_devices() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.send("JOIN #ops").await;
    bob.sync().await;
    let caps = ["batch", "server-time", "draft/chathistory", "draft/read-marker", "message-tags", "echo-message"];
    let mut phone = server.login_with("alice", &caps).await;
    phone.send("JOIN #ops").await;
    phone.sync().await;
    let screen = chat(&server, "alice").await;
    screen.shows(&["#ops"]).await;
    say(&mut bob, "#ops", ["one".to_owned(), "alice: two".to_owned()]).await;
    say(&mut bob, "alice", ["psst".to_owned()]).await;
    screen.shows(&["#ops", "2 1!"]).await;
    screen.shows(&["bob", "1"]).await;
    // Read here, it is read there.
    screen.types("/switch #ops");
    phone.expect("MARKREAD #ops").await;
    screen.shows(&["── new ──"]).await;
    screen.shows(&["alice: two"]).await;
    eventually("no count", async || (!screen.screen().contains("2 1!")).then_some(())).await;
    // Read there, it is read here.
    screen.types("/switch #lobby");
    say(&mut bob, "#ops", ["three".to_owned()]).await;
    screen.shows(&["#ops", " 1 "]).await;
    let last = server.chatd(&["history", "#ops", "--last", "1", "--format", "json"]).ok();
    let time = last.split("\"time\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time").to_owned();
    phone.send(format!("MARKREAD #ops timestamp={time}")).await;
    let quiet = |line: &str| line.contains("#ops") && !line.contains(" 1 ");
    eventually("no count", async || screen.screen().lines().take(6).any(quiet).then_some(())).await;
}

#[tokio::test]
async fn a_hundred_thousand_lines_scroll_without_a_seam() {
    if left_out() {
        return;
    }
    const LINES: usize = 100_000;
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", ["the very first".to_owned()]).await;
    for block in 0..100 {
        let lines: String =
            (0..LINES / 100).map(|n| format!("PRIVMSG #lobby :line {:06}.\r\n", block * (LINES / 100) + n)).collect();
        bob.send_bytes(lines.as_bytes()).await;
        bob.sync().await;
    }
    let screen = chat(&server, "alice").await;
    screen.shows(&["line 099999."]).await;
    // Up through many pages: every screen is a run of numbers without a hole.
    let numbers = || -> Vec<usize> {
        let screen = screen.screen();
        let lines = screen.lines().filter_map(|line| line.split("line ").nth(1)?.get(..6)?.parse().ok());
        lines.collect()
    };
    let mut lowest = LINES;
    for _ in 0..60 {
        screen.keys(&["PageUp", "PageUp"]);
        let before = lowest;
        lowest = eventually("an older page", async || {
            let seen = numbers();
            let whole = seen.len() > 15 && seen.windows(2).all(|two| two[0] + 1 == two[1]);
            (whole && seen[0] < before).then(|| seen[0])
        })
        .await;
    }
    assert!(lowest < LINES - 1500, "{lowest}");
    screen.keys(&["Home"]);
    screen.shows(&["the very first"]).await;
    for _ in 0..10 {
        screen.keys(&["PageDown", "PageDown"]);
    }
    eventually("downwards, too", async || {
        let seen = numbers();
        (seen.len() > 15 && seen[0] > 100 && seen.windows(2).all(|two| two[0] + 1 == two[1])).then_some(())
    })
    .await;
    screen.keys(&["End"]);
    screen.shows(&["line 099999."]).await;
    screen.types("/search 050000");
    screen.shows(&["1 found"]).await;
    screen.keys(&["Enter"]);
    screen.shows(&["line 049999."]).await;
    screen.shows(&["line 050001."]).await;
}

#[tokio::test]
async fn it_comes_back_after_a_kill_and_nothing_is_missing_or_doubled() {
    if left_out() {
        return;
    }
    let mut server = steady().await;
    let mut bob = server.login("bob").await;
    let screen = chat(&server, "alice").await;
    say(&mut bob, "#lobby", ["before".to_owned()]).await;
    screen.shows(&["bob", "before"]).await;
    screen.types("mine, before");
    bob.expect_from("alice", "PRIVMSG #lobby :mine, before").await;
    stored(&screen, "mine, before").await;
    server.kill9();
    screen.shows(&["○"]).await;
    screen.types("written while it was away");
    screen.shows(&["…", "written while it was away"]).await;
    screen.shows(&["1 to be sent"]).await;
    server.boot().await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", (0..250).map(|n| format!("missed {n:03}."))).await;
    screen.shows(&["●"]).await;
    let own = "written while it was away";
    eventually("what was written, stored", async || server.said("#lobby").contains(&own.to_owned()).then_some(()))
        .await;
    eventually("the echo", async || (!screen.screen().contains("to be sent")).then_some(())).await;
    screen.keys(&["End"]);
    let waits = |line: &str| line.contains(own) && line.contains('…');
    eventually("the echo is shown", async || (!screen.screen().lines().any(waits)).then_some(())).await;
    // Her own line stands where she came back, before, among or after the others: behind which, as the screen has it.
    let (mut behind, mut shown) = (BTreeSet::new(), false);
    // Upwards through all that was missed: each once, in order.
    let mut seen: Vec<usize> = Vec::new();
    let numbers = || -> Vec<usize> {
        let screen = screen.screen();
        screen.lines().filter_map(|line| line.split("missed ").nth(1)?.get(..3)?.parse().ok()).collect()
    };
    while seen.first() != Some(&0) {
        let from = seen.first().copied().unwrap_or(250);
        let page = eventually("the lines above", async || {
            let page = numbers();
            let reached =
                page.first().is_some_and(|first| *first < from) && page.last().is_some_and(|last| last + 1 >= from);
            reached.then_some(page)
        })
        .await;
        assert!(page.windows(2).all(|two| two[0] + 1 == two[1]), "{page:?}");
        let lines = screen.screen();
        let lines: Vec<&str> = lines.lines().collect();
        for two in lines.windows(2).filter(|two| two[1].contains(own)) {
            assert!(!two[1].contains('…'), "stored, and shown as waiting: {}", two[1]);
            behind.extend(two[0].split_once("missed ").map(|(_, number)| number[..3].to_owned()));
        }
        assert!(count(&screen, own) <= 1, "{}", screen.screen());
        shown |= count(&screen, own) == 1;
        let new: Vec<usize> = page.into_iter().take_while(|n| *n < from).collect();
        seen.splice(0..0, new);
        screen.keys(&["PageUp"]);
    }
    assert_eq!(seen, (0..250).collect::<Vec<_>>());
    assert!(behind.len() <= 1, "twice: behind {behind:?}");
    eventually("her own line", async || (shown || count(&screen, own) == 1).then_some(())).await;
    let said = server.said("#lobby");
    assert_eq!(said.iter().filter(|text| *text == "written while it was away").count(), 1);
    assert_eq!(said.iter().filter(|text| *text == "mine, before").count(), 1);
}

#[tokio::test]
async fn resizes_and_hostile_text_do_no_harm() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let screen = chat(&server, "alice").await;
    let hostile = [
        "\x1b[2J\x1b[31mclear the screen",
        "\x1b]0;owned\x07title",
        "\x1b]52;c;aGk=\x07clipboard",
        "\u{9b}2Jcsi",
        "\u{202e}turned around",
        "\x1bcreset\x0e\x0f",
        "שלום עולם and back",
        "e\u{301}\u{302}\u{303}\u{304}\u{305} piled",
        "👩\u{200d}🚀 went up",
    ];
    say(&mut bob, "#lobby", hostile.map(str::to_owned)).await;
    for text in ["clear the screen", "title", "clipboard", "csi", "turned around", "and back", "piled", "went up"] {
        screen.shows(&["bob", text]).await;
    }
    for (columns, rows) in [(40, 10), (200, 50), (20, 4), (80, 24)] {
        screen.resize(columns, rows);
        eventually("the status line at the new size", async || {
            let screen = screen.screen();
            (screen.lines().any(|line| line.contains('●'))).then_some(())
        })
        .await;
    }
    screen.shows(&["write to #lobby"]).await;
    screen.shows(&["bob", "clear the screen"]).await;
    // What is pasted is one message, and its lines are no commands.
    screen.paste("one\n/quit\nthree");
    screen.keys(&["Enter"]);
    screen.shows(&["three"]).await;
    bob.expect_from("alice", "PRIVMSG #lobby :three").await;
    screen.keys(&["C-d"]);
    bob.expect_from("alice", "QUIT").await;
}

#[tokio::test]
async fn an_editor_the_mouse_and_a_command_that_is_told() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let (home, told) = (home(&server, "alice"), server.dir().join("told"));
    let editor = server.dir().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nprintf '\\nsecond line\\n' >> \"$1\"\n").expect("written");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).expect("executable");
    let editor = format!("EDITOR={}", editor.display());
    let notify = format!("printf '%s|%s|%s' \"$CHAT_ROOM\" \"$CHAT_FROM\" \"$CHAT_TEXT\" > {}", told.display());
    let mut command: Vec<String> =
        ["env", &editor, env!("CARGO_BIN_EXE_chat"), "--notify-command", &notify].map(str::to_owned).to_vec();
    command.extend(arguments(&server, "alice"));
    command.push(place(&server, "alice"));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let screen = Terminal::open_sized(&home, (80, 24), &command);
    screen.shows(&["●", "alice"]).await;
    screen.shows(&["write to #lobby"]).await;
    screen.keys(&["f", "i", "r", "s", "t", "Enter"]);
    bob.expect_from("alice", "PRIVMSG #lobby :first").await;
    screen.keys(&["d", "r", "a", "f", "t", "C-x", "C-e"]);
    screen.shows(&["> draft"]).await;
    screen.shows(&["  second line"]).await;
    screen.keys(&["Enter"]);
    bob.expect_from("alice", "PRIVMSG #lobby :second line").await;
    say(&mut bob, "alice", ["psst; $(reboot)".to_owned()]).await;
    eventually("the command was told", async || {
        (std::fs::read_to_string(&told).ok()? == "bob|bob|psst; $(reboot)").then_some(())
    })
    .await;
    // A click on the conversation, the wheel in it. The command is told before the screen is drawn anew, and the list
    // may move while it is: where the row is now, is asked for each click.
    eventually("the click opens the conversation", async || {
        let shown = screen.screen();
        if shown.contains("write to bob") {
            return Some(());
        }
        let row = shown.lines().position(|line| line.starts_with(" bob "))? + 1;
        screen.keys(&["-l", &format!("\x1b[<0;3;{row}M")]);
        None
    })
    .await;
    say(&mut bob, "alice", (0..60).map(|n| format!("number {n}."))).await;
    screen.shows(&["number 59."]).await;
    screen.keys(&["-l", "\x1b[<64;40;10M"]);
    screen.shows(&["▼ End"]).await;
    // Redrawn, nothing is lost.
    screen.keys(&["C-l"]);
    screen.shows(&["number 50."]).await;
}
