//! The files of this person: configuration, pins, and which server was used last. XDG paths.
//!
//! The configuration is read in two steps: what TOML says, then whether it makes sense. A fault names file and line and
//! says what to write; it never repeats a value, which could be a password.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use toml::Spanned;
use zeroize::Zeroizing;

use super::address::Address;
use super::pins::{Fingerprint, replace_private};

/// A larger file is no configuration.
const CONFIG_MAX: u64 = 1024 * 1024;

/// `~/.config/chat/config.toml`, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The server of plain `chat`: the name of one in `servers`, or an address.
    pub server: Option<String>,
    /// A shell command whose first line of output is the password; it is told `CHAT_USER`, `CHAT_HOST`, `CHAT_PORT`.
    pub password_command: Option<String>,
    pub servers: BTreeMap<String, Server>,
    pub screen: Screen,
    pub notify: Notify,
}

/// `[servers.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub address: Address,
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    pub password_command: Option<String>,
    pub fingerprint: Option<Fingerprint>,
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// `[screen]`: how the full screen looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Screen {
    pub colours: Colours,
    pub time: TimeFormat,
    /// Who comes and goes is shown.
    pub joins: bool,
    /// Who is in the room is shown at the right.
    pub members: bool,
    /// The mouse scrolls and clicks; else it is the terminal's.
    pub mouse: bool,
    /// Others are told that one is typing.
    pub typing: bool,
}

impl Default for Screen {
    fn default() -> Screen {
        let (colours, time) = (Colours::default(), TimeFormat::default());
        Screen { colours, time, joins: false, members: false, mouse: true, typing: true }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// Unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// How the time of a message is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum TimeFormat {
    /// 15:04
    #[default]
    #[serde(rename = "24h")]
    Day24,
    /// 3:04 pm
    #[serde(rename = "12h")]
    Day12,
    /// 15:04:05
    #[serde(rename = "seconds")]
    Seconds,
}

/// `[notify]`: what rings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// A shell command that is run for what rings; empty: none.
    pub command: String,
    /// The terminal's bell and its notifications.
    pub bell: bool,
    /// What rings in rooms that are not named below. Direct messages always do.
    pub default: Level,
    /// Words that count as a mention, beside one's name.
    pub words: Vec<String>,
    pub rooms: BTreeMap<String, Level>,
}

impl Default for Notify {
    fn default() -> Notify {
        Notify {
            command: String::new(),
            bell: true,
            default: Level::Mentions,
            words: Vec::new(),
            rooms: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    All,
    #[default]
    Mentions,
    None,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Level::All => "all",
            Level::Mentions => "mentions",
            Level::None => "none",
        }
    }
}

/// A password in a file. Printing it shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(|text| Secret(Zeroizing::new(text)))
    }
}

/// What TOML says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    server: Option<Spanned<String>>,
    password_command: Option<String>,
    servers: BTreeMap<String, RawServer>,
    screen: Screen,
    notify: Notify,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    address: Spanned<String>,
    password: Option<Spanned<Secret>>,
    password_file: Option<PathBuf>,
    password_command: Option<String>,
    fingerprint: Option<Spanned<String>>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<Spanned<PathBuf>>,
}

impl Config {
    /// Reads the text of the file at `path`, by which relative paths in it go.
    pub fn parse(text: &str, path: &Path) -> Result<Config, String> {
        let line = |span: Option<Range<usize>>| {
            span.map_or(1, |span| text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1))
        };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let mut why = error.message().replace('\n', "; ");
            if why.contains("missing field `address`") {
                why.push_str("; write address = \"NAME@HOST\"");
            }
            format!("{}, line {}: {why}", path.display(), line(error.span()))
        })?;
        let mut faults = Vec::new();
        let mut fault =
            |span, why: String| faults.push(format!("{}, line {}: {why}", path.display(), line(Some(span))));
        let folder = path.parent().unwrap_or(Path::new("/"));
        let place = |path: PathBuf| match path.strip_prefix("~").ok().zip(env::home_dir()) {
            Some((below, home)) => home.join(below),
            None => folder.join(path),
        };
        let mut servers = BTreeMap::new();
        for (name, raw) in raw.servers {
            let address = Address::parse(raw.address.get_ref());
            let address = address.map_err(|why| fault(raw.address.span(), format!("address: {why}"))).ok();
            let fingerprint = raw.fingerprint.and_then(|text| {
                let print = text.get_ref().parse::<Fingerprint>();
                print.map_err(|why| fault(text.span(), format!("fingerprint: {why}; 'chatd cert show' prints it"))).ok()
            });
            if let Some(key) = raw.key.as_ref().filter(|_| raw.cert.is_none()) {
                fault(key.span(), "key is the key of a certificate: write cert = \"FILE\" too".to_owned());
            }
            if let Some(password) = &raw.password
                && (raw.password_command.is_some() || raw.password_file.is_some())
            {
                let why = "write one of password, password_file and password_command";
                fault(password.span(), why.to_owned());
            }
            let Some(address) = address else { continue };
            let server = Server {
                address,
                password: raw.password.map(Spanned::into_inner),
                password_file: raw.password_file.map(place),
                password_command: raw.password_command,
                fingerprint,
                ca: raw.ca.map(place),
                cert: raw.cert.map(place),
                key: raw.key.map(|key| place(key.into_inner())),
            };
            servers.insert(name, server);
        }
        if let Some(server) = &raw.server
            && !servers.contains_key(server.get_ref())
            && let Err(why) = Address::parse(server.get_ref())
        {
            fault(server.span(), format!("server: {why}, or the NAME of one in [servers.NAME]"));
        }
        if !faults.is_empty() {
            return Err(faults.join("\n"));
        }
        Ok(Config {
            server: raw.server.map(Spanned::into_inner),
            password_command: raw.password_command,
            servers,
            screen: raw.screen,
            notify: raw.notify,
        })
    }

    /// The server that is meant by a name or an address, and what the file says of it.
    pub fn find(&self, place: &str) -> Result<(Address, Option<&Server>), String> {
        if let Some(server) = self.servers.get(place) {
            return Ok((server.address.clone(), Some(server)));
        }
        let mut address = Address::parse(place)?;
        let same = |server: &&Server| {
            let known = &server.address;
            known.host == address.host
                && known.port == address.port
                && (address.user.is_none() || known.user == address.user)
        };
        let server = self.servers.values().find(same);
        if let Some(server) = server {
            address.user = address.user.take().or_else(|| server.address.user.clone());
        }
        Ok((address, server))
    }

    /// The server to use if none is named, as far as the file tells: the default, or the only one there is.
    pub fn default_server(&self) -> Option<String> {
        let only = || self.servers.keys().next().filter(|_| self.servers.len() == 1);
        self.server.clone().or_else(|| only().cloned())
    }
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Files {
    pub config: PathBuf,
    pub pins: PathBuf,
    pub last: PathBuf,
    pub choices: PathBuf,
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
            choices: dir("XDG_STATE_HOME", ".local/state")?.join("choices.toml"),
        })
    }

    pub fn config(&self) -> Result<Config, String> {
        Config::parse(&self.config_text()?, &self.config)
    }

    /// Whether others may read the configuration though a password stands in it.
    pub fn config_is_open(&self, config: &Config) -> bool {
        let open = || fs::metadata(&self.config).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
        config.servers.values().any(|server| server.password.is_some()) && open()
    }

    fn config_text(&self) -> Result<Zeroizing<String>, String> {
        let wrong = |why: &dyn fmt::Display| format!("cannot read {}: {why}", self.config.display());
        match fs::metadata(&self.config) {
            Ok(meta) if meta.len() > CONFIG_MAX => return Err(wrong(&"it is too large for a configuration")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Zeroizing::default()),
            _ => {}
        }
        fs::read_to_string(&self.config).map(Zeroizing::new).map_err(|error| wrong(&error))
    }

    /// Writes a server into the configuration, for its owner's eyes only, and makes it the default if there is none.
    /// What stands there stays as it is. Gives the words to tell what was done.
    pub fn save(&self, name: &str, server: &Server) -> Result<String, String> {
        let text = self.config_text()?;
        let config = Config::parse(&text, &self.config)?;
        let shown = self.config.display();
        if let Some(known) = config.servers.get(name) {
            return match known == server {
                true => Ok(format!("{name} stands in {shown} already")),
                false => Err(format!(
                    "{shown} has another server of the name {name}: change [servers.{name}] there, or write --save=OTHERNAME"
                )),
            };
        }
        let mut new = Zeroizing::new(String::new());
        if config.server.is_none() {
            // Keys of the top stand before all tables.
            new.push_str(&format!("server = {}\n{}", quoted(name), if text.is_empty() { "" } else { "\n" }));
        }
        new.push_str(&text);
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&format!("\n[servers.{}]\naddress = {}\n", quoted(name), quoted(&server.address.to_string())));
        let path = |path: &PathBuf| path.to_str().map(quoted);
        let keys = [
            ("password", server.password.as_ref().map(|secret| quoted(&secret.0))),
            ("password_file", server.password_file.as_ref().and_then(path)),
            ("password_command", server.password_command.as_deref().map(quoted)),
            ("fingerprint", server.fingerprint.map(|print| quoted(&print.to_string()))),
            ("ca", server.ca.as_ref().and_then(path)),
            ("cert", server.cert.as_ref().and_then(path)),
            ("key", server.key.as_ref().and_then(path)),
        ];
        for (key, value) in keys.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            new.push_str(&format!("{key} = {value}\n"));
        }
        // Never a file that could not be read again.
        let read = Config::parse(&new, &self.config)?;
        if read.servers.get(name) != Some(server) {
            return Err(format!("{name} cannot be written into {shown}: a path or a name in it is no text"));
        }
        replace_private(&self.config, &new).map_err(|error| format!("cannot write {shown}: {error}"))?;
        let default = if config.server.is_none() { "; plain 'chat' goes there now" } else { "" };
        Ok(format!("saved as {name} in {shown}{default}"))
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

/// A TOML string: JSON's, but for one character.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007F")
}

fn read_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files(dir: &Path) -> Files {
        Files {
            config: dir.join("config.toml"),
            pins: dir.join("pins"),
            last: dir.join("state/last"),
            choices: dir.join("choices"),
        }
    }

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/home/c/config.toml"))
    }

    #[test]
    fn files_are_read_and_faults_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        assert_eq!(files.config().unwrap(), Config::default());
        fs::write(&files.config, "\npasword_command = 'secret'\n").unwrap();
        let fault = files.config().unwrap_err();
        assert!(
            fault.contains("line 2") && fault.contains("`password_command`") && !fault.contains("secret"),
            "{fault}"
        );
        fs::write(&files.config, "password_command = 'pass show chat'\n").unwrap();
        assert_eq!(files.config().unwrap().password_command.as_deref(), Some("pass show chat"));

        assert_eq!(files.last(), None);
        files.remember("alice@host:6697").unwrap();
        assert_eq!(files.last().as_deref(), Some("alice@host:6697"));
    }

    #[test]
    fn faults_say_where_and_what_to_write() {
        let all = "server = 'a b'\n[servers.work]\naddress = '@x'\nkey = 'k'\nfingerprint = '12'\n";
        let faults = parse(all).unwrap_err();
        for wanted in ["line 1: server", "line 3: address", "[USER@]HOST", "line 4: key", "cert =", "line 5: finger"] {
            assert!(faults.contains(wanted), "{wanted}: {faults}");
        }
        for (text, wanted) in [
            ("[servers.work]\n", "line 1: missing field `address`; write address ="),
            ("[screen]\ncolours = 'pink'\n", "`auto`, `always`"),
            ("[screen]\ncolors = 'auto'\n", "line 2: unknown field `colors`"),
            ("[notify.rooms]\n'#ops' = 'loud'\n", "`mentions`"),
            ("server = \n", "line 1"),
            ("[servers.w]\naddress = 'h'\npassword = 'x'\npassword_file = 'y'\n", "line 3: write one of"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.starts_with("/home/c/config.toml, line ") && fault.contains(wanted), "{wanted}: {fault}");
        }
        assert!(!format!("{:?}", parse("[servers.w]\naddress = 'h'\npassword = 'xyzzy'\n")).contains("xyzzy"));
    }

    #[test]
    fn a_server_is_found_by_its_name_and_by_its_address() {
        let text =
            "[servers.work]\naddress = 'alice@chat.example'\nca = 'ca.pem'\n[servers.home]\naddress = 'h:7000'\n";
        let config = parse(text).unwrap();
        let work = config.find("work").unwrap();
        assert_eq!((work.0.to_string().as_str(), work.1), ("alice@chat.example:6697", config.servers.get("work")));
        assert_eq!(work.1.unwrap().ca.as_deref(), Some(Path::new("/home/c/ca.pem")));
        assert_eq!(config.find("Chat.Example").unwrap(), work);
        assert_eq!(config.find("bob@chat.example").unwrap().1, None);
        assert_eq!(config.find("bob@h:7000").unwrap().1, None);
        assert_eq!(config.default_server(), None);
        let one = parse("[servers.work]\naddress = 'alice@chat.example'\n").unwrap();
        assert_eq!(one.default_server().as_deref(), Some("work"));
    }

    #[test]
    fn the_example_is_true() {
        let example = include_str!("../../docs/chat-config.toml");
        assert_eq!(parse(example).unwrap(), Config::default(), "as it stands it changes nothing");
        // What is commented out is right too, and nothing is left out.
        let all: String =
            example.lines().map(|line| format!("{}\n", line.strip_prefix("#: ").unwrap_or(line))).collect();
        let config = parse(&all).unwrap();
        assert!(!config.servers.is_empty() && !config.notify.rooms.is_empty() && config.server.is_some());
        for key in ["server", "password_command", "address", "password", "password_file", "fingerprint", "ca", "cert"]
            .into_iter()
            .chain(["key", "colours", "time", "joins", "members", "mouse", "typing", "[screen]"])
            .chain(["command", "bell", "default", "words", "[notify.rooms]", "[notify]"])
        {
            assert!(all.lines().any(|line| line.starts_with(key)), "{key} is not explained");
        }
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_back(name in "[a-zäé.\"\\\\ \u{7f}-]{1,12}", user in "[a-z中\"]{1,8}", word in "\\PC{0,20}") {
            let dir = tempfile::tempdir().unwrap();
            let files = files(dir.path());
            let server = Server {
                address: Address::parse(&format!("{user}@chat.example")).unwrap(),
                password: Some(Secret(Zeroizing::new(word))),
                password_file: None,
                password_command: None,
                fingerprint: Some(Fingerprint([7; 32])),
                ca: Some("/a b/ca.pem".into()),
                cert: None,
                key: None,
            };
            // An address that was written without a port is written with one.
            let server = Server { address: Address::parse(&server.address.to_string()).unwrap(), ..server };
            fs::write(&files.config, "# mine\n[screen]\ncolours = 'never'\n").unwrap();
            prop_assert!(files.save(&name, &server).unwrap().contains("saved"));
            let config = files.config().unwrap();
            prop_assert_eq!(config.servers.get(&name), Some(&server));
            prop_assert_eq!(config.default_server(), Some(name.clone()));
            prop_assert_eq!(config.screen.colours, Colours::Never);
            prop_assert!(fs::read_to_string(&files.config).unwrap().contains("# mine"));
            prop_assert_eq!(fs::metadata(&files.config).unwrap().permissions().mode() & 0o777, 0o600);
            prop_assert!(!files.config_is_open(&config));
            prop_assert!(files.save(&name, &server).unwrap().contains("already"));
            let other = Server { ca: None, ..server };
            prop_assert!(files.save(&name, &other).is_err());
        }
    }
}
