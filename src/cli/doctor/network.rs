//! The certificate, and whether the server answers where it is to listen.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::Finding;
use crate::client::trust::{Trust, client_config};
use crate::clock;
use crate::config::Config;
use crate::net::cert;
use crate::net::tls::{self, ServerTls, pem};
use crate::server::{acme_settings, certificate_files};
use crate::store::Holder;

const DAY: i64 = 86_400_000;
/// Who renews by hand wants to know so much earlier.
const ENDS_SOON: i64 = 14;
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn certificate(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "certificate";
    let (cert_file, key_file) = certificate_files(config);
    let acme = acme_settings(config);
    if let Err(error) = ServerTls::load(&cert_file, &key_file) {
        let advice = match acme {
            Some(_) => "start the server: it gets a certificate by itself",
            None => "`chatd cert new` makes one, or let [tls] cert and key name the right files",
        };
        return vec![Finding::fail(CHECK, error.to_string(), advice)];
    }
    let chain = pem::certs(&cert_file).unwrap_or_default();
    let Some(facts) = chain.first().and_then(|first| cert::facts(first)) else {
        return vec![Finding::fail(CHECK, format!("{} cannot be read", cert_file.display()), "make it anew")];
    };
    let now = clock::now().0;
    let days = (facts.not_after.0 - now).div_euclid(DAY);
    let renew = match (&acme, facts.is_self_signed) {
        (Some(_), _) => "the server renews it by itself: look into its log for what is in the way",
        (None, true) => "`chatd cert new --force` makes another; people are asked to trust it anew",
        (None, false) => "renew it, then `systemctl reload chatd` (or HUP)",
    };
    let mut findings = vec![if now < facts.not_before.0 {
        Finding::fail(CHECK, "is not valid yet", "is the clock of this machine right?")
    } else if days < 0 {
        Finding::fail(CHECK, format!("ended {} days ago", -days), renew)
    } else if days < ENDS_SOON {
        Finding::warn(CHECK, format!("ends in {days} days"), renew)
    } else {
        let kind =
            if facts.is_self_signed { "; it is self-signed: clients are asked once whether to trust it" } else { "" };
        Finding::ok(CHECK, format!("ends in {days} days{kind}"))
    }];
    let name = config.server.name.to_lowercase();
    findings.push(match facts.names.iter().any(|one| covers(one, &name)) {
        true => Finding::ok("name", format!("the certificate is for {name}")),
        false => Finding::warn(
            "name",
            format!("the certificate is for {}, and [server] name is {name}", facts.names.join(", ")),
            "if people connect by that name, get a certificate for it (`chatd cert new --name`), or correct [server] name",
        ),
    });
    findings
}

/// Whether a name of a certificate is for this host (RFC 6125: a star is for one label, the first).
fn covers(name: &str, host: &str) -> bool {
    let name = name.to_lowercase();
    match name.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, domain)| domain == rest),
        None => name == host,
    }
}

pub fn ports(config: &Config, running: Holder) -> Vec<Finding> {
    config.server.listen.iter().map(|address| port(config, *address, running)).collect()
}

fn port(config: &Config, listen: SocketAddr, running: Holder) -> Finding {
    const CHECK: &str = "port";
    if running == Holder::Nobody {
        return match TcpListener::bind(listen) {
            Ok(_) => Finding::ok(CHECK, format!("{listen} is free")),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let advice =
                    format!("`ss -ltnp 'sport = :{}'` says which; end it, or change [server] listen", listen.port());
                Finding::fail(CHECK, format!("another program listens on {listen}"), advice)
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::warn(
                CHECK,
                format!("this user may not listen on {listen}"),
                "the service may (AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit)",
            ),
            Err(error) => Finding::fail(CHECK, format!("{listen}: {error}"), "is it an address of this machine?"),
        };
    }
    let near = SocketAddr::new(
        match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        },
        listen.port(),
    );
    if near.port() == 0 {
        return Finding::warn(CHECK, "[server] listen has port 0: any free one", "its log says which");
    }
    if config.server.proxy_protocol_from.iter().any(|network| network.holds(near.ip())) {
        let found = format!("{listen} speaks to load balancers from here, so it was not tried");
        return Finding::warn(CHECK, found, "try it from outside: `chat NAME@HOST`");
    }
    match answers(config, near) {
        Ok(()) => Finding::ok(CHECK, format!("{listen} answers")),
        Err((found, advice)) => Finding::fail(CHECK, format!("{listen}: {found}"), advice),
    }
}

/// Asks the server over TLS what it can do, as a client would. The fault, and what to do.
fn answers(config: &Config, near: SocketAddr) -> Result<(), (String, &'static str)> {
    const LOOK: &str = "look into the server's log; is it still starting, or does it hang?";
    const RELOAD: &str = "`systemctl reload chatd` (or HUP) lets it read the file anew";
    let odd = |error: &dyn std::error::Error| (error.to_string(), LOOK);
    let chain = pem::certs(&certificate_files(config).0).map_err(|error| odd(&error))?;
    let first = chain.first().ok_or(("no certificate".to_owned(), LOOK))?;
    let fingerprint = tls::fingerprint(first).hex().parse().map_err(|_| ("no fingerprint".to_owned(), LOOK))?;
    let (client, verdict) = client_config(&Trust::Fingerprint(fingerprint), None).map_err(|error| odd(&error))?;
    let refused = |error: std::io::Error| match error.kind() {
        ErrorKind::ConnectionRefused => (
            "nobody listens there".to_owned(),
            "the server listens elsewhere: restart it after a change of [server] listen",
        ),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            (format!("no answer within {} seconds", PATIENCE.as_secs()), LOOK)
        }
        _ => odd(&error),
    };
    let tcp = TcpStream::connect_timeout(&near, PATIENCE).map_err(refused)?;
    tcp.set_read_timeout(Some(PATIENCE)).and_then(|()| tcp.set_write_timeout(Some(PATIENCE))).map_err(refused)?;
    let connection = ClientConnection::new(Arc::clone(&client), ServerName::IpAddress(near.ip().into()));
    let mut stream = StreamOwned::new(connection.map_err(|error| odd(&error))?, tcp);
    let asked = stream.write_all(b"CAP LS 302\r\n").and_then(|()| stream.flush());
    if let Some(distrust) = verdict.take() {
        let found = format!("shows another certificate ({}) than the file has", distrust.shown);
        return Err((found, RELOAD));
    }
    asked.map_err(refused)?;
    let (mut heard, mut line) = (BufReader::new(stream), String::new());
    for _ in 0..10 {
        line.clear();
        match heard.read_line(&mut line) {
            Ok(0) => return Err(("the connection was closed".to_owned(), LOOK)),
            Ok(_) if line.contains(" CAP ") => {
                // It knows us for a stranger either way; this saves a line in its log.
                let _ = heard.get_mut().write_all(b"QUIT\r\n");
                return Ok(());
            }
            Ok(_) => {}
            Err(error) => return Err(refused(error)),
        }
    }
    Err((format!("an answer that is none: {}", line.trim()), "does another program listen there?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_for_one_label() {
        assert!(covers("chat.example.org", "chat.example.org") && covers("*.Example.org", "chat.example.org"));
        assert!(!covers("*.example.org", "example.org") && !covers("*.example.org", "a.b.example.org"));
    }
}
