//! The load program: drives a chat server over TLS with up to thousands of clients from this one process, and says what
//! that cost the server. `benches/run` is the command that runs all of it; `docs/benchmarks/` holds what it found.
//!
//! Every kind of load checks what it measures: each line arrives once at everybody, each sender's lines in their order,
//! and it counts how many different orders of the same room its members have seen.

mod acts;
mod chatd;
mod churn;
mod client;
mod crowd;
mod figures;
mod idle;
mod ingest;
mod kinds;
mod logins;
mod marks;
mod pair;
mod past;
mod peers;
mod plots;
mod report;
mod server;
mod targets;
mod trouble;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Measures chat servers side by side.
#[derive(Parser)]
struct Args {
    /// The servers to measure: chatd (or chatd=PATH for another build), inspircd, ngircd, or ergo=PATH for a binary of Ergo.
    #[arg(long, value_delimiter = ',', default_value = "chatd,inspircd,ngircd")]
    servers: Vec<server::Kind>,
    /// Only the kinds of load whose name holds one of these words. What is known of the others is kept.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Everything small and short: to see that it works, not to measure.
    #[arg(long)]
    quick: bool,
    /// Times each kind of load is run, the servers in turns; the middle result counts. Default: 3 where chatd stands beside
    /// others, else 1.
    #[arg(long)]
    runs: Option<usize>,
    /// Also the churn of people who come and go, for so many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// Where the results go: README.md, results.json and plots.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only makes the log of so many lines that other kinds will read.
    #[arg(long)]
    make: Option<usize>,
    /// What a second process of this program is to do.
    #[arg(long, hide = true)]
    act: Option<String>,
    /// What Cargo gives to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(act) = &args.act {
        return acts::main(act);
    }
    if let Some(lines) = args.make {
        return chatd::keep(lines).map(|_| ());
    }
    // One thread: the servers are to have the other processor for themselves.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut results = match &args.out {
        Some(out) => report::Results::read(out, args.quick)?,
        None => report::Results::new(args.quick),
    };
    let mut faults = Vec::new();
    for kind in kinds::all(args.quick, args.minutes) {
        if !args.only.is_empty() && !args.only.iter().any(|word| kind.name.contains(word.as_str())) {
            continue;
        }
        // In turns, so that a bad minute of the machine is not one server's alone.
        let mut servers: Vec<_> =
            args.servers.iter().filter(|server| kind.suits(server)).map(|s| (s, vec![])).collect();
        for _ in 0..args.runs.unwrap_or(kind.runs()).max(1) {
            for (server, runs) in &mut servers {
                let local = tokio::task::LocalSet::new();
                let run = runtime.block_on(local.run_until(kind.run(server)));
                match run.with_context(|| format!("{}: {}", kind.name, server.name())) {
                    Ok(run) => runs.push(run),
                    Err(error) => {
                        eprintln!("{error:#}");
                        faults.push(format!("{error:#}"));
                    }
                }
            }
        }
        for (server, runs) in servers.into_iter().filter(|(_, runs)| !runs.is_empty()) {
            if runs.len() > 1 {
                let each: Vec<String> = runs.iter().map(|run| format!("{:.2}", run.cpu_us())).collect();
                println!("{} {}: {} us", kind.name, server.name(), each.join(", "));
            }
            let mut figures = figures::middle(runs);
            figures.version = server.version();
            figures.when = report::now();
            println!("{}", figures.line());
            if figures.faults > 0 && server.is_chatd() {
                faults.push(format!("{}: {} faults", figures.kind, figures.faults));
            }
            results.add(figures);
            // After each, so that an interrupted run leaves what it has.
            if let Some(out) = &args.out {
                results.write(out)?;
            }
        }
    }
    if let Some(out) = &args.out {
        println!("written: {}", out.display());
    }
    if !faults.is_empty() {
        eprintln!("not all was whole:\n{}", faults.join("\n"));
        std::process::exit(1);
    }
    Ok(())
}
