//! What one measurement says, and how it is printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The result of one kind of load on one server.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    pub kind: String,
    pub server: String,
    /// What the server calls itself, and when it was measured (UTC).
    pub version: String,
    pub when: String,
    /// What is counted: a delivery, a message, a connection, a page.
    pub unit: String,
    pub units: u64,
    /// Wall time of the measured part, seconds.
    pub seconds: f64,
    /// Processor time of the server in it and until it had nothing left to do, seconds (`/proc/PID/stat`: user and
    /// system, all threads that there are and were).
    pub cpu: f64,
    /// The share of one processor that the load program took itself; near 1 it may be what limits the speed.
    pub client: f64,
    /// Milliseconds: median, 99th percentile, most.
    pub latency: Option<[f64; 3]>,
    /// The server's memory: per unit where the unit is a connection, else at the end. KiB.
    pub memory_kib: f64,
    /// How many different orders of one room its members have seen; 1 is right.
    pub orders: Option<usize>,
    /// Lines lost, doubled or out of their sender's order.
    pub faults: u64,
    /// What belongs to this kind alone, by name.
    pub extra: BTreeMap<String, f64>,
    /// Over time: minutes, MiB of the process, MiB of the rooms' tails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<[f64; 3]>,
    /// Whatever else is to be known.
    pub note: String,
}

impl Figures {
    /// Microseconds of the server's processor for one unit.
    pub fn cpu_us(&self) -> f64 {
        self.cpu * 1e6 / (self.units.max(1)) as f64
    }

    pub fn rate(&self) -> f64 {
        self.units as f64 / self.seconds.max(1e-9)
    }

    pub fn with(mut self, name: &str, value: f64) -> Figures {
        self.extra.insert(name.to_owned(), value);
        self
    }

    pub fn line(&self) -> String {
        let latency = self
            .latency
            .map_or(String::new(), |[p50, p99, max]| format!("  p50 {p50:.2} p99 {p99:.2} max {max:.1} ms"));
        let orders = self.orders.map_or(String::new(), |orders| format!("  orders {orders}"));
        let faults = if self.faults == 0 { String::new() } else { format!("  FAULTS {}", self.faults) };
        format!(
            "{:26} {:9} {:8.2} us/{}  {:8.0} /s{latency}  {:.1} KiB  client {:.0} %{orders}{faults}  {}",
            self.kind,
            self.server,
            self.cpu_us(),
            self.unit,
            self.rate(),
            self.memory_kib,
            self.client * 100.0,
            self.remarks()
        )
    }

    /// The note, and what belongs to the kind alone.
    pub fn remarks(&self) -> String {
        let extra = self.extra.iter().map(|(name, value)| format!("{name} {}", short(*value)));
        let note = (!self.note.is_empty()).then(|| self.note.clone());
        note.into_iter().chain(extra).collect::<Vec<_>>().join("; ")
    }
}

/// A number with as many digits as people read.
pub fn short(value: f64) -> String {
    match value.abs() {
        big if big >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The run whose cost per unit is in the middle; beside trouble it is the p99 that counts.
pub fn middle(mut runs: Vec<Figures>) -> Figures {
    let counts = |f: &Figures| match f.latency {
        Some([_, p99, _]) if f.unit == "act" => p99,
        _ => f.cpu_us(),
    };
    runs.sort_by(|a, b| counts(a).total_cmp(&counts(b)));
    let faults = runs.iter().map(|run| run.faults).sum();
    let mut middle = runs.swap_remove(runs.len() / 2);
    middle.faults = faults;
    middle
}

/// Median, 99th percentile and greatest of these, microseconds to milliseconds.
pub fn quantiles(mut micros: Vec<u32>) -> Option<[f64; 3]> {
    if micros.is_empty() {
        return None;
    }
    micros.sort_unstable();
    let at = |share: f64| f64::from(micros[((micros.len() - 1) as f64 * share) as usize]) / 1000.0;
    Some([at(0.5), at(0.99), at(1.0)])
}
