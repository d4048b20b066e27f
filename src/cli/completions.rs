//! `chatd completions`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// For bash: `chatd completions bash > /etc/bash_completion.d/chatd`
    shell: Shell,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    // Into memory first: the generator panics when the pipe it writes to is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "chatd", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
