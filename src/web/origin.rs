//! Which pages may open a WebSocket: ours, and those that the administrator has named. A browser says where a page comes
//! from; who says nothing is no browser, and may connect as any client does.

use hyper::header::{HOST, HeaderMap, ORIGIN};

use super::Site;

/// Whether the page that asks may be answered.
pub(super) fn may_connect(headers: &HeaderMap, site: &Site) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.next().is_some() {
        return false;
    }
    if site.origins.iter().any(|listed| same(listed, origin)) {
        return true;
    }
    // Nothing but TLS leads here, so a page that came without it is not ours.
    let Some(from) = authority(origin) else { return false };
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    // A proxy on the usual port may hand on another Host than the page's.
    host.is_some_and(|host| host_and_port(host) == from) || host_and_port(&site.name) == from
}

fn same(listed: &str, origin: &str) -> bool {
    let split = |text: &str| {
        let (scheme, rest) = text.split_once("://")?;
        let default = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
        Some((scheme.to_ascii_lowercase(), with_port(rest, default)))
    };
    split(listed).is_some_and(|listed| split(origin) == Some(listed))
}

/// Host and port of an https origin.
fn authority(origin: &str) -> Option<(String, u16)> {
    origin.strip_prefix("https://").filter(|rest| !rest.contains(['/', '@'])).map(host_and_port)
}

fn host_and_port(authority: &str) -> (String, u16) {
    with_port(authority, 443)
}

fn with_port(authority: &str, default: u16) -> (String, u16) {
    // An IPv6 address stands in brackets, so the last colon before the end is the port's.
    let split = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match split {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host.to_ascii_lowercase(), port),
        _ => (authority.to_ascii_lowercase(), default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn our_own_page_and_those_named() {
        let site = Site {
            name: "chat.test".into(),
            origins: vec!["https://kiwi.example".into(), "http://localhost:8000".into()],
            ..Site::default()
        };
        let may = |origin: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(host).unwrap());
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
            may_connect(&headers, &site)
        };
        for (origin, host) in [
            ("https://10.0.0.1:6697", "10.0.0.1:6697"),
            ("https://Chat.Other", "chat.other:443"),
            ("https://chat.other:443", "chat.other"),
            ("https://[::1]:6697", "[::1]:6697"),
            ("https://[::1]", "[::1]"),
            ("https://chat.test", "127.0.0.1:6697"),
            ("https://kiwi.example", "chat.test"),
            ("https://KIWI.example:443", "chat.test"),
            ("http://localhost:8000", "chat.test"),
        ] {
            assert!(may(origin, host), "{origin} to {host}");
        }
        for (origin, host) in [
            ("https://evil.example", "chat.test"),
            ("https://chat.test.evil.example", "chat.test"),
            ("https://chat.test:8443", "chat.test"),
            ("http://chat.test", "chat.test"),
            ("http://chat.test:443", "chat.test:443"),
            ("https://chat.test@evil.example", "evil.example"),
            ("https://kiwi.example:8443", "chat.test"),
            ("http://localhost", "chat.test"),
            ("null", "chat.test"),
            ("", ""),
            ("null", "null"),
            ("file://", "chat.test"),
        ] {
            assert!(!may(origin, host), "{origin} to {host}");
        }
        assert!(may_connect(&HeaderMap::new(), &site), "no browser");
        let mut twice = HeaderMap::new();
        twice.append(ORIGIN, HeaderValue::from_static("https://chat.test"));
        twice.append(ORIGIN, HeaderValue::from_static("https://chat.test"));
        assert!(!may_connect(&twice, &site));
    }
}
