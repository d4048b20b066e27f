//! `chat` and the terminal it is in: the exact bytes of its notices, how it gives the terminal back and takes it again,
//! what it remembers from one time to the next.

use std::path::Path;

use crate::chat_screen::{arguments, home, place, say};
use crate::harness::{Server, eventually};
use crate::real_clients::{Terminal, left_out};

/// `chat` of alice in a terminal with these variables.
async fn chat_with(server: &Server, variables: &[&str]) -> Terminal {
    let mut command: Vec<String> = std::iter::once("env").chain(variables.iter().copied()).map(str::to_owned).collect();
    command.push(env!("CARGO_BIN_EXE_chat").to_owned());
    command.extend(arguments(server, "alice"));
    command.push(place(server, "alice"));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let terminal = Terminal::open_sized(&home(server, "alice"), (80, 24), &command);
    terminal.shows(&["●", "alice"]).await;
    terminal.shows(&["write to #lobby"]).await;
    terminal
}

async fn written(file: &Path, bytes: &str) {
    eventually("the bytes of a notice", async || {
        let all = std::fs::read(file).ok()?;
        all.windows(bytes.len()).any(|window| window == bytes.as_bytes()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn notices_are_rung_in_the_words_that_the_terminal_knows() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.send("JOIN #ops").await;
    bob.sync().await;
    server.chatd(&["room", "list"]).ok();
    let kinds: [(&[&str], &str, &str); 4] = [
        (
            &["-u", "TMUX", "TERM=xterm-256color"],
            "\x1b]9;bob: psst, you\x1b\\\x07",
            "\x1b]9;bob in #ops: alice, 早安\x1b\\\x07",
        ),
        (
            &["-u", "TMUX", "TERM=foot"],
            "\x1b]777;notify;bob;psst, you\x1b\\\x07",
            "\x1b]777;notify;bob in #ops;alice, 早安\x1b\\\x07",
        ),
        (
            &["-u", "TMUX", "TERM=xterm-256color", "VTE_VERSION=7000"],
            "\x1b]777;notify;bob;psst, you\x1b\\\x07",
            "\x1b]777;notify;bob in #ops;alice, 早安\x1b\\\x07",
        ),
        // tmux passes on what is wrapped up for it.
        (
            &["TERM=screen-256color"],
            "\x1bPtmux;\x1b\x1b]9;bob: psst, you\x1b\x1b\\\x1b\\\x07",
            "\x1bPtmux;\x1b\x1b]9;bob in #ops: alice, 早安\x1b\x1b\\\x1b\\\x07",
        ),
    ];
    for (n, (variables, direct, mention)) in kinds.into_iter().enumerate() {
        let screen = chat_with(&server, variables).await;
        if n == 0 {
            screen.types("/join #ops");
            screen.shows(&["write to #ops"]).await;
            screen.types("/switch #lobby");
            screen.shows(&["write to #lobby"]).await;
        }
        let file = server.dir().join(format!("bytes-{n}"));
        screen.records(&file);
        // Hostile text stays in its notice, and what does not concern her makes none.
        say(&mut bob, "#ops", ["nothing for her".to_owned()]).await;
        say(&mut bob, "alice", ["psst; \x1b]0;x\x07you".to_owned()]).await;
        say(&mut bob, "#ops", ["alice; 早安".to_owned()]).await;
        written(&file, direct).await;
        written(&file, mention).await;
        let all = String::from_utf8_lossy(&std::fs::read(&file).expect("bytes")).into_owned();
        assert_eq!(all.matches("]9;").count() + all.matches("]777;").count(), 2, "{all:?}");
        screen.types("/quit");
        bob.expect_from("alice", "QUIT").await;
    }
}

#[tokio::test]
async fn the_terminal_is_given_back_and_taken_again() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let quoted = |word: &String| format!("'{word}'");
    let all: Vec<String> = arguments(&server, "alice").iter().map(quoted).collect();
    let chat = format!("{} {} {}", env!("CARGO_BIN_EXE_chat"), all.join(" "), place(&server, "alice"));
    let shell = Terminal::open_sized(&home(&server, "alice"), (80, 24), &["bash", "--norc", "-i"]);
    for signal in ["QUIT", "TERM", "HUP"] {
        shell.types(&format!("clear; {chat}; echo ended with $?; stty -a | grep -o ' icanon'"));
        shell.shows(&["write to #lobby"]).await;
        let pid = shell.program("chat");
        assert!(
            std::process::Command::new("kill").args(["-s", signal, &pid]).status().is_ok_and(|status| status.success())
        );
        shell.shows(&["ended with 0"]).await;
        shell.shows(&["icanon"]).await;
        bob.expect_from("alice", "QUIT").await;
    }
    // Ctrl-Z, and back: nothing of what was said meanwhile is missing.
    shell.types(&format!("clear; {chat}"));
    shell.shows(&["write to #lobby"]).await;
    shell.keys(&["d", "r", "a", "f", "t", "C-z"]);
    shell.shows(&["Stopped"]).await;
    shell.types("clear; echo in $((6*7)) the shell");
    shell.shows(&["in 42 the shell"]).await;
    say(&mut bob, "#lobby", ["said meanwhile".to_owned()]).await;
    shell.types("fg");
    shell.shows(&["bob", "said meanwhile"]).await;
    shell.shows(&["> draft"]).await;
}

#[tokio::test]
async fn what_was_chosen_is_so_the_next_time() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login("carol").await;
    let screen = chat_with(&server, &["-u", "TMUX"]).await;
    say(&mut bob, "#lobby", ["words of bob".to_owned()]).await;
    screen.shows(&["words of bob"]).await;
    screen.types("/ignore bob");
    eventually("no words of bob", async || (!screen.screen().contains("words of bob")).then_some(())).await;
    screen.types("/quit");
    carol.expect_from("alice", "QUIT").await;
    drop(screen);
    let screen = chat_with(&server, &["-u", "TMUX"]).await;
    say(&mut bob, "#lobby", ["more words of bob".to_owned()]).await;
    say(&mut carol, "#lobby", ["words of carol".to_owned()]).await;
    screen.shows(&["words of carol"]).await;
    assert!(!screen.screen().contains("words of bob"), "{}", screen.screen());
    screen.types("/unignore bob");
    screen.shows(&["more words of bob"]).await;
}
