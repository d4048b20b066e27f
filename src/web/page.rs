//! The files of the page, which are part of the program. Adding one is a row in [`FILES`] or, for a module, in [`MODULES`].
//!
//! Each is compressed once, when somebody first asks for it, and known by its ETag. A browser asks each time whether its
//! copy of the page is the newest; what the page loads has the version in its address, and is kept without asking. A debug
//! build reads the files from the source folder for each request, if they are there, so that a change is seen by
//! reloading the page.

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
use super::bundle::bundle;
use super::upgrade;

/// Something that is served.
#[derive(Debug)]
pub struct File {
    /// Where it is asked for.
    path: &'static str,
    kind: &'static str,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Source(Source),
    /// The page itself, in which the versions of what it loads are filled in.
    Index(Source),
    /// This module, and all that it imports.
    Bundle(&'static str),
}

/// A file in `src/web/page/`.
#[derive(Debug)]
struct Source {
    name: &'static str,
    content: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PNG: &str = "image/png";

macro_rules! source {
    ($name:literal) => {
        Source { name: $name, content: include_bytes!(concat!("page/", $name)) }
    };
}

macro_rules! file {
    ($name:literal, $kind:expr) => {
        File { path: concat!("/", $name), kind: $kind, content: Content::Source(source!($name)) }
    };
}

/// All that is served.
const FILES: &[File] = &[
    File { path: "/", kind: HTML, content: Content::Index(source!("index.html")) },
    File { path: "/page.js", kind: SCRIPT, content: Content::Bundle("app.js") },
    file!("app.css", CSS),
    file!("manifest.webmanifest", "application/manifest+json"),
    file!("icon.svg", "image/svg+xml"),
    file!("icon-192.png", PNG),
    file!("icon-512.png", PNG),
];

/// What `page.js` is made of.
const MODULES: &[Source] = &[
    source!("admin.js"),
    source!("app.js"),
    source!("client.js"),
    source!("composer.js"),
    source!("connection.js"),
    source!("dom.js"),
    source!("emoji.js"),
    source!("history.js"),
    source!("i18n.js"),
    source!("irc.js"),
    source!("keep.js"),
    source!("newcomer.js"),
    source!("notify.js"),
    source!("state.js"),
    source!("text.js"),
    source!("view-dialogs.js"),
    source!("view-header.js"),
    source!("view-login.js"),
    source!("view-message.js"),
    source!("view-newcomer.js"),
    source!("view-rooms.js"),
    source!("view-side.js"),
    source!("view-timeline.js"),
    source!("i18n/en.js"),
    source!("i18n/zh-CN.js"),
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
            Some(ready) => file(&FILES[at], &ready, request.uri().query(), request.headers()),
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
    let prepare = move || content(&FILES[at]).map(|content| Arc::new(prepare(&content)));
    let ready = match tokio::task::spawn_blocking(prepare).await.ok()? {
        Ok(ready) => ready,
        Err(fault) => {
            tracing::error!(fault, "The page cannot be put together");
            return None;
        }
    };
    Some(if cfg!(debug_assertions) { ready } else { READY[at].get_or_init(|| ready).clone() })
}

fn content(file: &File) -> Result<Cow<'static, [u8]>, String> {
    match &file.content {
        Content::Source(source) => Ok(newest(source)),
        Content::Index(source) => {
            let mut text = String::from_utf8_lossy(&newest(source)).into_owned();
            for loaded in FILES.iter().filter(|file| file.kind == SCRIPT || file.kind == CSS) {
                let name = &loaded.path[1..];
                text = text.replace(&format!("\"{name}\""), &format!("\"{name}?v={}\"", tag(&content(loaded)?)));
            }
            Ok(text.into_bytes().into())
        }
        Content::Bundle(entry) => bundle(entry, module).map(|script| script.into_bytes().into()),
    }
}

fn module(name: &str) -> Option<Cow<'static, str>> {
    let module = MODULES.iter().find(|module| module.name == name)?;
    match newest(module) {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The source as it is now, in a debug build; else as it was built in.
fn newest(source: &Source) -> Cow<'static, [u8]> {
    if cfg!(debug_assertions) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page/");
        if let Ok(content) = std::fs::read(format!("{folder}{}", source.name)) {
            return content.into();
        }
    }
    source.content.into()
}

/// By what a version of a file is known.
fn tag(content: &[u8]) -> String {
    Sha256::digest(content)[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn prepare(content: &[u8]) -> Ready {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let gzip = encoder.write_all(content).and_then(|()| encoder.finish()).ok();
    let gzip = gzip.filter(|gzip| gzip.len() < content.len()).map(Bytes::from);
    Ready { plain: Bytes::copy_from_slice(content), gzip, tag: tag(content) }
}

fn file(file: &File, ready: &Ready, query: Option<&str>, asked: &HeaderMap) -> Answer {
    let is_this_version = query.and_then(|query| query.strip_prefix("v=")) == Some(&*ready.tag);
    let keep = if is_this_version { "public, max-age=31536000, immutable" } else { "no-cache" };
    let gzip = ready.gzip.as_ref().filter(|_| takes_gzip(asked));
    let tag = if gzip.is_some() { format!("\"{}-gz\"", ready.tag) } else { format!("\"{}\"", ready.tag) };
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_is_part_of_the_page() {
        let script = bundle("app.js", module).expect("a bundle");
        for module in MODULES.iter().filter(|module| module.name != "app.js") {
            let scope: String = module
                .name
                .trim_end_matches(".js")
                .chars()
                .map(|c| if c.is_alphanumeric() { c } else { '_' })
                .collect();
            assert!(script.contains(&format!("const ${scope} = (() => {{")), "{} is imported by nobody", module.name);
        }
        assert!(!script.lines().any(|line| line.starts_with("import ") || line.starts_with("export ")));
    }

    #[test]
    fn the_page_names_the_versions_of_what_it_loads() {
        let index = String::from_utf8(content(&FILES[0]).expect("the page").into_owned()).expect("text");
        for file in &FILES[1..3] {
            let named = format!("\"{}?v={}\"", &file.path[1..], tag(&content(file).expect("a file")));
            assert!(index.contains(&named), "{named} in {index}");
        }
    }
}
