//! Runs the programs under test as commands, with their input, output and a limit in time.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::DEADLINE;

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// It has to have succeeded; gives back what it printed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "the command failed: {self:#?}");
        self.stdout
    }

    /// It has to have failed with this exit code; gives back what it complained.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "the command ended otherwise: {self:#?}");
        assert!(!self.stderr.trim().is_empty(), "a failure without a word on stderr");
        assert!(!self.stderr.contains("panicked"), "a panic: {}", self.stderr);
        self.stderr
    }
}

/// Runs `command` to its end, `input` as its standard input.
pub fn run(command: &mut Command, input: &str) -> Finished {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|err| panic!("cannot run {shown}: {err}"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let stdout = drain(child.stdout.take().expect("piped"));
    let stderr = drain(child.stderr.take().expect("piped"));
    let Some(status) = wait(&mut child, DEADLINE) else {
        let _ = child.kill();
        let _ = child.wait();
        let (out, err) = (stdout.join().expect("reader"), stderr.join().expect("reader"));
        panic!("{shown} did not end\n--- stdout\n{out}\n--- stderr\n{err}");
    };
    Finished {
        code: status.code().unwrap_or(-1),
        stdout: stdout.join().expect("reader"),
        stderr: stderr.join().expect("reader"),
    }
}

/// Waits for the end of a child; `None` if it still runs after `limit`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let give_up = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our child") {
            return Some(status);
        }
        if Instant::now() > give_up {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal by its short name (`TERM`, `HUP`).
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().expect("sh");
    assert!(status.success(), "cannot send SIG{name} to {pid}");
}

fn drain(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
