//! HTTP on the port of IRC: the page, and the WebSocket that turns into a connection like any other.
//!
//! Knows the byte layer and nobody above it. Promises: what is HTTP and what is IRC is told apart once and for good;
//! a request is small, comes in time and is answered in words; who asks for a WebSocket from a page of somebody else is
//! refused; what comes out of an upgrade is a [`Conn`], and a session cannot tell it from one over TLS.

mod answers;
mod bundle;
mod origin;
pub mod page;
mod sniff;
mod upgrade;
mod websocket;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::net::conn::Conn;

pub use sniff::{Spoken, spoken};
pub use websocket::WebSocket;

use answers::Answer;
use sniff::Rewind;
use websocket::Framing;

/// Requests on one connection; the answer to the last says that it is the last.
const REQUESTS_MAX: usize = 200;
/// Bytes of a request's head, and how many headers it has: 431 beyond.
const HEAD_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// How long the peer may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is served, the same for everybody.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The server's name: a page under it may connect, whatever a proxy in between made of the Host header.
    pub name: String,
    /// Other pages that may, as browsers write them: `https://chat.example.org`.
    pub origins: Vec<String>,
    /// How long browsers are told to use nothing but https with this host, all its ports; zero: not told.
    pub hsts: Duration,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request to come, be it the first or a later one.
    pub head: Duration,
    /// For an answer to be taken.
    pub answer: Duration,
}

/// What the requests of one connection leave behind.
#[derive(Default)]
struct Shared {
    requests: AtomicUsize,
    upgraded: Mutex<Option<Framing>>,
}

/// Answers requests until the peer has enough of it, or takes too long. `Some`: it asked for a WebSocket and has it.
/// `read` is what the peer has sent already.
pub async fn serve<S>(
    io: S,
    read: Bytes,
    site: Arc<Site>,
    patience: Patience,
    stopping: &CancellationToken,
) -> Option<Conn<WebSocket<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::new(Shared::default());
    let of_service = shared.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (site, shared) = (site.clone(), of_service.clone());
        Box::pin(async move { Ok::<_, Infallible>(respond(&request, &site, &shared).await) })
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.head);
    builder.max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX).half_close(true);
    let mut http = Box::pin(builder.serve_connection(TokioIo::new(Rewind::new(read, io)), service));

    let mut before = 0;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|cx| http.as_mut().get_mut().poll_without_shutdown(cx)) => break ended,
            () = stopping.cancelled() => {
                http.as_mut().graceful_shutdown();
                let rest = poll_fn(|cx| http.as_mut().get_mut().poll_without_shutdown(cx));
                match tokio::time::timeout(FAREWELL, rest).await {
                    Ok(ended) => break ended,
                    Err(_) => return None,
                }
            }
            () = tokio::time::sleep(patience.answer) => {
                let requests = shared.requests.load(Ordering::Relaxed);
                if requests == before {
                    return None;
                }
                before = requests;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP ended");
        return None;
    }
    let parts = Pin::into_inner(http).into_parts();
    let upgraded = shared.upgraded.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut io = parts.io.into_inner().into_inner();
    match upgraded {
        Some(framing) => Some(Conn::new(WebSocket::new(io, parts.read_buf, framing).await)),
        None => {
            let _ = tokio::time::timeout(FAREWELL, io.shutdown()).await;
            None
        }
    }
}

async fn respond(request: &Request<Incoming>, site: &Site, shared: &Shared) -> Answer {
    let count = shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let (mut response, framing) = match *request.method() {
        _ if upgrade::is_wanted(request) => upgrade::answer(request, site),
        Method::GET | Method::HEAD => (page::answer(request).await, None),
        _ => (answers::not_allowed(), None),
    };
    answers::guard(request, site, &mut response);
    let is_refused = response.status().is_client_error() && response.status() != StatusCode::NOT_FOUND;
    if framing.is_none() && (count >= REQUESTS_MAX || is_refused) {
        // What is left of a refused request is not read.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(framing) = framing {
        *shared.upgraded.lock().unwrap_or_else(PoisonError::into_inner) = Some(framing);
    }
    response
}
