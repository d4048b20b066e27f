//! Trouble that others make, and how two people chat while it goes on.

use std::time::Duration;

use anyhow::Result;

use super::acts::{Act, Acting, Stage};
use super::chatd::{self, DEFAULT_HASH, Settings, token};
use super::figures::Figures;
use super::pair::Pair;
use super::server::{Kind, PASSWORD, Running};

/// The name of each trouble, what is done, whether chatd's limits by address are as they are by default, and what is to be
/// known. Everything comes from thousands of addresses, so that those limits do not hide what the work itself costs; where
/// they are the defence, one address does it.
pub fn all() -> Vec<(&'static str, Act, bool, &'static str)> {
    let drip = |stage| Act::Drip { count: 2_000, stage };
    vec![
        ("nothing", Act::Spin { threads: 0 }, true, "nobody else is there"),
        ("busy-machine", Act::Spin { threads: 2 }, true, "two other processes take all the time there is"),
        ("connect-flood", Act::Connect { at_once: 64, places: 30_000 }, true, "many addresses"),
        ("connect-flood-one", Act::Connect { at_once: 64, places: 1 }, true, "one address: its limit is the defence"),
        ("tls-flood", Act::Handshake { at_once: 64, places: 30_000 }, true, "many addresses"),
        ("half-open", Act::HalfOpen { count: 4_000 }, true, "4,000 hellos held, renewed when cut off"),
        ("loris-hello", drip(Stage::Hello), true, "2,000 drip the first bytes of TLS"),
        ("loris-handshake", drip(Stage::Handshake), true, "2,000 drip after the hello"),
        ("loris-registration", drip(Stage::Registration), true, "2,000 drip before the login"),
        ("loris-http", drip(Stage::Http), true, "2,000 drip the head of a request"),
        (
            "argon2-wrong",
            Act::Login { at_once: 256, accounts: 1_000, right: false },
            true,
            "wrong passwords, many addresses",
        ),
        (
            "argon2-right",
            Act::Login { at_once: 256, accounts: 1_000, right: true },
            true,
            "right passwords, many addresses",
        ),
        (
            "deaf-members",
            Act::Deaf { first: 10, members: 20, talkers: 4, room: "#pair".to_owned(), lines_a_second: 1_000 },
            false,
            "20 never read in the pair's room, where 1,000 lines of 370 bytes a second are said",
        ),
        (
            "search-flood",
            Act::Ask { first: 10, clients: 40, search: true, events: (0, 1) },
            false,
            "40 search a million lines without a pause",
        ),
        (
            "page-flood",
            Act::Ask { first: 10, clients: 40, search: false, events: (0, 1) },
            false,
            "40 read pages of 1,000 of a million lines without a pause",
        ),
    ]
}

/// Of the log that is searched and read.
const LINES: usize = 1_000_000;

pub async fn run(
    name: String,
    kind: &Kind,
    mut act: Act,
    limited: bool,
    note: &str,
    seconds: f64,
    quick: bool,
) -> Result<Figures> {
    let settings = Settings { limited, proofs: true, ..Settings::default() };
    let (server, people, secret): (Running, [usize; 2], fn(usize) -> String) = match &act {
        Act::Ask { .. } => {
            let (server, about) = chatd::long(kind, if quick { 10_000 } else { LINES }, &settings)?;
            if let Act::Ask { events, .. } = &mut act {
                *events = (about.first, about.lines as i64);
            }
            (server, [0, 1], |_| PASSWORD.to_owned())
        }
        Act::Login { accounts, .. } => {
            let settings = Settings { hash: DEFAULT_HASH, ..settings };
            (Running::start_with(kind, accounts + 2, &settings)?, [*accounts, accounts + 1], token)
        }
        _ => (Running::start_with(kind, 40, &settings)?, [0, 1], token),
    };
    let pair = Pair::start(&server, people, secret, "#pair").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.forget();
    let cpu = server.cpu()?;
    let report = Acting::start(&act, &server, seconds)?.finish().await?;
    let cpu = server.cpu()? - cpu;
    let talk = pair.finish().await?;
    Ok(Figures {
        kind: name,
        server: server.name.clone(),
        unit: "act".to_owned(),
        units: report.done + report.refused,
        seconds: report.seconds,
        cpu,
        client: report.busy,
        latency: talk.latency,
        memory_kib: server.memory_kib()?,
        faults: talk.faults,
        note: note.to_owned(),
        ..Figures::default()
    }
    .with("refused or cut off", report.refused as f64)
    .with("lines of the pair", talk.lines as f64)
    .with("longest sync of the disk ms", talk.disk)
    .with("cores of the server", cpu / report.seconds))
}
