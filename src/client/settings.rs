//! The files of this person: configuration, pins, and which server was used last. XDG paths.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::pins::replace_private;

/// `~/.config/chat/config.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A shell command whose first line of output is the password; it is told `CHAT_USER`, `CHAT_HOST`, `CHAT_PORT`.
    pub password_command: Option<String>,
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Files {
    pub config: PathBuf,
    pub pins: PathBuf,
    pub last: PathBuf,
}

impl Files {
    /// By `XDG_CONFIG_HOME`, `XDG_DATA_HOME`, `XDG_STATE_HOME`, or below the home folder.
    pub fn of_this_person() -> Result<Files, String> {
        let dir = |variable: &str, below_home: &str| {
            let absolute = |path: &PathBuf| path.is_absolute();
            env::var_os(variable)
                .map(PathBuf::from)
                .filter(absolute)
                .or_else(|| env::home_dir().filter(absolute).map(|home| home.join(below_home)))
                .map(|dir| dir.join("chat"))
                .ok_or_else(|| format!("there is no home folder: set HOME or {variable}"))
        };
        Ok(Files {
            config: dir("XDG_CONFIG_HOME", ".config")?.join("config.toml"),
            pins: dir("XDG_DATA_HOME", ".local/share")?.join("known_hosts"),
            last: dir("XDG_STATE_HOME", ".local/state")?.join("last"),
        })
    }

    pub fn config(&self) -> Result<Config, String> {
        match fs::read_to_string(&self.config) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                // The message alone: the lines of this file are nobody else's business.
                let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
                format!("{}, line {line}: {}", self.config.display(), error.message())
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(format!("cannot read {}: {error}", self.config.display())),
        }
    }

    /// The server of the last interactive login, `alice@host:6697`.
    pub fn last(&self) -> Option<String> {
        read_line(&self.last)
    }

    pub fn remember(&self, server: &str) -> io::Result<()> {
        if self.last().as_deref() == Some(server) {
            return Ok(());
        }
        replace_private(&self.last, &format!("{server}\n"))
    }
}

fn read_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_faults_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let files = Files { config: at("config.toml"), pins: at("pins"), last: at("state/last") };
        assert!(files.config().unwrap().password_command.is_none());
        fs::write(&files.config, "\npasword_command = 'secret'\n").unwrap();
        let fault = files.config().unwrap_err();
        assert!(fault.contains("line 2") && fault.contains("pasword_command") && !fault.contains("secret"), "{fault}");
        fs::write(&files.config, "password_command = 'pass show chat'\n").unwrap();
        assert_eq!(files.config().unwrap().password_command.as_deref(), Some("pass show chat"));

        assert_eq!(files.last(), None);
        files.remember("alice@host:6697").unwrap();
        assert_eq!(files.last().as_deref(), Some("alice@host:6697"));
    }
}
