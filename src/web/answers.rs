//! Answers that are not files, and the headers that every answer has: what a browser must not do with it.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, UPGRADE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Request, Response, StatusCode};

use super::Site;

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD");
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn text(status: StatusCode, text: &'static str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "There is nothing here. The chat is at / .\n")
}

pub(super) fn not_allowed() -> Answer {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n");
    response.headers_mut().insert(ALLOW, ALLOWED);
    response
}

/// The address of the WebSocket, asked for as a page.
pub(super) fn only_upgrades() -> Answer {
    let words = "This address is for chat clients that speak WebSocket. The page is at / .\n";
    let mut response = text(StatusCode::UPGRADE_REQUIRED, words);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// Puts on what guards the page against others, and it against itself: no script but its own files, nothing from
/// elsewhere, in nobody's frame.
pub(super) fn guard<B>(request: &Request<B>, site: &Site, response: &mut Answer) {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&content_policy(host)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (COOP, "same-origin"),
        (CORP, "same-origin"),
        (PERMISSIONS, "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !site.hsts.is_zero()
        && let Ok(hsts) = HeaderValue::from_str(&format!("max-age={}", site.hsts.as_secs()))
    {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
}

fn content_policy(host: Option<&str>) -> String {
    // Browsers of some years ago do not count wss as 'self'.
    let is_clean = |host: &&str| {
        !host.is_empty() && host.len() <= 255 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
    };
    let socket = host.filter(is_clean).map(|host| format!(" wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{socket}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types chatd"
    )
}
