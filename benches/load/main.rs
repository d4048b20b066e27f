//! The load program: drives a chat server over TLS with up to thousands of clients from this one process, and says what
//! that cost the server. `benches/run` is the command that runs all of it; `docs/benchmarks/` holds what it found.
//!
//! Every kind of load checks what it measures: each line arrives once at everybody, each sender's lines in their order,
//! and it counts how many different orders of the same room its members have seen.

mod chatd;
mod client;
mod crowd;
mod figures;
mod kinds;
mod report;
mod server;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Measures chat servers side by side.
#[derive(Parser)]
struct Args {
    /// The servers to measure: chatd, inspircd, ngircd, or ergo=PATH for a binary of Ergo.
    #[arg(long, value_delimiter = ',', default_value = "chatd,inspircd,ngircd")]
    servers: Vec<server::Kind>,
    /// Only the kinds of load whose name holds one of these words.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Everything small and short: to see that it works, not to measure.
    #[arg(long)]
    quick: bool,
    /// Times each kind of load is run; the middle result counts.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Where the results go: results.json, README.md and plots.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What Cargo gives to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // One thread: the servers are to have the other processor for themselves.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut results = report::Results::new(args.quick);
    for kind in kinds::all(args.quick) {
        if !args.only.is_empty() && !args.only.iter().any(|word| kind.name.contains(word.as_str())) {
            continue;
        }
        for server in args.servers.iter().filter(|server| kind.suits(server)) {
            let mut runs = Vec::new();
            for _ in 0..args.runs.max(1) {
                let run = runtime.block_on(kind.run(server));
                runs.push(run.with_context(|| format!("{}: {}", kind.name, server.name()))?);
            }
            let figures = figures::middle(runs);
            println!("{}", figures.line());
            results.add(figures);
        }
    }
    if let Some(out) = &args.out {
        results.write(out)?;
        println!("written: {}", out.display());
    }
    match results.faults() {
        0 => Ok(()),
        faults => anyhow::bail!("{faults} of the measurements were not whole: see above"),
    }
}
