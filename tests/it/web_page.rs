//! HTTP on the port of IRC: what is told apart how, the files of the page, and what guards them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::harness::{DEADLINE, Server, TlsOptions, http};

const END: &str = "Host: chat.test\r\nConnection: close\r\n\r\n";

async fn get(server: &Server, path: &str, headers: &str) -> String {
    http(server.connect_http().await, &format!("GET {path} HTTP/1.1\r\n{headers}{END}")).await
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn the_page() {
    let server = Server::start().await;
    let page = get(&server, "/", "").await;
    assert_eq!(status(&page), "200", "{page}");
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert!(page.contains("<!doctype html>"), "{page}");
    let policy = header(&page, "content-security-policy");
    for part in
        ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "connect-src 'self' wss://chat.test;"]
    {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    assert_eq!(header(&page, "cross-origin-opener-policy"), "same-origin");
    assert_eq!(header(&page, "strict-transport-security"), "", "it would concern other ports too");
    // A Host that is none does not get into a header.
    let odd =
        http(server.connect_http().await, "GET / HTTP/1.1\r\nHost: x;script-src *\r\nConnection: close\r\n\r\n").await;
    assert!(!header(&odd, "content-security-policy").contains("*"), "{odd}");
}

/// Such as a health check that pipes its request through `openssl s_client`.
#[tokio::test]
async fn who_has_nothing_more_to_ask_is_answered_all_the_same() {
    let server = Server::start().await;
    for request in [format!("GET / HTTP/1.1\r\n{END}"), "GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned()] {
        for _ in 0..10 {
            let mut stream = server.connect_http().await;
            stream.write_all(request.as_bytes()).await.expect("sent");
            stream.shutdown().await.expect("the sending half is closed");
            let mut answer = String::new();
            timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("the end").expect("an answer");
            assert_eq!(status(&answer), "200", "{answer}");
            assert!(answer.trim_end().ends_with("</html>"), "all of it: {answer}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_the_newest_is_not_sent_again_and_what_can_be_is_compressed() {
    let server = Server::start().await;
    let plain = get(&server, "/", "").await;
    let gzip = get(&server, "/", "Accept-Encoding: br, gzip\r\n").await;
    assert_eq!((header(&plain, "content-encoding"), header(&gzip, "content-encoding")), ("", "gzip"));
    assert_eq!(header(&gzip, "vary"), "Accept-Encoding");
    assert_eq!(header(&get(&server, "/", "Accept-Encoding: gzip;q=0\r\n").await, "content-encoding"), "");
    let (tag, other) = (header(&plain, "etag"), header(&gzip, "etag"));
    assert!(tag.starts_with('"') && tag != other, "{tag} {other}");
    let again = get(&server, "/", &format!("If-None-Match: \"x\", {tag}\r\n")).await;
    assert_eq!((status(&again), header(&again, "etag")), ("304", tag));
    let changed = get(&server, "/", "If-None-Match: \"x\"\r\n").await;
    assert_eq!(status(&changed), "200");
}

#[tokio::test]
async fn what_is_not_answered_is_said_in_words() {
    let server = Server::start().await;
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n{END}", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\n{}{END}", "X: y\r\n".repeat(200));
    for (request, wanted, words) in [
        (format!("GET /nothing HTTP/1.1\r\n{END}"), "404", "nothing here"),
        (format!("GET /../../etc/passwd HTTP/1.1\r\n{END}"), "404", "nothing here"),
        (format!("GET /irc HTTP/1.1\r\n{END}"), "426", "WebSocket"),
        (format!("POST / HTTP/1.1\r\nContent-Length: 4\r\n{END}NICK"), "405", "Only GET"),
        (format!("OPTIONS * HTTP/1.1\r\n{END}"), "405", "Only GET"),
        (format!("DELETE /irc HTTP/1.1\r\n{END}"), "405", "Only GET"),
        (long, "431", ""),
        (many, "431", ""),
        ("GET nonsense\r\n\r\n".to_owned(), "400", ""),
        ("NICK alice\r\nUSER a 0 * :a\r\n\r\n".to_owned(), "400", ""),
        ("\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400", ""),
    ] {
        let answer = http(server.connect_http().await, &request).await;
        let shown = &request[..request.len().min(60)];
        assert_eq!(status(&answer), wanted, "{shown:?}: {answer}");
        assert!(answer.contains(words), "{shown:?}: {answer}");
        assert!(!answer.contains(" 001 ") && !answer.contains("chat.test NOTICE"), "it was taken for IRC: {answer}");
    }
    let head = http(server.connect_http().await, &format!("HEAD / HTTP/1.1\r\n{END}")).await;
    assert_eq!(status(&head), "200");
    assert!(head.ends_with("\r\n\r\n") && header(&head, "content-length") != "0", "{head}");
}

#[tokio::test]
async fn what_a_connection_speaks_is_told_by_alpn_or_by_its_first_bytes() {
    let server = Server::start().await;
    let request = format!("GET / HTTP/1.1\r\n{END}");
    for (offer, said, wanted) in [
        (vec!["http/1.1"], request.as_str(), "HTTP/1.1 200"),
        (vec!["h2", "http/1.1"], &request, "HTTP/1.1 200"),
        (vec![], &request, "HTTP/1.1 200"),
        (vec!["h2"], &request, "HTTP/1.1 200"),
        // It said that it speaks IRC, so nothing of what it says is taken for HTTP.
        (vec!["irc"], &request, "HTTP/1.1 400"),
        (vec!["irc", "http/1.1"], &request, "HTTP/1.1 400"),
        (vec![], "PASS x\r\nNICK alice\r\nUSER a 0 * :a\r\n", "464"),
        (vec![], "POSTER x\r\nQUIT\r\n", "451"),
        (vec![], "PA\r\nQUIT\r\n", "451"),
    ] {
        let options = TlsOptions { alpn: offer.clone(), ..TlsOptions::default() };
        let stream = server.handshake(server.connect_tcp().await, &options).await.expect("a handshake");
        let answer = http(stream, said).await;
        assert!(answer.contains(wanted), "{offer:?} {said:?}: {answer}");
    }
    // In single bytes.
    for (said, wanted) in [(request.as_str(), "HTTP/1.1 200"), ("PASS x\r\nNICK bob\r\nUSER a 0 * :a\r\n", "464")] {
        let options = TlsOptions { alpn: vec![], ..TlsOptions::default() };
        let mut stream = server.handshake(server.connect_tcp().await, &options).await.expect("a handshake");
        for byte in said.as_bytes() {
            stream.write_all(&[*byte]).await.expect("sent");
            stream.flush().await.expect("sent");
        }
        let answer = http(stream, "").await;
        assert!(answer.contains(wanted), "{said:?}: {answer}");
    }
}

#[tokio::test]
async fn several_requests_on_one_connection() {
    let server = Server::start().await;
    let mut stream = server.connect_http().await;
    let two = "GET / HTTP/1.1\r\nHost: chat.test\r\n\r\nGET /nothing HTTP/1.1\r\nHost: chat.test\r\n\r\n";
    stream.write_all(two.as_bytes()).await.expect("sent");
    let answer = http(stream, &format!("GET /irc HTTP/1.1\r\n{END}")).await;
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|one| &one[..3]).collect();
    assert_eq!(statuses, ["200", "404", "426"], "{answer}");
    // Not without end.
    let mut stream = server.connect_http().await;
    let many = "GET /nothing HTTP/1.1\r\nHost: chat.test\r\n\r\n".repeat(300);
    let _ = stream.write_all(many.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("the end");
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(answer.matches("HTTP/1.1 404").count(), 200);
    assert_eq!(answer.to_ascii_lowercase().matches("connection: close").count(), 1);
}

#[tokio::test]
async fn who_takes_too_long_is_cut_off() {
    let server = Server::configure().set("limits.registration_timeout", "300ms").start().await;
    for begun in ["", "GET", "GET / HTTP/1.1\r\nHost: chat.te", "GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n"] {
        for alpn in [vec!["http/1.1"], vec![]] {
            let options = TlsOptions { alpn: alpn.clone(), ..TlsOptions::default() };
            let stream = server.handshake(server.connect_tcp().await, &options).await.expect("a handshake");
            // To the end of the connection, which we do not ask for.
            http(stream, begun).await;
        }
    }
    // One byte after the other does not help.
    let mut stream = server.connect_http().await;
    let mut sent = 0;
    while stream.write_all(b"G").await.is_ok() && stream.flush().await.is_ok() {
        sent += 1;
        assert!(sent < 2000, "the server still listens");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn connections_are_counted_with_all_others() {
    let server = Server::configure().set("limits.connections_per_ip", 2).start().await;
    let first = server.connect_http().await;
    let _second = server.connect_http().await;
    let options = TlsOptions { alpn: vec!["http/1.1"], ..TlsOptions::default() };
    assert!(server.handshake(server.connect_tcp().await, &options).await.is_err());
    drop(first);
    crate::harness::eventually("a place", async || server.handshake(server.connect_tcp().await, &options).await.ok())
        .await;
}

#[tokio::test]
async fn without_the_page() {
    let server = Server::configure().set("web.enabled", false).start().await;
    for alpn in [vec!["http/1.1"], vec![]] {
        let options = TlsOptions { alpn, ..TlsOptions::default() };
        let stream = server.handshake(server.connect_tcp().await, &options).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), None);
        let answer = http(stream, &format!("GET / HTTP/1.1\r\n{END}")).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("IRC client"), "{answer}");
    }
}

#[tokio::test]
async fn https_alone_if_the_administrator_wants_it() {
    let server = Server::configure().set("web.hsts", "365days").start().await;
    assert_eq!(header(&get(&server, "/", "").await, "strict-transport-security"), "max-age=31536000");
}
