//! `chatd status`: the figures of the running server, as a screen for people or as JSON.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use super::{Setup, text};
use crate::admin;
use crate::clock;
use crate::event::Millis;

const WATCH_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// As one JSON object: the figures of the metrics by their names
    #[arg(long)]
    json: bool,
    /// Again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

pub fn run(setup: &Setup, args: &Args) -> anyhow::Result<()> {
    let (config, _) = setup.load()?;
    let dir = &config.server.data_dir;
    setup.reader()?;
    let mut before: Option<Figures> = None;
    loop {
        let Some(told) = admin::figures(dir)? else {
            if args.json {
                writeln!(io::stdout(), r#"{{"running":false}}"#)?;
            }
            anyhow::bail!("the server with the data in {} is not running", dir.display());
        };
        let figures = Figures::read(&told, clock::now());
        let mut out = io::stdout().lock();
        if args.json {
            let values: BTreeMap<&str, f64> =
                figures.values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            writeln!(out, "{}", serde_json::json!({ "running": true, "figures": values }))?;
        } else {
            if args.watch && out.is_terminal() {
                // Home, then what was there goes.
                write!(out, "\x1b[H\x1b[2J")?;
            }
            write!(out, "{}", figures.screen(before.as_ref()))?;
        }
        out.flush()?;
        drop(out);
        if !args.watch {
            return Ok(());
        }
        before = Some(figures);
        thread::sleep(WATCH_EVERY);
    }
}

/// What a server said at a time.
struct Figures {
    at: Millis,
    /// By the names of the metrics; of a histogram its `_count` and `_sum`.
    values: BTreeMap<String, f64>,
    /// Of each histogram the buckets: up to this, so many.
    buckets: BTreeMap<String, Vec<(f64, f64)>>,
    version: String,
}

impl Figures {
    /// Reads OpenMetrics. What is not understood is passed over: the server may be newer.
    fn read(told: &str, at: Millis) -> Figures {
        let mut figures = Figures { at, values: BTreeMap::new(), buckets: BTreeMap::new(), version: String::new() };
        for line in told.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            match name.split_once('{') {
                None => drop(figures.values.insert(name.to_owned(), value)),
                Some((name, labels)) => {
                    let label = labels.split('"').nth(1).unwrap_or_default();
                    if let Some(name) = name.strip_suffix("_bucket") {
                        let bound = label.parse().unwrap_or(f64::INFINITY);
                        figures.buckets.entry(name.to_owned()).or_default().push((bound, value));
                    } else if name == "chatd_build_info" {
                        figures.version = label.to_owned();
                    }
                }
            }
        }
        figures
    }

    fn of(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or_default()
    }

    /// The bound below which this part of what a histogram has seen lies.
    fn quantile(&self, name: &str, part: f64) -> Option<f64> {
        let buckets = self.buckets.get(name)?;
        let all = buckets.last()?.1;
        buckets.iter().find(|(_, count)| all > 0.0 && *count >= all * part).map(|(bound, _)| *bound)
    }

    fn screen(&self, before: Option<&Figures>) -> String {
        let started = Millis(self.of("chatd_start_time_seconds") as i64 * 1000);
        let up = Duration::from_secs((self.at.0 - started.0).max(0).unsigned_abs() / 1000);
        let since = before.map(|before| ((self.at.0 - before.at.0).max(1) as f64 / 1000.0, before));
        let rate = |name: &str| match since {
            Some((seconds, before)) => format!("  ({:.1}/s)", (self.of(name) - before.of(name)).max(0.0) / seconds),
            None => String::new(),
        };
        let within = |part| match self.quantile("chatd_commit_duration_seconds", part) {
            Some(bound) if bound.is_finite() => format!("{} ms", bound * 1000.0),
            Some(_) => "longer".to_owned(),
            None => "-".to_owned(),
        };
        let commits = self.of("chatd_commit_intents_count");
        let group = if commits > 0.0 { self.of("chatd_commit_intents_sum") / commits } else { 0.0 };
        let count = |name: &str| format!("{}", self.of(name));
        let rows = [
            ("version", text::clean(&self.version)),
            ("running since", format!("{} ({})", text::local(started, text::zone()), humantime::format_duration(up))),
            (
                "connections",
                format!("{}, {} sent away", count("chatd_connections"), count("chatd_connections_refused_total")),
            ),
            ("sessions", format!("{} of {} people", count("chatd_sessions"), count("chatd_accounts_online"))),
            ("accounts", count("chatd_accounts")),
            ("rooms", count("chatd_rooms")),
            ("logins", format!("{}, {} failed", count("chatd_logins_total"), count("chatd_logins_failed_total"))),
            ("messages", format!("{}{}", count("chatd_messages_stored_total"), rate("chatd_messages_stored_total"))),
            ("commits", format!("{commits}{}, {group:.1} things in each", rate("chatd_commit_intents_count"))),
            ("commit time", format!("half within {}, 99 % within {}", within(0.5), within(0.99))),
            ("commits failed", count("chatd_commits_failed_total")),
            (
                "waiting",
                format!(
                    "{} for the writer, {} readers",
                    count("chatd_submissions_waiting"),
                    count("chatd_readers_behind")
                ),
            ),
            ("store reads", format!("{}{}", count("chatd_store_reads_total"), rate("chatd_store_reads_total"))),
            ("memory", format!("{:.1} MiB", self.of("process_resident_memory_bytes") / f64::from(1 << 20))),
        ];
        rows.iter().map(|(name, value)| format!("{name:<15} {value}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_shown() {
        let told = "# TYPE chatd_messages_stored counter\nchatd_messages_stored_total 30\n\
                    chatd_build_info{version=\"0.1.0\"} 1\nchatd_start_time_seconds 1000\n\
                    chatd_commit_duration_seconds_bucket{le=\"0.001\"} 60\n\
                    chatd_commit_duration_seconds_bucket{le=\"0.002\"} 99\n\
                    chatd_commit_duration_seconds_bucket{le=\"+Inf\"} 100\nnonsense\nx y z\n# EOF\n";
        let figures = Figures::read(told, Millis(1_065_000));
        assert_eq!(figures.quantile("chatd_commit_duration_seconds", 0.999), Some(f64::INFINITY));
        let mut earlier = Figures::read(told, Millis(1_063_000));
        earlier.values.insert("chatd_messages_stored_total".to_owned(), 10.0);
        let screen = figures.screen(Some(&earlier));
        for line in
            ["version         0.1.0", "messages        30  (10.0/s)", "half within 1 ms, 99 % within 2 ms", "(1m 5s)"]
        {
            assert!(screen.contains(line), "{line} in\n{screen}");
        }
        assert!(Figures::read("", Millis(0)).screen(None).contains("half within -"));
    }
}
