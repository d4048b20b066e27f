//! The handshake of a WebSocket: <https://www.rfc-editor.org/rfc/rfc6455#section-4.2>, with the subprotocols of
//! <https://ircv3.net/specs/extensions/websocket>.

use base64::Engine;
use http_body_util::Full;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answers::{self, Answer};
use super::websocket::Framing;
use super::{Site, origin};

/// Where IRC is spoken.
pub(super) const PATHS: [&str; 2] = ["/irc", "/"];

const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Whether the request wants to become something else; it need not be right.
pub(super) fn is_wanted<B>(request: &Request<B>) -> bool {
    has_word(request.headers(), &CONNECTION, "upgrade") && request.headers().contains_key(UPGRADE)
}

/// The answer that makes a WebSocket of the connection, with the way its lines are framed; or one that says what is wrong.
pub(super) fn answer<B>(request: &Request<B>, site: &Site) -> (Answer, Option<Framing>) {
    let headers = request.headers();
    if let Some(fault) = fault(request, site) {
        return (fault, None);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
        answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    let framing = match agreed(headers) {
        Some((name, framing)) => {
            answer.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
            framing
        }
        None => Framing::Text,
    };
    (response, Some(framing))
}

fn fault<B>(request: &Request<B>, site: &Site) -> Option<Answer> {
    let headers = request.headers();
    if !PATHS.contains(&request.uri().path()) {
        return Some(answers::not_found());
    }
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Some(answers::not_allowed());
    }
    if !has_word(headers, &UPGRADE, "websocket") {
        return Some(answers::text(StatusCode::BAD_REQUEST, "There is no other protocol here than websocket.\n"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        let mut response = answers::text(StatusCode::UPGRADE_REQUIRED, "This server speaks WebSocket version 13.\n");
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
        return Some(response);
    }
    if !headers.get(SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        let words = "The request has no Sec-WebSocket-Key of 16 bytes in base64.\n";
        return Some(answers::text(StatusCode::BAD_REQUEST, words));
    }
    if !origin::may_connect(headers, site) {
        let words = "This page may not connect here. The administrator can name it in [web] origins.\n";
        return Some(answers::text(StatusCode::FORBIDDEN, words));
    }
    None
}

/// The first of the client's subprotocols that we speak.
fn agreed(headers: &HeaderMap) -> Option<(&'static str, Framing)> {
    let spoken = [("text.ircv3.net", Framing::Text), ("binary.ircv3.net", Framing::Binary)];
    words(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(|word| spoken.into_iter().find(|(name, _)| *name == word))
}

fn is_key(key: &HeaderValue) -> bool {
    base64::engine::general_purpose::STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

fn has_word(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    words(headers, name).any(|word| word.eq_ignore_ascii_case(wanted))
}

/// The words of a list that may stand in several headers.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
