//! One connection after its TLS handshake: what it speaks, and who serves it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_rustls::server::TlsStream;

use crate::config::Config;
use crate::net::conn::Conn;
use crate::net::listener::Accepted;
use crate::net::tls;
use crate::session::{self, Context, Peer};
use crate::web::{self, Patience, Site, Spoken};

/// How long who has not spoken in time may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(3);

/// Boxed, since it passes through many hands, and each would keep a place for it.
pub(super) type Stream = Box<TlsStream<Accepted>>;

/// What is served over HTTP; `None`: nothing.
pub fn site(config: &Config) -> Option<Arc<Site>> {
    let web = &config.web;
    let site = || Site { name: config.server.name.clone(), origins: web.origins.clone(), hsts: web.hsts };
    web.enabled.then(|| Arc::new(site()))
}

pub async fn serve(stream: Stream, ctx: &Arc<Context>, site: Option<&Arc<Site>>, address: IpAddr) {
    let since = Instant::now();
    let conn = match (site, tls::protocol(&stream)) {
        // What is HTTP is not taken for IRC here, nor the other way round: who has said what it speaks is held to it.
        (None, _) | (_, Some(tls::IRC)) => Conn::new(stream),
        (Some(site), said) => {
            let is_http = said == Some(tls::HTTP);
            match Box::pin(perhaps_http(stream, is_http, ctx, site, address)).await {
                Some(conn) => conn,
                None => return,
            }
        }
    };
    let certificate = tls::peer_certificate(conn.io()).map(|fingerprint| fingerprint.hex().into());
    session::serve(conn, ctx.clone(), Peer { address, since, certificate }).await;
}

/// Serves it to its end if it is HTTP, with a session if it becomes a WebSocket; gives it back if it is IRC.
async fn perhaps_http(
    stream: Stream,
    is_http: bool,
    ctx: &Arc<Context>,
    site: &Arc<Site>,
    address: IpAddr,
) -> Option<Conn<Stream>> {
    let settings = ctx.settings.load_full();
    let mut conn = Conn::new(stream);
    if !is_http {
        let told = tokio::select! {
            told = tokio::time::timeout(settings.registration_timeout, web::spoken(&mut conn)) => told,
            // The session says why.
            () = ctx.stopping.cancelled() => return Some(conn),
        };
        match told {
            Ok(Ok(Spoken::Http)) => {}
            Ok(Ok(Spoken::Irc)) => return Some(conn),
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
    let socket = web::serve(stream, read.freeze(), site.clone(), patience, &ctx.stopping).await?;
    // A certificate is no login here: a browser would show it for any page that asks.
    let peer = Peer { address, since: Instant::now(), certificate: None };
    Box::pin(session::serve(socket, ctx.clone(), peer)).await;
    None
}
