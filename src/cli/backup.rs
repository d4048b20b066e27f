//! `chatd backup` and `chatd restore`: the database in one compressed file, with a checksum beside it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::{Setup, confirm};
use crate::clock;
use crate::store::{self, Lock, Pace, database_path};

const PIECE: usize = 256 * 1024;
/// How often it is said how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// Where to; it must not be there yet (chat-2026-11-23.db.gz, for example)
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// What `chatd backup` has made, or a copy of a database
    file: PathBuf,
    /// Only look whether it is whole and can be restored
    #[arg(long)]
    check: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub fn backup(setup: &Setup, args: &BackupArgs) -> anyhow::Result<()> {
    let (config, _) = setup.load()?;
    let file = &args.file;
    if fs::exists(file)? {
        bail!("{} is there already: name a file that is not", file.display());
    }
    let (copy, packed) = (Part::beside(file, "copy")?, Part::beside(file, "part")?);
    be_humble();
    copy_and_tell(&config.server.data_dir, &copy.0)?;
    let examined = store::examine(&copy.0)?;
    let from = File::open(&copy.0).with_context(|| copy.name())?;
    let size = from.metadata()?.len();
    let to = Hashing { to: BufWriter::new(packed.open()?), hash: Sha256::new() };
    let mut encoder = GzEncoder::new(to, Compression::fast());
    pump(from, &mut encoder, size, "compressing", Some(Pace::of(&packed.0))).with_context(|| packed.name())?;
    let Hashing { to, hash } = encoder.finish().with_context(|| packed.name())?;
    to.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sum = with_end(file, ".sha256");
    fs::write(&sum, format!("{}  {name}\n", hex(&hash))).with_context(|| sum.display().to_string())?;
    fs::rename(&packed.0, file).with_context(|| file.display().to_string())?;
    writeln!(
        io::stdout(),
        "{}: {} accounts, {} rooms, {} events; its checksum is in {}",
        file.display(),
        examined.accounts,
        examined.rooms,
        examined.events,
        sum.display()
    )?;
    Ok(())
}

pub fn restore(setup: &Setup, args: &RestoreArgs) -> anyhow::Result<()> {
    let (config, _) = setup.load()?;
    let (dir, file) = (&config.server.data_dir, &args.file);
    // Taken before anything else and held to the end: nobody serves what is being replaced.
    let _lock = if args.check { None } else { Some(Lock::take(dir)?) };
    verify(file)?;
    let target = database_path(dir);
    let new = Part::beside(if args.check { file } else { &target }, "restored")?;
    let mut out = BufWriter::new(new.open()?);
    unpack(file, &mut out).with_context(|| format!("{} cannot be unpacked", file.display()))?;
    out.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    progress("checking");
    let examined = store::examine(&new.0).with_context(|| file.display().to_string())?;
    let holds = format!("{} accounts, {} rooms, {} events", examined.accounts, examined.rooms, examined.events);
    if args.check {
        writeln!(io::stdout(), "{} is whole: {holds}", file.display())?;
        return Ok(());
    }
    let aside = with_end(&target, &format!(".before-{}", clock::now().0));
    let replaces = fs::exists(&target)?;
    if replaces {
        let question = format!("Replace {} by what is in {} ({holds})?", target.display(), file.display());
        if !confirm(&question, args.yes)? {
            bail!("nothing was changed");
        }
        // The log of writes first: without the database it means nothing to anybody.
        for end in ["-wal", "-shm", ""] {
            let (from, to) = (with_end(&target, end), with_end(&aside, end));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.with_context(|| from.display().to_string())?,
            }
        }
    }
    fs::rename(&new.0, &target).with_context(|| target.display().to_string())?;
    File::open(dir)?.sync_all()?;
    write!(io::stdout(), "restored: {holds}")?;
    if replaces {
        write!(io::stdout(), "; what was there before is {}", aside.display())?;
    }
    Ok(writeln!(io::stdout())?)
}

/// Those who chat come first: to the processor, and with most schedulers to the disk, too.
fn be_humble() {
    // Where it is not allowed, the backup is made all the same.
    let _ = rustix::process::nice(10);
}

/// Copies, and says how far it is.
fn copy_and_tell(data_dir: &Path, to: &Path) -> anyhow::Result<()> {
    let size = fs::metadata(database_path(data_dir)).map_or(0, |file| file.len());
    progress("copying");
    std::thread::scope(|scope| {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = wait.recv_timeout(TELL_EVERY) {
                if let Some(percent) = fs::metadata(to).ok().and_then(|file| (file.len() * 100).checked_div(size)) {
                    progress(&format!("copying {} %", percent.min(100)));
                }
            }
        });
        let copied = store::copy_whole(data_dir, to);
        drop(done);
        copied
    })?;
    Ok(())
}

/// Compares with the checksum beside the file, if there is one.
fn verify(file: &Path) -> anyhow::Result<()> {
    let sum = with_end(file, ".sha256");
    let wanted = match fs::read_to_string(&sum) {
        Ok(text) => text.split_whitespace().next().unwrap_or_default().to_lowercase(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            writeln!(io::stderr(), "chatd: there is no {}: only the file itself is checked", sum.display())?;
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| sum.display().to_string()),
    };
    let from = File::open(file).with_context(|| file.display().to_string())?;
    let size = from.metadata()?.len();
    let mut hashing = Hashing { to: io::sink(), hash: Sha256::new() };
    pump(from, &mut hashing, size, "reading", None).with_context(|| file.display().to_string())?;
    if hex(&hashing.hash) != wanted {
        bail!(
            "{} is not what was written: its checksum differs from {}; take another copy",
            file.display(),
            sum.display()
        );
    }
    Ok(())
}

fn unpack(file: &Path, out: &mut impl Write) -> io::Result<()> {
    let mut from = File::open(file)?;
    let size = from.metadata()?.len();
    let mut start = Vec::new();
    Read::by_ref(&mut from).take(2).read_to_end(&mut start)?;
    let packed = start == [0x1f, 0x8b];
    let from = io::Cursor::new(start).chain(from);
    match packed {
        true => pump(GzDecoder::new(BufReader::new(from)), out, 0, "unpacking", None),
        false => pump(from, out, size, "copying", None),
    }
}

/// Copies all, and tells a terminal how far it is; `size` 0: not known.
/// `pace`: of the file that it goes into, if others need the disk meanwhile.
fn pump(mut from: impl Read, to: &mut impl Write, size: u64, what: &str, mut pace: Option<Pace>) -> io::Result<()> {
    let (mut piece, mut done, mut told) = (vec![0; PIECE], 0u64, u64::MAX);
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return to.flush();
        }
        to.write_all(&piece[..count])?;
        pace.as_mut().map(Pace::keep);
        done += count as u64;
        let percent = (done * 100).checked_div(size).unwrap_or(0).min(100);
        if percent != told && size > 0 {
            told = percent;
            progress(&format!("{what} {percent} %"));
        }
    }
}

/// One line on a terminal, over and over; nothing elsewhere.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        // Nobody is to lose a backup over it.
        let _ = write!(io::stderr(), "\r\x1b[K{text}\r");
    }
}

struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn hex(hash: &Sha256) -> String {
    hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file in the making, for its owner's eyes only; gone when it is dropped, unless it has become something else.
struct Part(PathBuf);

impl Part {
    fn beside(file: &Path, what: &str) -> anyhow::Result<Part> {
        let part = Part(with_end(file, &format!(".{what}-{}", std::process::id())));
        part.open()?;
        Ok(part)
    }

    fn open(&self) -> anyhow::Result<File> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.0);
        file.with_context(|| format!("cannot write {}", self.name()))
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
