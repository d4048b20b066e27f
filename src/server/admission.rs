//! A connection that was just accepted: whether it may stay, by bans and limits, and whose it is if a balancer stands
//! between. All of it before TLS, so what is refused costs next to nothing, and nothing can be said to it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::net::limits::{ConnectionGuard, ConnectionRefused};
use crate::net::listener::Accepted;
use crate::net::{listener, proxy};

use super::{Server, connection};

/// How often the log speaks of connections that are refused, at most.
const TELL_REFUSED_EVERY: Duration = Duration::from_secs(60);

/// Why a connection is closed at once.
enum Refused {
    Banned,
    TooOften,
    Limit(ConnectionRefused),
}

/// Serves the connection, or drops it.
pub(super) fn admit(stream: TcpStream, peer: SocketAddr, server: &Arc<Server>, handshake: Duration) {
    let is_proxy = server.proxies.load().iter().any(|network| network.holds(peer.ip()));
    // A balancer's own address says nothing about whom it brings: that is looked at when it has told.
    let guard = match is_proxy {
        true => server.limiter.admit_unplaced().map_err(Refused::Limit),
        false => look(server, peer.ip()).and_then(|()| server.limiter.admit(peer.ip()).map_err(Refused::Limit)),
    };
    let guard = match guard {
        Ok(guard) => guard,
        Err(why) => return refuse(server, peer.ip(), &why),
    };
    let shared = server.clone();
    server.sessions.spawn(async move {
        if let Err(error) = listener::prepare(&stream) {
            tracing::debug!(%peer, %error, "connection lost at once");
            return;
        }
        if is_proxy {
            if let Some((stream, guard, address)) = Box::pin(introduced(stream, guard, peer, &shared, handshake)).await
            {
                serve(stream, guard, address, &shared, handshake).await;
            }
        } else {
            serve(stream, guard, peer.ip(), &shared, handshake).await;
        }
    });
}

/// Does the handshake, and goes on in a task of its own: what the handshake needed is gone then.
async fn serve(stream: TcpStream, guard: ConnectionGuard, address: IpAddr, server: &Arc<Server>, handshake: Duration) {
    let accepted = tokio::select! {
        accepted = server.tls.accept(Accepted(stream), handshake) => accepted,
        () = server.ctx.stopping.cancelled() => return,
    };
    match accepted {
        Ok(stream) => {
            let (stream, shared) = (Box::new(stream), server.clone());
            server.sessions.spawn(async move { connection::serve(stream, guard, shared, address).await });
        }
        Err(error) => tracing::debug!(peer = %address, %error, "no TLS connection"),
    }
}

/// Lets a balancer say whom it brings, and looks whether that one may come.
async fn introduced(
    mut stream: TcpStream,
    guard: ConnectionGuard,
    balancer: SocketAddr,
    server: &Arc<Server>,
    patience: Duration,
) -> Option<(TcpStream, ConnectionGuard, IpAddr)> {
    let told = tokio::select! {
        told = tokio::time::timeout(patience, proxy::read_source(&mut stream)) => told,
        () = server.ctx.stopping.cancelled() => return None,
    };
    let source = match told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(source) => source,
        Err(error) => {
            tracing::debug!(%balancer, %error, "a balancer did not say whom it brings");
            return None;
        }
    };
    let Some(address) = source else { return Some((stream, guard, balancer.ip())) };
    // The new one is counted before the old one is not.
    let placed = look(server, address).and_then(|()| guard.place(address).map_err(Refused::Limit));
    match placed {
        Ok(guard) => Some((stream, guard, address)),
        Err(why) => {
            refuse(server, address, &why);
            None
        }
    }
}

/// Whether anybody from this address may connect now.
fn look(server: &Server, address: IpAddr) -> Result<(), Refused> {
    if server.ctx.log.bans().address(address, (server.ctx.clock)()).is_some() {
        return Err(Refused::Banned);
    }
    server.connects.take(address, Instant::now()).map_err(|_| Refused::TooOften)
}

/// Before TLS nothing can be said that the peer would read. Nor much in the log, which it could fill.
fn refuse(server: &Server, address: IpAddr, why: &Refused) {
    server.refused.inc();
    tracing::debug!(peer = %address, %why, "connection refused");
    let mut told = server.told.lock().unwrap_or_else(PoisonError::into_inner);
    if told.is_none_or(|at| at.elapsed() >= TELL_REFUSED_EVERY) {
        *told = Some(Instant::now());
        let so_far = server.refused.get();
        tracing::warn!(peer = %address, refused = %why, so_far, "connections are refused");
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Banned => f.write_str("the address is banned"),
            Refused::TooOften => f.write_str("too many new connections: see limits.connects_per_minute"),
            Refused::Limit(refused) => refused.fmt(f),
        }
    }
}
