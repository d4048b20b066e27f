//! `chat passwd` and `chat register`: what a person does about the own account, from the questions to the last word.
//!
//! Knows the dialer, the link and where passwords come from. Promises that a password is never shown, and that "changed"
//! is said only after the server has let us in with the new one.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Failure;
use super::dial::{DialError, Dialer};
use super::heard::Heard;
use super::login::Proof;
use super::password;
use super::register::{Newcomer, Step};
use super::text::same;
use crate::proto::line::{BODY_MAX, Message};

/// The account of a chatd server that answers questions about the own account.
const SERVICE: &str = "chatd";
/// How long the server may take for an answer: it may have a line of logins before it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest line taken from a server.
const LINE_MAX: u64 = 32 * 1024;
/// Wrong codes, after which it makes no sense to ask again.
const CODES_MAX: usize = 3;

/// Changes the password of the dialer's account. `old` and `new`: asked for before.
pub async fn passwd(mut dialer: Dialer, old: Zeroizing<String>, new: Zeroizing<String>) -> Result<(), Failure> {
    let mut link = dialer.dial(|_| {}).await?;
    if !link.session.is_chatd() {
        // A stranger could have the service's name there.
        return Err(Failure::Failed(
            "this is no chatd server: its own way to change a password is not known here".into(),
        ));
    }
    let text = Zeroizing::new(format!("passwd {} {}", quoted(&old).as_str(), quoted(&new).as_str()));
    if "PRIVMSG  :\r\n".len() + SERVICE.len() + text.len() > BODY_MAX {
        link.quit("").await;
        return Err(Failure::Failed("the two passwords are too long for one line; ask who runs the server".into()));
    }
    link.session.command("PRIVMSG", &[SERVICE, &text]);
    let fence = link.session.fence();
    let mut answer = Vec::new();
    let heard = async {
        loop {
            match link.next().await {
                Ok(Heard::Fence(id)) if id == fence => return Ok(()),
                Ok(Heard::Said(said)) if !said.own && !said.replayed && same(&said.from, SERVICE) => {
                    answer.push(said.text);
                }
                Ok(Heard::Refused { why, .. } | Heard::Closed(why)) => answer.push(why),
                Ok(_) => {}
                Err(lost) => return Err(DialError::Lost(lost)),
            }
        }
    };
    timeout(PATIENCE, heard).await.map_err(|_| DialError::Slow)??;
    link.quit("").await;
    // Not what the server says, but what it does.
    (dialer.credentials.proof, dialer.identity, dialer.origin) = (Proof::Password(new), None, None);
    match dialer.dial(|_| {}).await {
        Ok(link) => {
            link.quit("").await;
            println!("the password of {} is changed", dialer.credentials.user);
            Ok(())
        }
        Err(DialError::Denied { .. } | DialError::Login(_)) if !answer.is_empty() => {
            Err(Failure::Failed(answer.join("\n")))
        }
        Err(error) => Err(error.into()),
    }
}

/// In double quotes, as the service reads it.
fn quoted(word: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * word.len() + 2));
    text.push('"');
    for c in word.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

/// Leads a newcomer to an account on the dialer's server.
pub async fn register(dialer: &Dialer, password: Zeroizing<String>) -> Result<(), Failure> {
    let mut stream = BufReader::new(dialer.connect().await?);
    let mut newcomer = Newcomer::new(dialer.credentials.user.clone(), password);
    let mut out = newcomer.start();
    let (mut line, mut codes) = (Vec::new(), 0);
    loop {
        for line in out.drain(..) {
            let bytes = Zeroizing::new(format!("{}\r\n", line.as_str()));
            stream.write_all(bytes.as_bytes()).await.map_err(|error| lost(&error))?;
        }
        stream.flush().await.map_err(|error| lost(&error))?;
        line.clear();
        let mut limited = (&mut stream).take(LINE_MAX);
        let read = timeout(PATIENCE, limited.read_until(b'\n', &mut line))
            .await
            .map_err(|_| DialError::Slow)?
            .map_err(|error| lost(&error))?;
        if read == 0 {
            return Err(Failure::Failed("the server closed the connection".into()));
        }
        let text = String::from_utf8_lossy(&line);
        let Ok(message) = Message::parse(text.trim_end_matches(['\r', '\n'])) else { continue };
        match newcomer.hear(&message, &mut out) {
            Step::Going => {}
            Step::Code(why) if codes < CODES_MAX => {
                codes += 1;
                eprintln!("{why}");
                out.push(newcomer.verify(&ask("Invitation code: ")?));
            }
            Step::Made(name) => {
                let _ = stream.write_all(b"QUIT\r\n").await;
                let _ = stream.shutdown().await;
                println!("the account {name} is made; to come in: chat {name}@{}", dialer.address.place());
                return Ok(());
            }
            Step::Code(why) | Step::Failed(why) => return Err(Failure::Failed(why)),
        }
    }
}

fn lost(error: &io::Error) -> Failure {
    Failure::Failed(format!("the connection broke: {error}"))
}

/// A new password: typed twice without being shown, or the next line of standard input.
pub fn new_password(user: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: password::PasswordError| Failure::Failed(error.to_string());
    if !io::stdin().is_terminal() {
        return password::next_line().map_err(failed);
    }
    let prompt = |text: String| rpassword::prompt_password(text).map(Zeroizing::new);
    let none = |_| Failure::Failed("no password was given".into());
    let new = prompt(format!("New password of {user}: ")).map_err(none)?;
    if new.is_empty() || prompt("The same again: ".into()).map_err(none)? != new {
        return Err(Failure::Failed("the two differ, or are empty; nothing was changed".into()));
    }
    Ok(new)
}

/// A question whose answer may be seen; in a pipe it is the next line.
pub fn ask(question: &str) -> Result<String, Failure> {
    ask_or(question, None)
}

/// The same, where no answer means `usual`.
pub fn ask_or(question: &str, usual: Option<&str>) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        eprint!("{question}");
        let _ = io::stderr().flush();
    }
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    let answer = answer.trim().to_owned();
    match read {
        Ok(_) if !answer.is_empty() => Ok(answer),
        Ok(1..) if usual.is_some() => Ok(usual.unwrap_or_default().to_owned()),
        _ => Err(Failure::Failed(format!("there was no answer to \"{}\"", question.trim_end_matches([':', ' '])))),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_in_quotes_is_read_back() {
        assert_eq!(quoted(r#"a "b" \c"#).as_str(), r#""a \"b\" \\c""#);
    }
}
