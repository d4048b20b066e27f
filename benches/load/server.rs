//! The servers that are measured: how each is started, looked at and ended.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::client::Proof;
use super::{chatd, peers};

/// Every account of the servers that want a login has this password.
pub const PASSWORD: &str = "benchmark-password";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The program; another build of it may be named.
    Chatd(PathBuf),
    Inspircd,
    Ngircd,
    Ergo(PathBuf),
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text.split_once('=') {
            None if text == "chatd" => Ok(Kind::Chatd(OURS.into())),
            None if text == "inspircd" => Ok(Kind::Inspircd),
            None if text == "ngircd" => Ok(Kind::Ngircd),
            Some(("chatd", path)) => Ok(Kind::Chatd(whole(path)?)),
            Some(("ergo", path)) => Ok(Kind::Ergo(whole(path)?)),
            _ => Err(format!("there is no server {text}; write chatd, chatd=PATH, inspircd, ngircd or ergo=PATH")),
        }
    }
}

impl Kind {
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Chatd(_) => "chatd",
            Kind::Inspircd => "InspIRCd",
            Kind::Ngircd => "ngIRCd",
            Kind::Ergo(_) => "Ergo",
        }
    }

    pub fn is_chatd(&self) -> bool {
        matches!(self, Kind::Chatd(_))
    }

    /// What it says about itself.
    pub fn version(&self) -> String {
        let (program, argument) = match self {
            Kind::Chatd(path) => (path.as_path(), "--version"),
            Kind::Inspircd => (Path::new(INSPIRCD), "--version"),
            Kind::Ngircd => (Path::new(NGIRCD), "--version"),
            Kind::Ergo(path) => (path.as_path(), "--version"),
        };
        let first_line = |command: &mut Command| {
            let said = command.output().map(|output| output.stdout).unwrap_or_default();
            String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
        };
        let version = first_line(Command::new(program).arg(argument));
        match program == Path::new(OURS) {
            true => format!("{version} {}", first_line(Command::new("git").args(["describe", "--always", "--dirty"]))),
            false => version,
        }
    }
}

/// Servers are started in folders of their own.
fn whole(path: &str) -> Result<PathBuf, String> {
    std::fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))
}

/// The chatd that was built with this program.
const OURS: &str = env!("CARGO_BIN_EXE_chatd");
pub const INSPIRCD: &str = "/usr/sbin/inspircd";
pub const NGIRCD: &str = "/usr/sbin/ngircd";

/// A server that runs, in a folder of its own that goes with it.
pub struct Running {
    pub name: String,
    pub address: SocketAddr,
    pub dir: tempfile::TempDir,
    kind: Kind,
    child: Child,
}

impl Running {
    /// Starts a server that `accounts` people may use at the same time.
    pub fn start(kind: &Kind, accounts: usize) -> Result<Running> {
        Running::start_with(kind, accounts, &chatd::Settings::default())
    }

    /// The same, of a chatd with these settings.
    pub fn start_with(kind: &Kind, accounts: usize, settings: &chatd::Settings) -> Result<Running> {
        let dir = tempfile::tempdir()?;
        let port = free_port()?;
        if kind.is_chatd() {
            chatd::prepare(dir.path(), port, accounts, settings)?;
        }
        Running::start_in(kind, dir, port)
    }

    /// Starts a server on a folder that is prepared already (chatd), or is prepared here (the others).
    pub fn start_in(kind: &Kind, dir: tempfile::TempDir, port: u16) -> Result<Running> {
        let path = dir.path();
        let mut command = match kind {
            Kind::Chatd(program) => {
                let mut command = Command::new(program);
                command.arg("--config").arg(path.join("config.toml")).arg("serve");
                command
            }
            Kind::Inspircd => peers::inspircd(path, port)?,
            Kind::Ngircd => peers::ngircd(path, port)?,
            Kind::Ergo(binary) => peers::ergo(binary, path, port)?,
        };
        let log = std::fs::File::create(path.join("server.log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir(path)
            .spawn()
            .with_context(|| format!("{} cannot be started; benches/run installs it", kind.name()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut running = Running { name: kind.name().to_owned(), address, dir, kind: kind.clone(), child };
        running.wait_for_port()?;
        Ok(running)
    }

    fn wait_for_port(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait()?.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default();
                bail!("{} does not come up:\n{log}", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What clients need for the login, if one is needed.
    pub fn proof(&self) -> Proof<'static> {
        if self.kind.is_chatd() { Proof::Password(PASSWORD) } else { Proof::Nothing }
    }

    /// Seconds of processor time so far: user and system, all threads that there are and were.
    pub fn cpu(&self) -> Result<f64> {
        cpu_of(&self.pid().to_string())
    }

    /// Memory in use.
    pub fn memory_kib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        Ok(line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0.0))
    }

    /// Waits until the server has nothing left to do: what it puts off, it puts off for a second at most.
    pub async fn settle(&self) -> Result<()> {
        let (mut before, mut calm) = (self.cpu()?, 0);
        while calm < 3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.cpu()?;
            calm = if now - before < 0.015 { calm + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    /// Ends it as an administrator would, and gives the folder back.
    pub fn stop(mut self) -> Result<tempfile::TempDir> {
        let pid = self.pid().to_string();
        Command::new("kill").arg(&pid).status()?;
        let until = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                self.child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir()?);
        Ok(dir)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing can be done about a server that will not go.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of processor time of a process.
pub fn cpu_of(pid: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // 100 ticks a second: USER_HZ, which is the same on every Linux of today.
    Ok((ticks(11) + ticks(12)) / 100.0)
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
