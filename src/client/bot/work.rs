//! One run of a bot's command: its input, its output, its end. Blocking; called on a thread for such work.
//!
//! Promises to end in time, with all that the command has begun, and to keep no more than a message's worth of output.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of an answer; what a command prints beyond is left away.
const OUTPUT_MAX: u64 = 16 * 1024;
/// How often one looks whether a command has ended that has closed its output.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub struct Job {
    /// For `sh -c`, as whoever runs the bot wrote it.
    pub exec: String,
    pub variables: Vec<(&'static str, String)>,
    pub input: String,
    pub timeout: Duration,
}

/// The process groups that run: a bot that ends takes its commands with it.
#[derive(Debug, Clone, Default)]
pub struct Groups(Arc<Mutex<BTreeSet<u32>>>);

impl Groups {
    pub fn end_all(&self) {
        let groups = self.0.lock().map(|groups| groups.clone()).unwrap_or_default();
        groups.into_iter().for_each(end_group);
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<u32>)) {
        if let Ok(mut groups) = self.0.lock() {
            change(&mut groups);
        }
    }
}

/// What the command prints, if it ends well and in time; else why there is nothing.
pub fn work(job: Job, groups: &Groups) -> Result<String, String> {
    let child = Command::new("sh")
        .arg("-c")
        .arg(&job.exec)
        // Where the bot's password lies is not the command's business.
        .env_remove("CHAT_PASSWORD_FILE")
        .envs(job.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = child.map_err(|error| format!("the command cannot be run: {error}"))?;
    let group = child.id();
    groups.change(|groups| {
        groups.insert(group);
    });
    let result = finish(&mut child, job.input, Instant::now() + job.timeout);
    if result.is_err() {
        // With all that it has begun.
        end_group(group);
        // Should that not have worked: the command alone.
        let _ = child.kill();
        let _ = child.wait();
    }
    groups.change(|groups| {
        groups.remove(&group);
    });
    result
}

fn finish(child: &mut Child, input: String, deadline: Instant) -> Result<String, String> {
    let late = || "the command took too long".to_owned();
    if let Some(mut stdin) = child.stdin.take() {
        // A command need not read what it is told.
        thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let (done, output) = mpsc::sync_channel(1);
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || drop(done.send(read(stdout))));
    }
    let left = deadline.saturating_duration_since(Instant::now());
    let bytes = output.recv_timeout(left).map_err(|_| late())?.map_err(|error| format!("its output: {error}"))?;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() >= deadline => return Err(late()),
            None => thread::sleep(LOOK_EVERY),
        }
    };
    if !status.success() {
        return Err(format!("the command failed ({status})"));
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn read(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.by_ref().take(OUTPUT_MAX).read_to_end(&mut bytes)?;
    // Read to its end, so that the command can come to its own.
    io::copy(&mut from, &mut io::sink())?;
    Ok(bytes)
}

fn end_group(group: u32) {
    let _ = Command::new("sh").args(["-c", &format!("kill -s KILL -- -{group}")]).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(exec: &str, timeout: u64) -> Result<String, String> {
        let variables = vec![("CHAT_TEXT", "$(echo no) `no` \"; no".to_owned())];
        let (input, timeout) = ("line one\nline two\n".to_owned(), Duration::from_secs(timeout));
        work(Job { exec: exec.to_owned(), variables, input, timeout }, &Groups::default())
    }

    #[test]
    fn a_command_is_told_the_message_and_answers() {
        assert_eq!(run("cat", 60).as_deref(), Ok("line one\nline two"));
        assert_eq!(run("printf '%s' \"$CHAT_TEXT\"", 60).as_deref(), Ok("$(echo no) `no` \"; no"));
        assert_eq!(run("true", 60).as_deref(), Ok(""));
        assert!(run("echo half; exit 3", 60).unwrap_err().contains('3'));
        assert_eq!(run("head -c 1000000 /dev/zero | tr '\\0' x", 60).unwrap().len() as u64, OUTPUT_MAX);
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let exec = format!("sleep 1000 & echo $! > {}; wait", path.display());
        assert!(run(&exec, 1).unwrap_err().contains("too long"));
        let pid = std::fs::read_to_string(path).unwrap();
        let gone = || !std::path::Path::new("/proc").join(pid.trim()).join("exe").exists();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !gone() && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        assert!(gone(), "the child lives on");
    }
}
