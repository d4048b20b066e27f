//! How a new password comes in: typed twice, read from stdin, or made up here. Never as an argument.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::Context;
use zeroize::Zeroizing;

use super::usage;
use crate::admin::HashText;
use crate::auth::{HashSettings, Hasher, Memory, Password, Secret, generate_password};
use crate::config::Config;

/// Nobody's password is longer; a file given by mistake is not read to its end.
const MAX_BYTES: u64 = 4096;
const TRIES: usize = 3;

#[derive(Debug, Default, clap::Args)]
#[group(multiple = false)]
pub struct Args {
    /// Read the password from standard input, its first line
    #[arg(long)]
    password_stdin: bool,
    /// Make up a good password and print it, once, alone on standard output
    #[arg(long)]
    pub generate: bool,
}

/// A password that fits the rules.
pub struct Obtained {
    password: Password,
    /// What to show once, if it was made up here.
    generated: Option<Secret>,
}

/// The password as the administrator wants it.
pub fn obtain(args: &Args, name: &str) -> anyhow::Result<Obtained> {
    if args.generate {
        return generate();
    }
    let password = if args.password_stdin {
        let secret = first_line(io::stdin().lock()).context("reading the password from standard input")?;
        Password::chosen(&secret)?
    } else if io::stdin().is_terminal() {
        ask(name)?
    } else {
        return usage("there is no terminal to ask for a password on; use --password-stdin or --generate");
    };
    Ok(Obtained { password, generated: None })
}

pub fn generate() -> anyhow::Result<Obtained> {
    let secret = generate_password()?;
    Ok(Obtained { password: Password::chosen(&secret)?, generated: Some(secret) })
}

impl Obtained {
    pub fn hash(&self, config: &Config) -> anyhow::Result<HashText> {
        let settings = HashSettings {
            memory_kib: config.auth.argon2_memory_kib,
            iterations: config.auth.argon2_iterations,
            parallelism: config.auth.argon2_parallelism,
        };
        Ok(HashText(Hasher::new(settings)?.hash(&self.password, &mut Memory::default())?))
    }

    /// What was made up here, to be shown once.
    pub fn generated(&self) -> Option<&str> {
        self.generated.as_ref().map(Secret::expose)
    }
}

fn ask(name: &str) -> anyhow::Result<Password> {
    let prompt = |text: String| rpassword::prompt_password(text).map(Secret::new).context("asking for the password");
    for _ in 0..TRIES {
        let first = prompt(format!("Password for {name}: "))?;
        let password = match Password::chosen(&first) {
            Ok(password) => password,
            Err(error) => {
                writeln!(io::stderr(), "{error}")?;
                continue;
            }
        };
        if first == prompt("The same again: ".into())? {
            return Ok(password);
        }
        writeln!(io::stderr(), "The two differ.")?;
    }
    anyhow::bail!("no password after {TRIES} tries; nothing was changed")
}

fn first_line(input: impl BufRead) -> anyhow::Result<Secret> {
    let mut line = Zeroizing::new(String::new());
    let read = input.take(MAX_BYTES).read_line(&mut line).context("it cannot be read as UTF-8 text")?;
    anyhow::ensure!(read > 0, "it is empty; send the password and a newline");
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_the_password() {
        for (input, password) in [
            ("a b c\n", "a b c"),
            ("dos\r\n", "dos"),
            ("no newline", "no newline"),
            (" x \nmore\n", " x "),
            ("密码\n", "密码"),
        ] {
            assert_eq!(first_line(input.as_bytes()).unwrap().expose(), password);
        }
        assert!(first_line(&b""[..]).is_err());
        assert!(first_line(&b"\xff\xfe\n"[..]).is_err());
    }
}
