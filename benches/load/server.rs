//! The servers that are measured: how each is set up with its limits lifted, started, looked at and ended.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::chatd;

/// Every account of the servers that want a login has this password.
pub const PASSWORD: &str = "benchmark-password";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Chatd,
    Inspircd,
    Ngircd,
    Ergo(PathBuf),
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text.split_once('=') {
            None if text == "chatd" => Ok(Kind::Chatd),
            None if text == "inspircd" => Ok(Kind::Inspircd),
            None if text == "ngircd" => Ok(Kind::Ngircd),
            Some(("ergo", path)) => Ok(Kind::Ergo(path.into())),
            _ => Err(format!("there is no server {text}; write chatd, inspircd, ngircd or ergo=PATH")),
        }
    }
}

impl Kind {
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Chatd => "chatd",
            Kind::Inspircd => "InspIRCd",
            Kind::Ngircd => "ngIRCd",
            Kind::Ergo(_) => "Ergo",
        }
    }
}

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
        let dir = tempfile::tempdir()?;
        let port = free_port()?;
        if *kind == Kind::Chatd {
            chatd::prepare(dir.path(), port, accounts, &chatd::Settings::default())?;
        }
        Running::start_in(kind, dir, port)
    }

    /// Starts a server on a folder that is prepared already (chatd), or is prepared here (the others).
    pub fn start_in(kind: &Kind, dir: tempfile::TempDir, port: u16) -> Result<Running> {
        let path = dir.path();
        let mut command = match kind {
            Kind::Chatd => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
                command.arg("--config").arg(path.join("config.toml")).arg("serve");
                command
            }
            Kind::Inspircd => inspircd(path, port)?,
            Kind::Ngircd => ngircd(path, port)?,
            Kind::Ergo(binary) => ergo(binary, path, port)?,
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
    pub fn password(&self) -> Option<&'static str> {
        matches!(self.kind, Kind::Chatd).then_some(PASSWORD)
    }

    /// Seconds of processor time so far: user and system, all threads.
    pub fn cpu(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        // 100 ticks a second: USER_HZ, which is the same on every Linux of today.
        Ok((ticks(11) + ticks(12)) / 100.0)
    }

    /// Memory in use.
    pub fn memory_kib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        Ok(line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0.0))
    }

    /// Waits until the server has nothing left to do.
    pub async fn settle(&self) -> Result<()> {
        let mut before = self.cpu()?;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.cpu()?;
            if now - before < 0.015 {
                return Ok(());
            }
            before = now;
        }
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

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A self-signed certificate for the others, made with chatd's own.
fn certificate(dir: &Path) -> Result<()> {
    let cert = ::chatd::net::cert::make(&["localhost".to_owned()], ::chatd::clock::now())?;
    Ok(cert.write(&dir.join("server.crt"), &dir.join("server.key"), true)?)
}

fn inspircd(dir: &Path, port: u16) -> Result<Command> {
    certificate(dir)?;
    let config = format!(
        r#"
<server name="irc.bench" description="bench" network="bench" id="97K">
<admin name="x" nick="x" email="x@irc.bench">
<bind address="127.0.0.1" port="{port}" type="clients" sslprofile="bench">
<module name="ssl_gnutls"><module name="ircv3"><module name="ircv3_echomessage"><module name="cap">
<sslprofile name="bench" provider="gnutls" certfile="{dir}/server.crt" keyfile="{dir}/server.key">
<connect allow="*" timeout="600" pingfreq="3600" hardsendq="1073741824" softsendq="1073741824" recvq="1048576"
  threshold="1000000000" commandrate="1000000000" fakelag="no" localmax="100000" globalmax="100000" maxconnwarn="no"
  resolvehostnames="no" useident="no" maxchans="1000">
<performance softlimit="20000" somaxconn="4096" netbuffersize="65534" maxwho="4096" quietbursts="yes">
<limits maxnick="31" maxchan="64" maxline="512">
<options defaultmodes="nt" exemptchanops="">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{dir}/inspircd.log">
<files motd="{dir}/motd">
<pid file="{dir}/inspircd.pid">
<path datadir="{dir}" logdir="{dir}" runtimedir="{dir}">
"#,
        dir = dir.display()
    );
    std::fs::write(dir.join("motd"), "\n")?;
    std::fs::write(dir.join("inspircd.conf"), config)?;
    let mut command = Command::new("/usr/sbin/inspircd");
    command.args(["--nofork", "--runasroot", "--nopid", "--config"]).arg(dir.join("inspircd.conf"));
    Ok(command)
}

fn ngircd(dir: &Path, port: u16) -> Result<Command> {
    certificate(dir)?;
    let config = format!(
        "[Global]\nName = irc.bench\nInfo = bench\nListen = 127.0.0.1\nPorts = {plain}\nMotdPhrase = hello\nServerUID = root\nServerGID = root\n\
         [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\nPingTimeout = 3600\nPongTimeout = 3600\n\
         [Options]\nDNS = no\nIdent = no\nPAM = no\nRequireAuthPing = no\n\
         [SSL]\nCertFile = {dir}/server.crt\nKeyFile = {dir}/server.key\nPorts = {port}\n",
        plain = free_port()?,
        dir = dir.display()
    );
    std::fs::write(dir.join("ngircd.conf"), config)?;
    let mut command = Command::new("/usr/sbin/ngircd");
    command.args(["-n", "-f"]).arg(dir.join("ngircd.conf"));
    Ok(command)
}

/// Ergo's own default configuration, with the limits lifted.
fn ergo(binary: &Path, dir: &Path, port: u16) -> Result<Command> {
    certificate(dir)?;
    let default = Command::new(binary).arg("defaultconfig").output()?;
    let mut config = String::from_utf8(default.stdout)?;
    let end = config.find("\n    listeners:").context("an Ergo configuration that is not known here")?;
    let rest = config[end + 1..].find("\n    # ").map_or(config.len(), |at| end + 1 + at);
    config.replace_range(
        end..rest,
        &format!(
            "\n    listeners:\n        \"127.0.0.1:{port}\":\n            tls:\n                cert: {0}/server.crt\n                key: {0}/server.key\n",
            dir.display()
        ),
    );
    for (from, to) in [
        ("max-concurrent-connections: 16", "max-concurrent-connections: 100000"),
        ("max-connections-per-window: 32", "max-connections-per-window: 1000000"),
        ("fakelag:\n    # whether to enforce fakelag\n    enabled: true", "fakelag:\n    enabled: false"),
    ] {
        config = config.replace(from, to);
    }
    std::fs::write(dir.join("ircd.yaml"), config)?;
    Command::new(binary).arg("initdb").current_dir(dir).output()?;
    let mut command = Command::new(binary);
    command.args(["run", "--conf", "ircd.yaml"]);
    Ok(command)
}
