//! The results on disk: all figures as JSON, which later runs add to, and tables for people.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::figures::{Figures, short};
use super::kinds;
use super::plots;
use super::targets::Known;

#[derive(Serialize, Deserialize)]
pub struct Results {
    quick: bool,
    machine: String,
    figures: Vec<Figures>,
}

/// The tables of the report: a title, the kinds that are in it, what its latency is of, and what is to be said.
const TABLES: &[(&str, &[&str], &str)] = &[
    (
        "Fan-out at a fixed rate",
        &["fanout-100-rate-200", "fanout-1000-rate-50", "rooms-200x10-rate-1000"],
        "10 senders in one room of 100 at 200 messages a second, in one of 1,000 at 50; and 200 rooms of 10 with a sender each at \
         1,000 a second in all. Latency is from sending a line to reading it, over all members.",
    ),
    (
        "Fan-out as fast as it goes",
        &["fanout-100-full", "fanout-1000-full", "rooms-200x10-full"],
        "The same, but each sender sends as fast as the server takes it. Latency here is the length of the queues.",
    ),
    (
        "Ingest",
        &["ingest-"],
        "10 senders, each alone in a room, with so many echoes outstanding. chatd's echo means stored (`synchronous=FULL`); the \
         others store nothing. Bare SQLite: the same rows in the same tables by nothing but SQLite, as many in a commit as \
         chatd had.",
    ),
    ("Idle connections", &["idle-"], "In rooms of 100, logged in, nothing said. Memory is of one connection."),
    (
        "Logins",
        &["login-storm", "return-"],
        "16 logins at once with passwords (argon2id, 19 MiB, 2 passes) for some seconds; and 2,000 who all come back at once to a \
         server that was just started. Two people chat beside it.",
    ),
    (
        "The past",
        &["pages-", "join-", "search-", "start-", "backup-"],
        "One room of so many messages of about 100 bytes, their words as frequent as words are.",
    ),
    (
        "Trouble",
        &["trouble-"],
        "Two people chat, 100 lines a second, while others do this to the server on the same two cores: a second process with \
         nice 10. Latency is the pair's. `nothing` and `busy-machine` (the same cores taken by a program that does not touch \
         the server) say what the machine alone makes of it. Limits by address are the default ones but for the floods of \
         searches and pages and the deaf members, whose accounts may do as they like; all else comes from thousands of \
         addresses unless it says one.",
    ),
    ("Growth", &["grow-"], "As fast as it goes: what a delivery costs as rooms grow in size and number."),
    ("Churn", &["churn"], "People come, enter a room, say ten lines, leave and go: 10 visits a second."),
];

impl Results {
    pub fn new(quick: bool) -> Results {
        Results { quick, machine: machine(), figures: Vec::new() }
    }

    /// What is there already; what was quick and what was not are not mixed.
    pub fn read(dir: &Path, quick: bool) -> Result<Results> {
        let Ok(text) = std::fs::read(dir.join("results.json")) else { return Ok(Results::new(quick)) };
        let old: Results = serde_json::from_slice(&text)
            .with_context(|| format!("{}/results.json is of another form: remove it", dir.display()))?;
        let figures = if old.quick == quick { old.figures } else { Vec::new() };
        Ok(Results { figures, ..Results::new(quick) })
    }

    /// In the place of the one that was there.
    pub fn add(&mut self, figures: Figures) {
        self.figures.retain(|old| (&old.kind, &old.server) != (&figures.kind, &figures.server));
        self.figures.push(figures);
        let order: Vec<String> = kinds::all(self.quick, Some(0.0)).into_iter().map(|kind| kind.name).collect();
        let place = |f: &Figures| order.iter().position(|name| *name == f.kind).unwrap_or(usize::MAX);
        self.figures.sort_by_key(place);
    }

    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("results.json"), serde_json::to_string_pretty(self)? + "\n")?;
        let plots = plots::draw(&self.figures, dir)?;
        std::fs::write(dir.join("README.md"), self.text(dir, &plots))?;
        Ok(())
    }

    fn text(&self, dir: &Path, plots: &[(&str, String)]) -> String {
        let mut text = String::from("# What was measured\n\n");
        text += "Written by `benches/run`; what it says of how is true of all rows.\n\n";
        if self.quick {
            text += "**This was a quick run, to see that it works: its numbers mean nothing.**\n\n";
        }
        let _ = writeln!(text, "- Machine: {}", self.machine);
        let mut versions: Vec<(&str, &str)> =
            self.figures.iter().map(|f| (f.server.as_str(), f.version.as_str())).collect();
        versions.sort_unstable();
        versions.dedup();
        for (server, version) in versions {
            let _ = writeln!(text, "- {server}: {version}");
        }
        text += "- Server, load program and all clients share the machine, TLS 1.3 on the loopback interface, lines of 118 bytes. The \
                 servers run with their limits lifted, else with their default settings; chatd is the release build.\n";
        text += "- Processor time is the server's own (`/proc`: user and system, all threads), from the first line of the measured part \
                 until it has nothing left to do. A warm-up before does not count. \"Client\" is the share of one core that the load \
                 program needed itself: near 100 % the speed may be its own.\n";
        text += "- Where chatd stands beside others each server is run three times, in turns, and the run whose cost is in the \
                 middle counts.\n";
        text += "- Every line is checked: it comes once, its sender's lines in order; \"orders\" are the different orders of one room that \
                 its members have seen.\n";
        for name in ["micro.md", "tuning.md"] {
            if dir.join(name).exists() {
                let _ = writeln!(text, "- See also [{name}]({name}).");
            }
        }
        let rows = Known(&self.figures).rows();
        if !rows.is_empty() {
            let met = rows.iter().filter(|row| row.met).count();
            let _ = writeln!(text, "\n## Targets: {met} of {} met\n", rows.len());
            text += "| target | measured | met? |\n| --- | --- | --- |\n";
            for row in rows {
                let met = if row.met { "yes" } else { "**no**" };
                let _ = writeln!(text, "| {} | {} | {met} |", row.target, row.measured);
            }
        }
        for (title, kinds, about) in TABLES {
            let figures: Vec<&Figures> =
                self.figures.iter().filter(|f| kinds.iter().any(|kind| f.kind.starts_with(kind))).collect();
            if figures.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n## {title}\n\n{about}\n");
            for (_, plot) in plots.iter().filter(|(of, _)| of == title) {
                let _ = writeln!(text, "![{title}]({plot})\n");
            }
            text += "| load | server | us of processor | per | a second | p50 ms | p99 ms | max ms | memory KiB | client | orders | faults | |\n";
            text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
            figures.into_iter().for_each(|f| text += &row(f));
        }
        text
    }
}

fn row(f: &Figures) -> String {
    let latency = match f.latency {
        Some(all) => all.map(short).join(" | "),
        None => " |  | ".to_owned(),
    };
    let client = if f.client > 0.0 { format!("{:.0} %", f.client * 100.0) } else { String::new() };
    format!(
        "| {} | {} | {} | {} | {} | {latency} | {} | {client} | {} | {} | {} |\n",
        f.kind,
        f.server,
        short(f.cpu_us()),
        f.unit,
        short(f.rate()),
        short(f.memory_kib),
        f.orders.map_or(String::new(), |orders| orders.to_string()),
        f.faults,
        f.remarks()
    )
}

/// The time of a measurement, to the minute.
pub fn now() -> String {
    chatd::encode::iso(chatd::clock::now()).chars().take(16).collect::<String>() + "Z"
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1048576.0;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default().replace('"', "");
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!(
        "{cores} cores of {}, {memory:.0} GiB, Linux {}, {system}, {}",
        model.trim_start_matches(['\t', ' ', ':']).trim(),
        kernel.trim(),
        String::from_utf8_lossy(&rustc).trim()
    )
}
