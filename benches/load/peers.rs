//! The other servers: how each is set up, with its limits lifted and a certificate as chatd makes them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::server::{INSPIRCD, NGIRCD, free_port};

/// A self-signed certificate for the others, made with chatd's own.
fn certificate(dir: &Path) -> Result<()> {
    let cert = ::chatd::net::cert::make(&["localhost".to_owned()], ::chatd::clock::now())?;
    Ok(cert.write(&dir.join("server.crt"), &dir.join("server.key"), true)?)
}

pub fn inspircd(dir: &Path, port: u16) -> Result<Command> {
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
    let mut command = Command::new(INSPIRCD);
    command.args(["--nofork", "--runasroot", "--nopid", "--config"]).arg(dir.join("inspircd.conf"));
    Ok(command)
}

pub fn ngircd(dir: &Path, port: u16) -> Result<Command> {
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
    let mut command = Command::new(NGIRCD);
    command.args(["-n", "-f"]).arg(dir.join("ngircd.conf"));
    Ok(command)
}

/// Ergo's own default configuration, with the limits lifted.
pub fn ergo(binary: &Path, dir: &Path, port: u16) -> Result<Command> {
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
