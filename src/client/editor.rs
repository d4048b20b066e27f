//! The line being typed, in its own thread, and lines of text shown above it without tearing it.
//!
//! Two threads: one reads lines (rustyline), one prints. rustyline prints through a slot that is emptied only while a
//! line is being edited, so the printing thread waits at a gate that opens when editing has begun and closes when
//! Enter is pressed: otherwise a text left in the slot could be overtaken by the next one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context, ExternalPrinter, Helper};
use tokio::sync::mpsc;
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use super::command;

/// Texts waiting to be printed. When there are as many, [`Screen::ready`] waits, and with it the reading of the
/// network: a terminal that is stopped stops the flow, nothing piles up.
const PRINTS_MAX: usize = 64;
/// Names Tab can complete.
const NAMES_MAX: usize = 5000;

/// What came from the keyboard.
pub enum Typed {
    Line(String),
    /// What [`Editor::ask_secret`] asked for.
    Secret(Zeroizing<String>),
    /// Ctrl-C on the line.
    Interrupted,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// The editor's side that takes keys. After each [`Typed`] it waits for the next [`Editor::ask`].
pub struct Editor {
    pub typed: mpsc::Receiver<Typed>,
    asks: SyncSender<Ask>,
    asked: bool,
}

/// Where texts for the person go: straight to the terminal at first, above the line being typed later.
pub struct Screen {
    printer: Option<Printer>,
    /// What did not fit into the queue yet: the texts of one thing heard.
    waiting: String,
}

struct Printer {
    queue: mpsc::Sender<String>,
    thread: JoinHandle<()>,
    gate: Arc<Gate>,
    names: Arc<Mutex<BTreeSet<String>>>,
    /// How the terminal was before, as `stty -g` says it.
    before: Option<String>,
}

struct Ask {
    prompt: String,
    initial: String,
    secret: bool,
}

/// Starts the editor on this terminal. `Err`: it is too simple a terminal for that.
pub fn start(screen: &mut Screen) -> Result<Editor, ReadlineError> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .auto_add_history(false)
        .max_history_size(500)?
        .build();
    let history = MemHistory::with_config(&config);
    let mut line_editor = rustyline::Editor::<Assistant, MemHistory>::with_history(config, history)?;
    let mut external = line_editor.create_external_printer()?;
    let gate = Arc::new(Gate::default());
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    line_editor.set_helper(Some(Assistant {
        gate: gate.clone(),
        names: names.clone(),
        masking: AtomicBool::new(false),
    }));

    let (queue, mut prints) = mpsc::channel::<String>(PRINTS_MAX);
    let at_gate = gate.clone();
    let thread = std::thread::Builder::new().name("print".into()).spawn(move || {
        while let Some(text) = prints.blocking_recv() {
            at_gate.wait();
            if external.print(text).is_err() {
                return;
            }
        }
    })?;
    // One line typed, one answered: neither queue can fill.
    let (typed_in, typed) = mpsc::channel(2);
    let (asks, asked) = sync_channel(2);
    let gate_of_keys = gate.clone();
    std::thread::Builder::new()
        .name("edit".into())
        .spawn(move || edit(line_editor, &asked, &typed_in, &gate_of_keys))?;
    screen.printer = Some(Printer { queue, thread, gate, names, before: stty(&["-g"]) });
    Ok(Editor { typed, asks, asked: false })
}

impl Editor {
    /// Lets the person type, after `prompt`, with `initial` typed already. Once for each [`Typed`].
    pub fn ask(&mut self, prompt: String, initial: String) {
        if !self.asked {
            self.asked = self.asks.try_send(Ask { prompt, initial, secret: false }).is_ok();
        }
    }

    /// As [`Editor::ask`], for what nobody may see: it is not shown, and the arrow keys do not bring it back.
    pub fn ask_secret(&mut self, prompt: String) {
        if !self.asked {
            self.asked = self.asks.try_send(Ask { prompt, initial: String::new(), secret: true }).is_ok();
        }
    }

    /// The next thing typed; pending while nothing was asked.
    pub async fn next(&mut self) -> Typed {
        let typed = self.typed.recv().await.unwrap_or(Typed::End);
        self.asked = false;
        typed
    }

    pub fn is_typing(&self) -> bool {
        self.asked
    }
}

impl Screen {
    pub fn new() -> Screen {
        Screen { printer: None, waiting: String::new() }
    }

    /// Shows whole lines, each ended.
    pub fn print(&mut self, text: &str) {
        self.waiting.push_str(text);
        self.pass_on();
    }

    /// Whether the terminal takes no more for now.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits until what was printed is on its way to the terminal. May be dropped at any time.
    pub async fn ready(&mut self) {
        while !self.waiting.is_empty() {
            match &self.printer {
                Some(printer) => match printer.queue.reserve().await {
                    Ok(permit) => permit.send(std::mem::take(&mut self.waiting)),
                    Err(_) => self.waiting.clear(),
                },
                None => self.pass_on(),
            }
        }
    }

    /// Tells the names that Tab completes.
    pub fn names(&self, names: impl Iterator<Item = String>) {
        if let Some(printer) = &self.printer {
            let mut known = lock(&printer.names);
            for name in names {
                if known.len() < NAMES_MAX {
                    known.insert(name);
                }
            }
        }
    }

    /// Prints what is left and leaves the terminal as it was, also in the middle of a line being typed.
    pub fn close(mut self, typing: bool) {
        let rest = std::mem::take(&mut self.waiting);
        let Some(printer) = self.printer.take() else { return };
        let Printer { queue, thread, gate, before, .. } = printer;
        let _ = queue.try_send(rest);
        drop(queue);
        gate.set(true);
        for _ in 0..20 {
            if thread.is_finished() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if typing {
            // The editor cannot be called back: give it a moment to print, then set the terminal right ourselves.
            std::thread::sleep(Duration::from_millis(50));
            if let Some(before) = before {
                stty(&[&before]);
            }
            let mut out = io::stdout().lock();
            let _ = out.write_all(b"\x1b[?2004l\r\x1b[J").and_then(|()| out.flush());
        }
    }

    fn pass_on(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match &self.printer {
            Some(printer) => {
                if let Ok(permit) = printer.queue.try_reserve() {
                    permit.send(std::mem::take(&mut self.waiting));
                }
            }
            None => {
                let mut out = io::stdout().lock();
                // A terminal that is gone is noticed by the editor.
                let _ = out.write_all(self.waiting.as_bytes()).and_then(|()| out.flush());
                self.waiting.clear();
            }
        }
    }
}

impl Default for Screen {
    fn default() -> Screen {
        Screen::new()
    }
}

fn edit(
    mut editor: rustyline::Editor<Assistant, MemHistory>,
    asks: &Receiver<Ask>,
    typed: &mpsc::Sender<Typed>,
    gate: &Gate,
) {
    while let Ok(Ask { prompt, initial, secret }) = asks.recv() {
        if let Some(assistant) = editor.helper() {
            assistant.masking.store(secret, Ordering::Relaxed);
        }
        // Masking is a way of highlighting, which must work without colours too.
        editor.set_color_mode(if secret { ColorMode::Forced } else { ColorMode::Enabled });
        let result = editor.readline_with_initial(prompt.as_str(), (&initial, ""));
        gate.set(false);
        let what = match result {
            Ok(line) => {
                // The line comes back when it is stored: what was typed makes room for it.
                let columns = editor.dimensions().map_or(80, |(columns, _)| usize::from(columns)).max(1);
                erase(&prompt, &line, columns);
                if secret {
                    Typed::Secret(Zeroizing::new(line))
                } else {
                    if command::parse(&line).is_none_or(|command| command.may_be_kept()) {
                        let _full_or_ignored = editor.add_history_entry(line.as_str());
                    }
                    Typed::Line(line)
                }
            }
            Err(ReadlineError::Interrupted) => Typed::Interrupted,
            Err(_) => Typed::End,
        };
        if typed.blocking_send(what).is_err() {
            return;
        }
    }
}

fn erase(prompt: &str, line: &str, columns: usize) {
    let mut rows = 0;
    for (at, part) in line.split('\n').enumerate() {
        let before = if at == 0 { prompt.width() } else { 0 };
        rows += (before + part.width()) / columns + 1;
    }
    let mut out = io::stdout().lock();
    let _ = write!(out, "\x1b[{rows}A\r\x1b[J").and_then(|()| out.flush());
}

/// Runs `stty` on our terminal and returns what it prints.
fn stty(args: &[&str]) -> Option<String> {
    let output = Command::new("stty").args(args).stdin(Stdio::inherit()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Open while a line is being edited.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, open: bool) {
        *lock(&self.open) = open;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut open = lock(&self.open);
        while !*open {
            open = self.changed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// rustyline's way to ask us things while editing; two of its questions tell us when editing begins and ends.
struct Assistant {
    gate: Arc<Gate>,
    names: Arc<Mutex<BTreeSet<String>>>,
    /// What is typed is not shown.
    masking: AtomicBool,
}

impl Assistant {
    fn is_masking(&self) -> bool {
        self.masking.load(Ordering::Relaxed)
    }
}

impl Helper for Assistant {}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.is_masking() { Cow::Owned(" ".repeat(line.width())) } else { Cow::Borrowed(line) }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.is_masking() && !matches!(kind, CmdKind::MoveCursor)
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, _line: &str, _pos: usize, _ctx: &Context<'_>) -> Option<String> {
        self.gate.set(true);
        None
    }
}

impl Validator for Assistant {
    fn validate(&self, _ctx: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        self.gate.set(false);
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _ctx: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..pos];
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = typed[start..].to_lowercase();
        if word.is_empty() || self.is_masking() {
            return Ok((start, Vec::new()));
        }
        let names = lock(&self.names);
        let fitting = names.iter().filter(|name| name.to_lowercase().starts_with(&word));
        let end = if start == 0 { ": " } else { " " };
        let rooms_end = |name: &str| if name.starts_with(|c: char| c.is_alphanumeric()) { end } else { " " };
        Ok((start, fitting.map(|name| format!("{name}{}", rooms_end(name))).collect()))
    }
}
