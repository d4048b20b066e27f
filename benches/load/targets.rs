//! What chatd is to reach, beside what it has reached. Where a peer is named it is the one of the same machine; what is
//! known of Ergo is from earlier runs on such a machine, since Debian has no package of it.

use super::figures::{Figures, short};

/// A row: what is asked, what was measured, and whether that is enough.
pub struct Row {
    pub target: String,
    pub measured: String,
    pub met: bool,
}

pub struct Known<'a>(pub &'a [Figures]);

impl Known<'_> {
    fn of(&self, kind: &str, server: &str) -> Option<&Figures> {
        self.0.iter().find(|figures| figures.kind == kind && figures.server == server)
    }

    fn chatd(&self, kind: &str) -> Option<&Figures> {
        self.of(kind, "chatd")
    }

    /// All targets of which something is known.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |target: &str, row: Option<(String, bool)>| {
            if let Some((measured, met)) = row {
                rows.push(Row { target: target.to_owned(), measured, met });
            }
        };
        for (kind, what) in [("fanout-100-rate-200", "100 members"), ("fanout-1000-rate-50", "1,000 members")] {
            let text = format!("fan-out to {what} at a fixed rate: processor time of a delivery at or below InspIRCd");
            add(&text, self.against(kind, 1.0));
            add("the same: p99 below 15 ms", self.latency(kind, 15.0));
        }
        for (kind, what, ergo) in [("fanout-100-full", "100 members", 6.0), ("fanout-1000-full", "1,000 members", 7.4)]
        {
            let text = format!("fan-out to {what} as fast as it goes: at or below 1.2 of InspIRCd");
            add(&text, self.against(kind, 1.2));
            let text = format!("the same: at most a fifth of Ergo with SQLite ({ergo} us)");
            add(&text, self.chatd(kind).map(|own| most(own.cpu_us(), ergo / 5.0, "us")));
        }
        add("200 rooms of 10 at a fixed rate: at or below InspIRCd", self.against("rooms-200x10-rate-1000", 1.0));
        add("200 rooms of 10 as fast as it goes: at or below 1.2 of InspIRCd", self.against("rooms-200x10-full", 1.2));
        if let Some(own) = self.chatd("ingest-window-32") {
            let text = "ingest, window 32: at least 50,000 acknowledged durable messages a second";
            add(text, Some(least(own.rate(), 50_000.0, "/s")));
            for (name, what) in
                [("bare SQLite with its index /s", "and the full-text index"), ("bare SQLite /s", "without the index")]
            {
                let bare = own.extra.get(name).copied().unwrap_or(0.0);
                let share = own.rate() / bare.max(1.0);
                let text = format!("the same: at least 0.7 of bare SQLite with the same rows and commits, {what}");
                add(&text, Some((format!("{share:.2} of {bare:.0}/s"), share >= 0.7)));
            }
        }
        if let Some(own) = self.chatd("ingest-window-1") {
            let sync = own.extra.get("fdatasync ms").copied().unwrap_or(0.0);
            let [p50, ..] = own.latency.unwrap_or_default();
            let text = "ingest, window 1: p50 of an echo at most 3 times one fdatasync of this disk";
            add(text, Some((format!("{p50:.2} ms, {:.1} times {sync:.2} ms", p50 / sync), p50 <= 3.0 * sync)));
        }
        let idle = self.chatd("idle-10000").map(|own| most(own.memory_kib, 16.0, "KiB"));
        add("an idle connection in a room of 100, of 10,000: at most 16 KiB", idle);
        if let Some(own) = self.chatd("churn") {
            let grows = own.extra.get("KiB a minute").copied().unwrap_or(0.0);
            let text = format!("no growth over {:.0} minutes of churn (the second half)", own.seconds / 60.0);
            add(&text, Some((format!("{} KiB a minute", short(grows)), grows < 20.0)));
        }
        if let Some(own) = self.chatd("login-storm") {
            add("logins: within 20% of what argon2 allows on one core", Some(share(own)));
            add("the pair chatting beside a login storm: p99 below 20 ms", self.latency("login-storm", 20.0));
        }
        if let Some(own) = self.chatd("return-2000-password") {
            add("2,000 come back with passwords: within 20% of what argon2 allows on one core", Some(share(own)));
        }
        for by in ["token", "certificate"] {
            let back = self.chatd(&format!("return-2000-{by}")).map(|own| least(own.rate(), 1_000.0, "/s"));
            add(&format!("2,000 come back with a {by}: over 1,000 a second"), back);
        }
        let page = |lines: &str| self.chatd(&format!("pages-{lines}")).and_then(|own| own.latency);
        if let (Some(few), Some(many)) = (page("10000"), page("10000000")) {
            let text = "a page of 100 in 10 million lines: below Ergo at 20,000 (p50 1.3 ms)";
            add(text, Some(most(many[0], 1.3, "ms")));
            let times = many[0] / few[0];
            let text = "the same: at most 1.5 times that in 10 thousand lines";
            add(text, Some((format!("{times:.2} times {:.2} ms", few[0]), times <= 1.5)));
        }
        add("search in 10 million lines: p99 below 50 ms", self.latency("search-10000000", 50.0));
        let start = self.chatd("start-10000000").map(|own| most(own.seconds, 1.0, "s"));
        add("start with 10 million lines: below 1 s", start);
        let disk = self.chatd("pages-10000000").and_then(|own| own.extra.get("bytes of disk a message"));
        let text = "disk for a message of 100 bytes, index included: at most 250 bytes";
        add(text, disk.map(|bytes| most(*bytes, 250.0, "bytes")));
        add(
            "the pair chatting beside a backup of 10 million lines: p99 below 50 ms",
            self.latency("backup-10000000", 50.0),
        );
        for figures in self.0.iter().filter(|figures| figures.kind.starts_with("trouble-")) {
            let name = figures.kind.trim_start_matches("trouble-");
            if name != "nothing" && name != "busy-machine" {
                let text = format!("the pair chatting beside {name}: p99 below 50 ms");
                add(&text, self.latency(&figures.kind, 50.0));
            }
        }
        rows
    }

    fn against(&self, kind: &str, times: f64) -> Option<(String, bool)> {
        let (own, peer) = (self.chatd(kind)?.cpu_us(), self.of(kind, "InspIRCd")?.cpu_us());
        Some((format!("{} of {} us ({:.2})", short(own), short(peer), own / peer), own <= times * peer))
    }

    fn latency(&self, kind: &str, limit: f64) -> Option<(String, bool)> {
        let [_, p99, _] = self.chatd(kind)?.latency?;
        Some(most(p99, limit, "ms"))
    }
}

fn most(value: f64, limit: f64, unit: &str) -> (String, bool) {
    (format!("{} {unit}", short(value)), value <= limit)
}

fn least(value: f64, limit: f64, unit: &str) -> (String, bool) {
    (format!("{} {unit}", short(value)), value >= limit)
}

/// Logins a second beside the hashes that one core makes: chatd gives hashing half of the cores.
fn share(own: &Figures) -> (String, bool) {
    let cores = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)) as f64;
    let limit = own.extra.get("hashes /s of one core").copied().unwrap_or(0.0) * cores;
    let share = own.rate() / limit.max(1.0);
    (format!("{:.1} of {limit:.1}/s ({share:.2})", own.rate()), share >= 0.8)
}
