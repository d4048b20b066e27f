//! Where the password comes from: standard input, a file, a command, or a person; never the command line.
//!
//! Promises that it stands in no message and is wiped from memory when it is no longer needed.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::address::Address;
use super::settings::Secret;

/// Longer than any server takes.
const PASSWORD_MAX: u64 = 4096;

#[derive(Debug, Clone)]
pub enum Source {
    /// The first line of standard input.
    Stdin,
    File(PathBuf),
    /// The first line a shell command prints.
    Command(String),
    /// It stands in the configuration.
    Given(Secret),
    Prompt,
}

impl Source {
    /// Where a password came from that was not typed, for whoever has to look there.
    pub fn origin(&self) -> Option<String> {
        match self {
            Source::Stdin => Some("the password was read from standard input".to_owned()),
            Source::File(path) => Some(format!("the password was read from {}", path.display())),
            Source::Command(command) => Some(format!("the password was printed by: {command}")),
            Source::Given(_) => Some("the password stands in the configuration of chat".to_owned()),
            Source::Prompt => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("standard input has no line with the password")]
    NoStdin,
    #[error("cannot read the password from {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the first line of {} is empty: it should be the password", path.display())]
    EmptyFile { path: PathBuf },
    #[error(
        "the command for the password did not print one ({0}); it comes from --password-command or from password_command in the configuration"
    )]
    Command(String),
    #[error(
        "there is no terminal to ask for the password: use --password-file FILE, --password-stdin, \
         --password-command COMMAND, CHAT_PASSWORD_FILE or password_command in ~/.config/chat/config.toml"
    )]
    NoTerminal,
    #[error("no password was given")]
    Empty,
}

/// Gets the password of `user`. `warn` is told what should be changed.
pub fn password(
    source: &Source,
    user: &str,
    address: &Address,
    warn: impl FnOnce(String),
) -> Result<Zeroizing<String>, PasswordError> {
    let password = match source {
        Source::Stdin => first_line(&mut io::stdin().lock()).ok().flatten().ok_or(PasswordError::NoStdin)?,
        Source::File(path) => {
            let error = |error| PasswordError::File { path: path.clone(), error };
            let mut file = File::open(path).map_err(error)?;
            let mode = file.metadata().map_err(error)?.permissions().mode();
            if mode & 0o077 != 0 && file.metadata().is_ok_and(|meta| meta.is_file()) {
                warn(format!("others can read the password in {0}: chmod 600 {0}", path.display()));
            }
            let line = first_line(&mut io::BufReader::new(&mut file)).map_err(error)?;
            line.filter(|line| !line.is_empty()).ok_or_else(|| PasswordError::EmptyFile { path: path.clone() })?
        }
        Source::Command(command) => run(command, user, address)?,
        Source::Given(secret) => secret.0.clone(),
        Source::Prompt => {
            let prompt = format!("Password of {user} at {}: ", address.place());
            Zeroizing::new(rpassword::prompt_password(prompt).map_err(|_| PasswordError::NoTerminal)?)
        }
    };
    if password.is_empty() { Err(PasswordError::Empty) } else { Ok(password) }
}

/// The next line of standard input.
pub fn next_line() -> Result<Zeroizing<String>, PasswordError> {
    let line = first_line(&mut io::stdin().lock()).ok().flatten().ok_or(PasswordError::NoStdin)?;
    if line.is_empty() { Err(PasswordError::Empty) } else { Ok(line) }
}

/// The command learns whom it is for: a password for one server should not go to another.
fn run(command: &str, user: &str, address: &Address) -> Result<Zeroizing<String>, PasswordError> {
    let failed = |why: String| PasswordError::Command(why);
    // Lines on standard input are for the room, not for the command.
    let stdin = if io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() };
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .env("CHAT_USER", user)
        .env("CHAT_HOST", &address.host)
        .env("CHAT_PORT", address.port.to_string())
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let line = child.stdout.take().map(|out| first_line(&mut io::BufReader::new(out)));
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    match line {
        Some(Ok(Some(line))) if !line.is_empty() => Ok(line),
        _ if !status.success() => Err(failed(status.to_string())),
        _ => Err(failed("it printed nothing".to_owned())),
    }
}

/// The first line without its end; `None` where there is none at all.
fn first_line(from: &mut impl BufRead) -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(String::new());
    if from.take(PASSWORD_MAX).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    fn ask(source: &Source) -> Result<String, String> {
        let address = Address::parse("host:1").unwrap();
        let password = password(source, "alice", &address, |warning| assert!(warning.contains("chmod")));
        password.map(|password| password.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_or_a_command_gives_the_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).unwrap();
        io::Write::write_all(&mut file, "päss wörd\r\nmore\n".as_bytes()).unwrap();
        assert_eq!(ask(&Source::File(path)).as_deref(), Ok("päss wörd"));
        assert!(ask(&Source::File("/nowhere".into())).unwrap_err().contains("/nowhere"));

        let command = |command: &str| ask(&Source::Command(command.to_owned()));
        assert_eq!(command("echo $CHAT_USER-$CHAT_HOST-$CHAT_PORT; echo x").as_deref(), Ok("alice-host-1"));
        assert!(command("exit 3").unwrap_err().contains("3"));
        assert!(command("true").unwrap_err().contains("printed nothing"));
    }
}
