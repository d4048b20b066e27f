//! What one measurement says, and how it is printed.

use serde::Serialize;

/// The result of one kind of load on one server.
#[derive(Clone, Serialize)]
pub struct Figures {
    pub kind: String,
    pub server: String,
    /// What is counted: a delivery, a message, a connection, a page.
    pub unit: &'static str,
    pub units: u64,
    /// Wall time of the measured part, seconds.
    pub seconds: f64,
    /// Processor time of the server in it, seconds (`/proc/PID/stat`, user and system).
    pub cpu: f64,
    /// Milliseconds: median, 99th percentile, most.
    pub latency: Option<[f64; 3]>,
    /// The server's memory: per unit where the unit is a connection, else at the end. KiB.
    pub memory_kib: f64,
    /// How many different orders of one room its members have seen; 1 is right.
    pub orders: Option<usize>,
    /// Lines lost, doubled or out of their sender's order.
    pub faults: u64,
    /// Whatever else belongs to it.
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

    pub fn line(&self) -> String {
        let latency = self
            .latency
            .map_or(String::new(), |[p50, p99, max]| format!("  p50 {p50:.2} p99 {p99:.2} max {max:.1} ms"));
        let orders = self.orders.map_or(String::new(), |orders| format!("  orders {orders}"));
        let faults = if self.faults == 0 { String::new() } else { format!("  FAULTS {}", self.faults) };
        format!(
            "{:34} {:9} {:8.2} us/{}  {:10.0} /s{latency}  {:.1} KiB{orders}{faults}  {}",
            self.kind,
            self.server,
            self.cpu_us(),
            self.unit,
            self.rate(),
            self.memory_kib,
            self.note
        )
    }
}

/// The run whose cost per unit is in the middle.
pub fn middle(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|a, b| a.cpu_us().total_cmp(&b.cpu_us()));
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
