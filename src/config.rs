//! The settings: read from a TOML file, overridden by the environment, checked as a whole.
//!
//! Knows the words of the modules it configures, and nobody's insides. Every fault of a file is reported at once,
//! each with file, line, key, what is wrong and what to write instead; an unknown key is a fault. Whoever holds a
//! [`Config`] holds one that was checked. `config.example.toml` documents every key, and a test holds it to that.

mod check;
mod fault;
mod source;
mod value;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::Network;

pub use fault::{ConfigFaults, Fault};

use source::Source;

pub use crate::logging::Format as LogFormat;

/// `config.example.toml`: every key with its default, explained. `chatd quickstart` writes its file from it.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// All settings, checked. Relative paths have been made relative to the config file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub server: Server,
    pub tls: Tls,
    pub rooms: Rooms,
    pub history: History,
    pub messages: Messages,
    pub limits: Limits,
    pub auth: Auth,
    pub web: Web,
    pub metrics: Metrics,
    pub log: Log,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Host-like, as clients see it in front of the server's own lines.
    pub name: String,
    pub network: String,
    /// Never empty. Port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    pub data_dir: PathBuf,
    pub presence_grace: Duration,
    /// The text, from `motd` or from the file `motd_file` names; empty: none.
    pub motd: String,
    pub motd_file: Option<PathBuf>,
    /// The address of a picture of the network; empty: none.
    pub icon: String,
    /// How administrators are reached; empty: by a message to one of them.
    pub admin_contact: String,
    pub max_connections: usize,
    /// Balancers, which say by the PROXY protocol whom they bring.
    pub proxy_protocol_from: Vec<Network>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub handshake_timeout: Duration,
    /// How long clients are to use nothing but TLS; zero: they are to forget it, `None`: nothing is said.
    pub sts: Option<Duration>,
    pub acme: Acme,
}

/// Certificates from an authority, in place of the files.
#[derive(Clone, Debug, PartialEq)]
pub struct Acme {
    /// Empty: the files count.
    pub domains: Vec<String>,
    pub contact: String,
    pub directory: String,
    /// `None`: the system's.
    pub ca_file: Option<PathBuf>,
}

/// Who may make an account for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Closed,
    Invite,
    Open,
}

/// Who may make a room by joining it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    Everyone,
    Admins,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rooms {
    pub auto_join: Vec<String>,
    pub creation: Creation,
}

#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub replay_lines: usize,
    /// Lines that a client may ask for at a time.
    /// Missed lines of a room told at login to a client that cannot ask for them; 0: none beyond `replay_lines`.
    pub missed_lines: usize,
    pub page_lines: usize,
    /// `None`: for ever.
    pub retention: Option<Duration>,
    /// Of joins, parts and quits. `None`: as long as the rest.
    pub presence_retention: Option<Duration>,
    /// Bytes that the newest entries of all rooms may take in memory.
    pub tail_memory: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Messages {
    /// The words of `CLIENTTAGDENY`.
    pub client_tag_deny: Vec<String>,
    /// `None`: for ever.
    pub redaction_window: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub messages_per_second: u32,
    pub message_burst: u32,
    pub connections_per_ip: usize,
    /// New connections from one address.
    pub connects_per_minute: u32,
    /// Failed attempts from one address; an account bears five times as many.
    pub logins_per_minute: u32,
    /// Accounts that newcomers may ask for from one address.
    pub registrations_per_hour: u32,
    pub registration_timeout: Duration,
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub write_deadline: Duration,
    pub rooms_per_account: usize,
    /// A message that would have to wait longer than this is refused.
    pub flood_delay_max: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    pub argon2_memory_kib: u32,
    pub argon2_iterations: u32,
    pub argon2_parallelism: u32,
    /// At least 1: "automatic" has been resolved.
    pub concurrent_hashes: usize,
    pub registration: Registration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// Whether HTTP is spoken beside IRC, on the same addresses.
    pub enabled: bool,
    /// Pages elsewhere that may open a WebSocket here.
    pub origins: Vec<String>,
    /// Zero: browsers are not told to use https alone.
    pub hsts: Duration,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// A loopback address; `None`: off.
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

impl Config {
    /// Reads `explicit`, else `./config.toml`, else `/etc/chatd/config.toml`, else takes the built-in defaults; the
    /// environment has the last word. Returns the file that was read, too.
    pub fn load(explicit: Option<&Path>) -> Result<(Config, Option<PathBuf>), ConfigFaults> {
        let file = locate(explicit, &[Path::new("config.toml"), Path::new("/etc/chatd/config.toml")]);
        let text = match &file {
            Some(path) => read_text(path)?,
            None => String::new(),
        };
        let config = Config::from_text(&text, file.as_deref(), std::env::vars_os())?;
        Ok((config, file))
    }

    /// The same from a text in hand; `file` gives the name for faults and the folder for relative paths.
    pub fn from_text<K, V>(
        text: &str,
        file: Option<&Path>,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Config, ConfigFaults>
    where
        K: Into<std::ffi::OsString>,
        V: Into<std::ffi::OsString>,
    {
        let mut source = Source::parse(text, file, env);
        let config = check::read(&mut source);
        source.finish()?;
        Ok(config)
    }
}

impl Default for Server {
    fn default() -> Self {
        Server {
            name: "localhost".into(),
            network: "chatd".into(),
            listen: vec![
                SocketAddr::from(([0, 0, 0, 0], DEFAULT_PORT)),
                SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, DEFAULT_PORT)),
            ],
            data_dir: "chatd-data".into(),
            presence_grace: Duration::from_secs(5),
            motd: String::new(),
            icon: String::new(),
            admin_contact: String::new(),
            motd_file: None,
            max_connections: 20_000,
            proxy_protocol_from: Vec::new(),
        }
    }
}

/// The port of IRC over TLS.
pub const DEFAULT_PORT: u16 = 6697;

impl Default for Tls {
    fn default() -> Self {
        Tls {
            cert: "certs/server.crt".into(),
            key: "certs/server.key".into(),
            handshake_timeout: Duration::from_secs(10),
            sts: Some(Duration::from_secs(30 * 86_400)),
            acme: Acme::default(),
        }
    }
}

impl Default for Acme {
    fn default() -> Self {
        Acme {
            domains: Vec::new(),
            contact: String::new(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            ca_file: None,
        }
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Rooms { auto_join: vec!["#lobby".into()], creation: Creation::Everyone }
    }
}

impl Default for History {
    fn default() -> Self {
        History {
            replay_lines: 50,
            missed_lines: 500,
            page_lines: 1000,
            retention: None,
            presence_retention: None,
            tail_memory: 64 << 20,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            messages_per_second: 5,
            message_burst: 30,
            connections_per_ip: 100,
            connects_per_minute: 300,
            logins_per_minute: 20,
            registrations_per_hour: 10,
            registration_timeout: Duration::from_secs(60),
            ping_interval: Duration::from_secs(90),
            ping_timeout: Duration::from_secs(60),
            write_deadline: Duration::from_secs(300),
            rooms_per_account: 200,
            flood_delay_max: Duration::from_secs(10),
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Auth {
            argon2_memory_kib: 19_456,
            argon2_iterations: 2,
            argon2_parallelism: 1,
            concurrent_hashes: half_the_cores(),
            registration: Registration::Closed,
        }
    }
}

impl Default for Web {
    fn default() -> Self {
        Web { enabled: true, origins: Vec::new(), hsts: Duration::ZERO }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { level: "info".into(), format: LogFormat::Text }
    }
}

fn half_the_cores() -> usize {
    (std::thread::available_parallelism().map_or(1, |cores| cores.get()) / 2).max(1)
}

/// What was asked for, even if it is not there (that is an error worth telling); else the first candidate there is.
fn locate(explicit: Option<&Path>, candidates: &[&Path]) -> Option<PathBuf> {
    match explicit {
        Some(path) => Some(path.to_owned()),
        // A candidate that cannot be looked at counts as there: reading it then says why it cannot be used, which
        // beats running quietly with other settings than the administrator wrote.
        None => candidates.iter().find(|path| path.try_exists().unwrap_or(true)).map(|path| path.to_path_buf()),
    }
}

fn read_text(path: &Path) -> Result<String, ConfigFaults> {
    let why = match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(_) => "is not UTF-8 text; save it as UTF-8".to_owned(),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "does not exist; check the path, or make a first configuration with `chatd quickstart`".to_owned()
        }
        Err(error) => format!("cannot be read ({error}); check the path and its permissions"),
    };
    Err(ConfigFaults::one(Fault { place: path.display().to_string(), key: None, what: why }))
}

#[cfg(test)]
mod tests;
