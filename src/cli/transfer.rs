//! `chatd export` and `chatd import`: the whole server as lines of JSON (docs/export-format.md), and back.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::output::new_file;
use super::{Setup, usage};
use crate::store::{Lock, Writer};

/// Lines between two looks at how far it is.
const TELL_EVERY: u64 = 10_000;
/// Messages given to the index in one step.
const INDEX_STEP: usize = 2_000;

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Where to; it must not be there yet. "-" or nothing: to the standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// With what people log in with: hashes of passwords, tokens, invitations. Without it, everybody needs a new password
    /// after an import
    #[arg(long)]
    with_secrets: bool,
}

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// What `chatd export` wrote ("-": from the standard input); with --from: files or folders of logs, or a Slack export
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    foreign: super::import::Args,
}

pub fn export(setup: &Setup, args: &ExportArgs) -> anyhow::Result<()> {
    let reader = setup.reader()?;
    if args.file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        reader.export(args.with_secrets, |line| writeln!(out, "{line}"))?;
        return Ok(out.flush()?);
    }
    let mut told = Told::new("exported");
    let rows = new_file(&args.file, |out| {
        let rows = reader.export(args.with_secrets, |line| {
            told.another();
            writeln!(out, "{line}")
        });
        told.end();
        Ok(rows?)
    })?;
    let secrets = if args.with_secrets { "; keep it secret: people can be logged in as with it" } else { "" };
    Ok(writeln!(io::stdout(), "{}: {rows} rows{secrets}", args.file.display())?)
}

pub fn import(setup: &Setup, args: &ImportArgs) -> anyhow::Result<()> {
    if let Some(format) = args.foreign.from {
        return super::import::run(setup, &args.foreign, format, &args.files);
    }
    let [file] = &args.files[..] else {
        return usage(
            "what `chatd export` wrote is one file; for logs of other systems say which: --from weechat, irssi, znc, slack",
        );
    };
    let (config, _) = setup.load()?;
    let dir = &config.server.data_dir;
    let from: Box<dyn BufRead> = match file == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(file).with_context(|| file.display().to_string())?)),
    };
    let _lock = Lock::take(dir)?;
    let mut writer = Writer::open(dir)?;
    if !writer.is_empty()? {
        bail!(
            "there are accounts or rooms in {} already: an import is for a new server; name an empty data_dir, or move \
             chat.db aside",
            dir.display()
        );
    }
    let mut told = Told::new("imported");
    let tx = writer.begin()?;
    let imported = tx.import(from.lines().inspect(|_| told.another()));
    told.end();
    let imported = imported.with_context(|| format!("{} (nothing was imported)", file.display()))?;
    tx.commit()?;
    // The words are no part of it: searching works without them, slowly, should this be interrupted.
    loop {
        let tx = writer.begin()?;
        let done = tx.index(INDEX_STEP)?;
        tx.commit()?;
        if done < INDEX_STEP {
            break;
        }
    }
    drop(writer);
    writeln!(io::stdout(), "{} rows imported into {}", imported.rows, dir.display())?;
    if !imported.secrets {
        writeln!(io::stdout(), "No passwords were in it: `chatd user passwd NAME` gives an account a new one.")?;
    }
    Ok(())
}

/// How far it is, on a terminal.
struct Told {
    what: &'static str,
    lines: u64,
    terminal: bool,
}

impl Told {
    fn new(what: &'static str) -> Told {
        Told { what, lines: 0, terminal: io::stderr().is_terminal() }
    }

    fn another(&mut self) {
        self.lines += 1;
        if self.terminal && self.lines.is_multiple_of(TELL_EVERY) {
            let _ = write!(io::stderr(), "\r{} {} lines", self.what, self.lines);
        }
    }

    fn end(&self) {
        if self.terminal && self.lines >= TELL_EVERY {
            let _ = writeln!(io::stderr());
        }
    }
}
