//! Files that commands make for people: new, for their owner alone, whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

/// Makes a file that must not be there yet, and has it filled. If that fails, nothing is left of it.
pub fn new_file<T>(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let name = || path.display().to_string();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(name)?;
    let mut out = BufWriter::new(file);
    let filled = fill(&mut out).and_then(|done| {
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(done)
    });
    if filled.is_err() {
        // Half a file is no use to anybody; the error is told either way.
        let _ = fs::remove_file(path);
    }
    filled.with_context(name)
}
