//! The manual pages and the completions of both programs: that they are there, whole, and read without a warning.

use std::path::Path;
use std::process::Command;

use crate::harness::run;

const PROGRAMS: [&str; 2] = [env!("CARGO_BIN_EXE_chatd"), env!("CARGO_BIN_EXE_chat")];

fn pages(dir: &Path) -> Vec<std::path::PathBuf> {
    for program in PROGRAMS {
        run(Command::new(program).args(["man", "--dir"]).arg(dir), "").ok();
    }
    let mut pages: Vec<_> = std::fs::read_dir(dir).expect("the pages").flatten().map(|entry| entry.path()).collect();
    pages.sort();
    pages
}

#[test]
fn every_command_has_a_page_that_tells_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let pages = pages(dir.path());
    for wanted in
        ["chat.1", "chat-send.1", "chat-bot.1", "chat-rooms.1", "chatd.1", "chatd-user-add.1", "chatd-history.1"]
    {
        assert!(pages.iter().any(|page| page.ends_with(wanted)), "{wanted} is missing: {pages:?}");
    }
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("a page");
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH \"EXIT STATUS\""] {
            assert!(text.contains(section), "{} has no {section}", page.display());
        }
    }
    let printed = run(Command::new(PROGRAMS[1]).args(["man", "chat-bot"]), "").ok();
    assert!(printed.contains("CHAT_TEXT"));
    run(Command::new(PROGRAMS[1]).args(["man", "nothing"]), "").fails(2);
}

#[test]
fn the_pages_are_rendered_without_a_warning() {
    if Command::new("groff").arg("--version").output().is_err() {
        println!("not run: groff is not installed");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    for page in pages(dir.path()) {
        let rendered = run(Command::new("groff").args(["-Kutf8", "-man", "-Tutf8", "-ww"]).arg(&page), "");
        assert_eq!((rendered.code, rendered.stderr.as_str()), (0, ""), "{}", page.display());
    }
}

#[test]
fn shells_complete_both_programs() {
    for program in PROGRAMS {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = run(Command::new(program).args(["completions", shell]), "").ok();
            assert!(script.contains("history"), "{program} {shell}");
        }
        let bash = run(Command::new(program).args(["completions", "bash"]), "").ok();
        run(Command::new("bash").arg("-n"), &bash).ok();
    }
}
