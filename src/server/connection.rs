//! One connection after its TLS handshake: what it speaks, and who serves it. All of it up to the login happens where
//! connections are accepted; whoever has logged in moves to the runtime of the sessions.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use crate::config::Config;
use crate::net::conn::Conn;
use crate::net::limits::ConnectionGuard;
use crate::net::listener::{Accepted, Movable};
use crate::net::tls;
use crate::session::{self, Context, Peer};
use crate::web::{self, Patience, Site, WebSocket};

use super::Server;

/// How long who has not spoken in time may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(3);

/// Boxed, since it passes through many hands, and each would keep a place for it.
type Stream = Box<TlsStream<Accepted>>;

/// What is served over HTTP; `None`: nothing.
pub fn site(config: &Config) -> Option<Arc<Site>> {
    let web = &config.web;
    let site = || Site { name: config.server.name.clone(), origins: web.origins.clone(), hsts: web.hsts };
    web.enabled.then(|| Arc::new(site()))
}

pub(super) async fn serve(stream: Stream, guard: ConnectionGuard, server: Arc<Server>, address: IpAddr) {
    let since = Instant::now();
    let conn = match (&server.site, tls::protocol(&stream)) {
        // What is HTTP is not taken for IRC here, nor the other way round: who has said what it speaks is held to it.
        (None, _) | (_, Some(tls::IRC)) => Conn::new(stream),
        (Some(site), said) => {
            let is_http = said == Some(tls::HTTP);
            match Box::pin(perhaps_http(stream, is_http, &server.ctx, site, address)).await {
                Some(Spoken::Irc(conn)) => conn,
                Some(Spoken::WebSocket(conn)) => {
                    // A certificate is no login here: a browser would show it for any page that asks.
                    let peer = Peer { address, since: Instant::now(), certificate: None };
                    return Box::pin(log_in(*conn, guard, &server, peer)).await;
                }
                None => return,
            }
        }
    };
    let certificate = tls::peer_certificate(conn.io()).map(|fingerprint| fingerprint.hex().into());
    log_in(conn, guard, &server, Peer { address, since, certificate }).await;
}

/// Leads to the login, and whoever gets there on to where the sessions are.
async fn log_in<S>(conn: Conn<S>, guard: ConnectionGuard, server: &Arc<Server>, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Movable + Unpin + Send + Sync + 'static,
{
    let Some(mut admitted) = session::log_in(conn, &server.ctx, peer).await else { return };
    let ctx = server.ctx.clone();
    let session = async move {
        let _guard = guard;
        if let Err(error) = admitted.io_mut().move_here() {
            tracing::warn!(%error, "a connection could not be kept; check the limit of open files");
            return;
        }
        admitted.serve(ctx).await;
    };
    server.sessions.spawn_on(session, &server.inside);
}

/// What turned out to be spoken.
enum Spoken {
    Irc(Conn<Stream>),
    WebSocket(Box<Conn<WebSocket<Stream>>>),
}

/// Serves it to its end if it is HTTP; gives it back if it is IRC, or becomes a WebSocket.
async fn perhaps_http(
    stream: Stream,
    is_http: bool,
    ctx: &Arc<Context>,
    site: &Arc<Site>,
    address: IpAddr,
) -> Option<Spoken> {
    let settings = ctx.settings.load_full();
    let mut conn = Conn::new(stream);
    if !is_http {
        let told = tokio::select! {
            told = tokio::time::timeout(settings.registration_timeout, web::spoken(&mut conn)) => told,
            // The session says why.
            () = ctx.stopping.cancelled() => return Some(Spoken::Irc(conn)),
        };
        match told {
            Ok(Ok(web::Spoken::Http)) => {}
            Ok(Ok(web::Spoken::Irc)) => return Some(Spoken::Irc(conn)),
            Ok(Err(error)) => {
                tracing::debug!(peer = %address, %error, "connection lost before a word");
                return None;
            }
            Err(_) => {
                conn.push_line("ERROR :Closing link: the login took too long");
                conn.close(FAREWELL).await;
                return None;
            }
        }
    }
    let (stream, read) = conn.into_parts();
    let patience = Patience { head: settings.registration_timeout, answer: settings.write_deadline };
    let socket = web::serve(stream, read.freeze(), site.clone(), patience, &ctx.stopping).await;
    socket.map(|conn| Spoken::WebSocket(Box::new(conn)))
}
