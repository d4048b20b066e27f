//! `chatd quickstart`: everything a server needs, made from nothing in one folder; then it serves.
//!
//! Each step looks first whether its result is there, so a second run keeps everything, and a run that was cut short
//! is taken up where it ended.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Setup, password, serve, usage};
use crate::admin::{self, Order};
use crate::clock;
use crate::config::{Config, EXAMPLE};
use crate::net::cert;
use crate::net::tls::{Fingerprint, ServerTls};
use crate::proto::names::RoomName;
use crate::store::{Lock, Reader};

const ADMIN: &str = "admin";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to make it; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "chatd-data")]
    dir: PathBuf,
}

pub fn run(setup: &Setup, args: Args) -> anyhow::Result<()> {
    if setup.explicit.is_some() {
        return usage(
            "quickstart writes its own configuration: say --dir DIR to choose where, or use `chatd serve` with --config",
        );
    }
    let made = prepare(&args.dir)?;
    // Told before the screen promises an address that is taken.
    for address in &made.config.server.listen {
        TcpListener::bind(address).with_context(|| {
            format!("cannot listen on {address}; is it in use? Change [server] listen in {}", made.file.display())
        })?;
    }
    let screen = made.screen(&Programs::find());
    io::stdout().write_all(screen.as_bytes())?;
    io::stdout().flush()?;
    serve::serve(made.config, Some(made.file))
}

/// A folder in which a server can be started.
struct Made {
    dir: PathBuf,
    file: PathBuf,
    config: Config,
    fingerprint: Fingerprint,
    /// If the account was made in this run.
    admin_password: Option<password::Obtained>,
}

fn prepare(dir: &Path) -> anyhow::Result<Made> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    let file = dir.join("config.toml");
    if !file.try_exists().unwrap_or(true) {
        write_config(&file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let (config, _) = Config::load(Some(&file))?;

    // Nothing else may be at work here, and least of all a server: it would do the orders below, but hold the port.
    drop(Lock::take(&config.server.data_dir)?);

    if !config.tls.cert.try_exists().unwrap_or(true) && !config.tls.key.try_exists().unwrap_or(true) {
        cert::make(&[], clock::now())?.write(&config.tls.cert, &config.tls.key, false)?;
    }
    let fingerprint = ServerTls::load(&config.tls.cert, &config.tls.key)?.fingerprint();

    let data_dir = &config.server.data_dir;
    let is_new = !crate::store::database_path(data_dir).try_exists().unwrap_or(true);
    let has_accounts = !is_new && Reader::open(data_dir)?.accounts()?.iter().any(|row| !row.removed);
    let mut admin_password = None;
    if !has_accounts {
        let obtained = password::generate()?;
        let hash = obtained.hash(&config)?;
        admin::submit(data_dir, &Order::AddUser { name: ADMIN.into(), hash, admin: true, bot: false })?;
        admin_password = Some(obtained);
    }
    // Rooms that were removed later stay removed.
    if is_new {
        for room in &config.rooms.auto_join {
            let is_there = Reader::open(data_dir)?.room_by_key(RoomName::parse(room)?.key())?.is_some();
            if !is_there {
                admin::submit(data_dir, &Order::CreateRoom { name: room.clone(), topic: None })?;
            }
        }
    }
    Ok(Made { dir: dir.to_owned(), file, config, fingerprint, admin_password })
}

/// The documented defaults, with everything in the file's own folder.
fn write_config(file: &Path) -> io::Result<()> {
    let text = EXAMPLE.replace("\ndata_dir = \"chatd-data\"\n", "\ndata_dir = \".\"\n");
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o644).open(file)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()
}

/// How the two programs are called from where the administrator stands.
struct Programs {
    chatd: String,
    chat: String,
}

impl Programs {
    fn find() -> Programs {
        let called = std::env::args_os().next().and_then(|called| called.into_string().ok());
        let called = called.unwrap_or_else(|| "chatd".into());
        let beside = Path::new(&called).with_file_name("chat");
        let chat = match called.contains('/') {
            false => "chat".into(),
            true if beside.exists() => beside.display().to_string(),
            // `cargo run` builds one program only.
            true => "cargo run --release --bin chat --".into(),
        };
        Programs { chatd: called, chat }
    }
}

impl Made {
    fn screen(&self, programs: &Programs) -> String {
        let Programs { chatd, chat } = programs;
        let file = quoted(&self.file.display().to_string());
        let listen: Vec<String> = self.config.server.listen.iter().map(|address| address.to_string()).collect();
        let port = self.config.server.listen.first().map_or(0, |address| address.port());
        let at = if port == crate::config::DEFAULT_PORT { String::new() } else { format!(":{port}") };
        let (hex, colons) = (self.fingerprint.hex(), self.fingerprint.colons());
        let login = match self.admin_password.as_ref().and_then(password::Obtained::generated) {
            Some(password) => format!("{ADMIN}   password  {password}   (shown only now: write it down)"),
            None => format!("as before   (a new password: {chatd} --config {file} user passwd {ADMIN})"),
        };
        let again = match self.dir.to_str() {
            Some("chatd-data") => format!("{chatd} quickstart"),
            _ => format!("{chatd} quickstart --dir {}", quoted(&self.dir.display().to_string())),
        };
        let host = cert::host_name().filter(|name| name != "localhost");
        let elsewhere =
            host.map(|name| format!(" From another machine write {name} for localhost.")).unwrap_or_default();
        format!(
            "
  chatd is ready.

  Listens on   {listen}   (TLS)
  Lives in     {dir}
  Certificate  SHA-256 {colons}
  Login        {login}

  Next, in another terminal:

  Add a user
      {chatd} --config {file} user add alice
  Talk, with our own program
      {chat} {ADMIN}@localhost{at}
      (/help lists its commands; after /oper you may act as an operator everywhere)
  Talk, with irssi (write your name for alice)
      /network add -sasl_mechanism PLAIN -sasl_username alice -sasl_password PASSWORD chatd
      /server add -network chatd -tls -notls_verify -tls_pinned_cert {colons} localhost {port}
      /connect chatd
  Talk, with WeeChat (before version 4.0 write ssl for tls)
      /server add chatd localhost/{port} -tls -tls_fingerprint={hex} -sasl_username=alice -sasl_password=PASSWORD
      /connect chatd

  Everyone is in {rooms}.{elsewhere}
  Stop with Ctrl-C; start again with `{again}`: it keeps everything.

",
            listen = listen.join(", "),
            dir = self.dir.display(),
            rooms = if self.config.rooms.auto_join.is_empty() {
                "no room at first".to_owned()
            } else {
                self.config.rooms.auto_join.join(" ")
            },
        )
    }
}

/// For a shell, if it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./+:@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn programs() -> Programs {
        Programs { chatd: "chatd".into(), chat: "chat".into() }
    }

    #[test]
    fn everything_is_made_once_and_kept_then() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("a place");
        let first = prepare(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("certs/server.key")), 0o600);
        assert_eq!(mode(&dir.join("chat.db")), 0o600);
        let reader = Reader::open(&dir).unwrap();
        let accounts = reader.accounts().unwrap();
        assert_eq!((accounts.len(), &*accounts[0].name, accounts[0].admin), (1, ADMIN, true));
        assert_eq!(&*reader.rooms().unwrap()[0].name, "#lobby");

        let password = first.admin_password.as_ref().unwrap().generated().unwrap().to_owned();
        let screen = first.screen(&programs());
        assert!(screen.contains("0.0.0.0:6697, [::]:6697"), "{screen}");
        assert_eq!(screen.matches(&password).count(), 1, "{screen}");
        assert!(screen.contains(&first.fingerprint.colons()) && screen.contains(&first.fingerprint.hex()));
        let file = dir.join("config.toml");
        assert!(screen.contains(&format!("--config '{}' user add alice", file.display())), "{screen}");

        fs::write(&file, fs::read_to_string(&file).unwrap() + "\n# mine\n").unwrap();
        let second = prepare(&dir).unwrap();
        assert_eq!(second.fingerprint, first.fingerprint);
        assert!(second.admin_password.is_none());
        assert!(second.screen(&programs()).contains("as before"));
        assert!(fs::read_to_string(&file).unwrap().ends_with("# mine\n"));
        assert_eq!(Reader::open(&dir).unwrap().accounts().unwrap(), accounts);
    }

    #[test]
    fn the_written_file_says_the_defaults_in_its_own_folder() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        write_config(&file).unwrap();
        let none: [(&str, &str); 0] = [];
        let config = Config::from_text(&fs::read_to_string(&file).unwrap(), Some(&file), none).unwrap();
        assert_eq!(config.server.data_dir, dir.path().join("."));
        assert_eq!(config.tls.key, dir.path().join("certs/server.key"));
        assert_eq!(config.limits, Config::default().limits);
        assert!(write_config(&file).is_err(), "never over another file");
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = Lock::take(dir.path()).unwrap();
        let error = prepare(dir.path()).err().unwrap().to_string();
        assert!(error.contains("another chatd"), "{error}");
        assert!(!dir.path().join("certs").exists());
    }

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("chatd-data/config.toml"), "chatd-data/config.toml");
        assert_eq!(quoted("it's here"), "'it'\\''s here'");
    }
}
