//! The files of the page, which are part of the program. Adding one is a row in [`FILES`].
//!
//! Each is compressed once, when somebody first asks for it, and known by its ETag: a browser asks each time whether its
//! copy is the newest, since all files of a version belong together. A debug build reads the files from the source
//! folder for each request, if they are there, so that a change is seen by reloading the page.

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use hyper::{Request, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::answers::{self, Answer};
use super::upgrade;

/// A file of the page.
#[derive(Debug)]
pub struct File {
    /// Where it is asked for.
    pub path: &'static str,
    /// Its name in `src/web/page/`.
    pub name: &'static str,
    pub kind: &'static str,
    content: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PNG: &str = "image/png";

macro_rules! file {
    ($path:literal, $name:literal, $kind:expr) => {
        File { path: $path, name: $name, kind: $kind, content: include_bytes!(concat!("page/", $name)) }
    };
}

/// All there are.
pub const FILES: &[File] = &[
    file!("/", "index.html", HTML),
    file!("/app.css", "app.css", CSS),
    file!("/admin.js", "admin.js", SCRIPT),
    file!("/app.js", "app.js", SCRIPT),
    file!("/client.js", "client.js", SCRIPT),
    file!("/composer.js", "composer.js", SCRIPT),
    file!("/connection.js", "connection.js", SCRIPT),
    file!("/dom.js", "dom.js", SCRIPT),
    file!("/emoji.js", "emoji.js", SCRIPT),
    file!("/history.js", "history.js", SCRIPT),
    file!("/i18n.js", "i18n.js", SCRIPT),
    file!("/irc.js", "irc.js", SCRIPT),
    file!("/keep.js", "keep.js", SCRIPT),
    file!("/newcomer.js", "newcomer.js", SCRIPT),
    file!("/notify.js", "notify.js", SCRIPT),
    file!("/state.js", "state.js", SCRIPT),
    file!("/text.js", "text.js", SCRIPT),
    file!("/view-dialogs.js", "view-dialogs.js", SCRIPT),
    file!("/view-header.js", "view-header.js", SCRIPT),
    file!("/view-login.js", "view-login.js", SCRIPT),
    file!("/view-message.js", "view-message.js", SCRIPT),
    file!("/view-newcomer.js", "view-newcomer.js", SCRIPT),
    file!("/view-rooms.js", "view-rooms.js", SCRIPT),
    file!("/view-side.js", "view-side.js", SCRIPT),
    file!("/view-timeline.js", "view-timeline.js", SCRIPT),
    file!("/i18n/en.js", "i18n/en.js", SCRIPT),
    file!("/i18n/zh-CN.js", "i18n/zh-CN.js", SCRIPT),
    file!("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json"),
    file!("/icon.svg", "icon.svg", "image/svg+xml"),
    file!("/icon-192.png", "icon-192.png", PNG),
    file!("/icon-512.png", "icon-512.png", PNG),
];

/// What is sent of a file.
#[derive(Debug)]
struct Ready {
    plain: Bytes,
    /// If it is smaller.
    gzip: Option<Bytes>,
    /// Without its quotes.
    tag: String,
}

pub(super) async fn answer<B>(request: &Request<B>) -> Answer {
    let path = request.uri().path();
    match FILES.iter().position(|file| file.path == path) {
        Some(at) => match ready(at).await {
            Some(ready) => file(&FILES[at], &ready, request.headers()),
            None => answers::text(StatusCode::INTERNAL_SERVER_ERROR, "The file cannot be prepared.\n"),
        },
        None if upgrade::PATHS.contains(&path) => answers::only_upgrades(),
        None => answers::not_found(),
    }
}

async fn ready(at: usize) -> Option<Arc<Ready>> {
    static READY: [OnceLock<Arc<Ready>>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];
    if !cfg!(debug_assertions)
        && let Some(ready) = READY[at].get()
    {
        return Some(ready.clone());
    }
    let prepare = move || Arc::new(prepare(&content(&FILES[at])));
    let ready = tokio::task::spawn_blocking(prepare).await.ok()?;
    Some(if cfg!(debug_assertions) { ready } else { READY[at].get_or_init(|| ready).clone() })
}

fn content(file: &File) -> Cow<'static, [u8]> {
    if cfg!(debug_assertions) {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page/");
        if let Ok(content) = std::fs::read(format!("{source}{}", file.name)) {
            return content.into();
        }
    }
    file.content.into()
}

fn prepare(content: &[u8]) -> Ready {
    let tag = Sha256::digest(content)[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let gzip = encoder.write_all(content).and_then(|()| encoder.finish()).ok();
    let gzip = gzip.filter(|gzip| gzip.len() < content.len()).map(Bytes::from);
    Ready { plain: Bytes::copy_from_slice(content), gzip, tag }
}

fn file(file: &File, ready: &Ready, asked: &HeaderMap) -> Answer {
    let gzip = ready.gzip.as_ref().filter(|_| takes_gzip(asked));
    let tag = if gzip.is_some() { format!("\"{}-gz\"", ready.tag) } else { format!("\"{}\"", ready.tag) };
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    if list(asked, &IF_NONE_MATCH).any(|known| known == "*" || known.trim_start_matches("W/") == tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    if gzip.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = Full::new(gzip.unwrap_or(&ready.plain).clone());
    response
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    list(asked, &ACCEPT_ENCODING).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn list<'a>(asked: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    asked
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
