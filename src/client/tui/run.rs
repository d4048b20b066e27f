//! The screen at work: keys from the terminal, lines from the server, and the clock go into the model; what it wants is
//! done. A lost connection is dialled again, later and later, and never by all clients at the same moment.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::model::{Conn, Effect, Model, Settings};
use super::terminal::Screen;
use super::view::{Areas, message_size};
use crate::client::dial::{DialError, Dialer, TlsLink};
use crate::client::text::clean;
use crate::clock;
use crate::event::Millis;

const TICK: Duration = Duration::from_millis(200);
/// Drawn at most this often, however much comes.
const FRAME: Duration = Duration::from_millis(16);
const BACKOFF_MIN: Duration = Duration::from_millis(400);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// A text from $EDITOR.
const EDITED_MAX: u64 = 128 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("cannot use this terminal ({0}); chat --plain needs less of it")]
    Terminal(#[from] io::Error),
}

/// What belongs to this person and this machine.
pub struct Own {
    pub notify_command: Option<String>,
    /// Where what is chosen while talking is kept.
    pub choices: PathBuf,
}

type Dialing<'a> = Pin<Box<dyn Future<Output = Result<TlsLink, DialError>> + 'a>>;

/// Talks until the person leaves. `link` has just logged in.
pub async fn run(
    dialer: &Dialer,
    link: TlsLink,
    settings: Settings,
    own: Own,
    (greetings, welcome): (Vec<String>, Vec<String>),
) -> Result<(), ScreenError> {
    let mouse = settings.mouse;
    let model = Model::new(link.session.nick(), &dialer.address.place(), settings);
    let mut at_work = AtWork {
        model,
        areas: Areas::default(),
        dirty: true,
        drawn: Instant::now() - FRAME,
        screen: Screen::open(mouse)?,
        editing: None,
        own,
        notifying: None,
        leaving: None,
    };
    for text in greetings {
        at_work.model.hint(clean(&text), clock::now());
    }
    at_work.model.welcome = welcome;
    let (reason, link, result) = at_work.until_end(dialer, link).await;
    let unsent = at_work.model.unsent();
    drop(at_work.screen);
    for text in unsent {
        eprintln!("chat: not sent: {text}");
    }
    if let Some(link) = link {
        link.quit(&reason).await;
    }
    result
}

struct AtWork {
    model: Model,
    areas: Areas,
    dirty: bool,
    drawn: Instant,
    screen: Screen,
    /// The person's own editor has the terminal.
    editing: Option<JoinHandle<io::Result<String>>>,
    own: Own,
    /// One at a time: while it runs nobody else is told.
    notifying: Option<JoinHandle<()>>,
    /// Leaving was asked for, with messages unsent: it waits for them, and is told this.
    leaving: Option<String>,
}

impl AtWork {
    async fn until_end(
        &mut self,
        dialer: &Dialer,
        link: TlsLink,
    ) -> (String, Option<TlsLink>, Result<(), ScreenError>) {
        let mut link = Some(link);
        let mut dialing: Option<Dialing> = None;
        let mut pause = BACKOFF_MIN;
        let mut again: Option<Instant> = None;
        let mut keys = Some(EventStream::new());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // An interrupt is for the editor, if it is for anybody.
        let mut signals = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit(), SignalKind::interrupt()]
            .map(|kind| signal(kind).ok());
        loop {
            if let Err(error) = self.draw_if_due() {
                return (String::new(), link, Err(error.into()));
            }
            let frame = self.drawn + FRAME;
            let [terminate, hangup, quit, interrupt] = &mut signals;
            tokio::select! {
                biased;
                () = heard(terminate) => return (String::new(), link, Ok(())),
                () = heard(hangup) => return (String::new(), link, Ok(())),
                () = heard(quit) => return (String::new(), link, Ok(())),
                () = heard(interrupt) => {}
                event = next_key(&mut keys) => match event {
                    Some(Ok(event)) => self.event(event, link.as_mut()),
                    Some(Err(error)) => return (String::new(), link, Err(error.into())),
                    None => return (String::new(), link, Ok(())),
                },
                _ = ticks.tick() => {
                    let session = link.as_mut().map(|link| &mut link.session);
                    // The size is looked at too: not every terminal says when it changes.
                    self.dirty |= self.model.tick(session, clock::now()) | self.screen.has_changed();
                }
                text = edited(&mut self.editing) => {
                    self.editing = None;
                    if let Err(error) = self.screen.come_back() {
                        return (String::new(), link, Err(error.into()));
                    }
                    keys = Some(EventStream::new());
                    match text {
                        Ok(text) => self.model.edited(&text),
                        Err(error) => self.model.hint(format!("no text from the editor: {error}"), clock::now()),
                    }
                    self.dirty = true;
                }
                heard = next_heard(&mut link) => match heard {
                    Ok(heard) => {
                        if let Some(link) = &mut link {
                            self.model.hear(heard, &mut link.session, clock::now());
                        }
                        self.dirty = true;
                    }
                    Err(lost) => {
                        if let Some(link) = link.take() {
                            self.model.lost(&lost.to_string(), &link.session);
                        }
                        again = Some(self.wait(&mut pause));
                    }
                },
                () = wait_until(again) => {
                    again = None;
                    self.set_again(None);
                    dialing = Some(Box::pin(async { dialer.dial(|_| {}).await }));
                }
                result = dialled(&mut dialing) => {
                    dialing = None;
                    match result {
                        Ok(new) => {
                            link = Some(new);
                            pause = BACKOFF_MIN;
                        }
                        Err(error) if error.may_pass() => {
                            if let Conn::Down { why, .. } = &mut self.model.conn {
                                *why = clean(error.to_string().lines().next().unwrap_or_default());
                            }
                            again = Some(self.wait(&mut pause));
                        }
                        Err(error) => return (String::new(), None, Err(error.into())),
                    }
                    self.dirty = true;
                }
                () = sleep_until(frame), if self.dirty && self.editing.is_none() => {}
            }
            if self.model.queue.open() == 0
                && let Some(reason) = self.leaving.take()
            {
                return (reason, link, Ok(()));
            }
            for effect in std::mem::take(&mut self.model.effects) {
                self.dirty = true;
                match effect {
                    Effect::Quit(reason) => {
                        if self.model.queue.open() == 0 || self.leaving.replace(reason.clone()).is_some() {
                            return (reason, link, Ok(()));
                        }
                        let text = match self.model.queue.open() {
                            1 => "one of your messages is not sent yet: then; once more leaves at once".to_owned(),
                            open => format!("{open} of your messages are not sent yet: then; once more leaves at once"),
                        };
                        self.model.hint(text, clock::now());
                    }
                    Effect::Hurry if link.is_none() && dialing.is_none() => {
                        again = Some(Instant::now());
                        pause = BACKOFF_MIN;
                    }
                    Effect::Hurry => {}
                    Effect::Edit(text) => {
                        // Two readers would take each other's keys.
                        keys = None;
                        self.screen.leave();
                        self.editing = Some(tokio::task::spawn_blocking(move || edit(&text)));
                    }
                    Effect::Ring { with, from, text } => self.ring(&with, &from, &text),
                    Effect::Copy(text) => drop(self.screen.copy(&text)),
                    Effect::Remember => {
                        if let Err(error) = self.model.settings.choices.write(&self.own.choices) {
                            let text = format!("cannot write {}: {error}", self.own.choices.display());
                            self.model.hint(text, clock::now());
                        }
                    }
                    Effect::Open(link) => self.open(&link),
                    Effect::Mouse(ours) => drop(self.screen.mouse(ours)),
                    Effect::Suspend => {
                        drop(keys.take());
                        if let Err(error) = self.suspend() {
                            return (String::new(), link, Err(error.into()));
                        }
                        keys = Some(EventStream::new());
                    }
                    Effect::Redraw => drop(self.screen.redraw()),
                }
            }
        }
    }

    fn event(&mut self, event: Event, link: Option<&mut TlsLink>) {
        let session = link.map(|link| &mut link.session);
        match event {
            Event::Key(key) => {
                self.model.key(key, session, clock::now());
                // Whoever goes on does not want to leave any more.
                if !self.model.effects.iter().any(|effect| matches!(effect, Effect::Quit(_))) {
                    self.leaving = None;
                }
            }
            Event::Mouse(mouse) => self.model.mouse(mouse, &self.areas, session),
            Event::Paste(text) => self.model.paste(&text),
            Event::FocusGained => self.model.focus(true),
            Event::FocusLost => self.model.focus(false),
            Event::Resize(..) => {}
        }
        self.dirty = true;
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        if !self.dirty || self.editing.is_some() || self.drawn.elapsed() < FRAME {
            return Ok(());
        }
        self.model.size = message_size(&self.model, self.screen.size()?);
        self.areas = self.screen.draw(&self.model)?;
        self.dirty = false;
        self.drawn = Instant::now();
        Ok(())
    }

    /// When to dial next: later each time, and not when everybody else does.
    fn wait(&mut self, pause: &mut Duration) -> Instant {
        let mut random = [0; 1];
        let share = getrandom::fill(&mut random).map_or(0.5, |()| f64::from(random[0]) / 255.0);
        let time = pause.mul_f64(0.75 + share / 2.0);
        *pause = (*pause * 2).min(BACKOFF_MAX);
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.set_again(Some(Millis(clock::now().0.saturating_add(millis))));
        self.dirty = true;
        Instant::now() + time
    }

    fn set_again(&mut self, at: Option<Millis>) {
        if let Conn::Down { again, .. } = &mut self.model.conn {
            *again = at;
        }
        self.dirty = true;
    }

    /// Stops, as any program does at Ctrl-Z, and goes on when the shell says so.
    fn suspend(&mut self) -> io::Result<()> {
        self.screen.leave();
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        // Another thread may be the one that the signal reaches: not a word to the terminal before it has.
        std::thread::sleep(TICK);
        self.screen.come_back()
    }

    /// Lets this person's browser show a page; where there is none, as over SSH, the link goes into the clipboard.
    fn open(&mut self, link: &str) {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let graphic = set("DISPLAY").or_else(|| set("WAYLAND_DISPLAY")).map(|_| "xdg-open".to_owned());
        let graphic = if cfg!(target_os = "macos") { Some("open".to_owned()) } else { graphic };
        let Some(browser) = set("BROWSER").or(graphic) else {
            drop(self.screen.copy(link));
            return self.model.hint(format!("no browser is known here ($BROWSER); copied: {link}"), clock::now());
        };
        let mut shell = Command::new("sh");
        // The variable may hold arguments; the link is never part of the command.
        shell.arg("-c").arg(format!("{browser} \"$1\"")).args(["sh", link]);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(tokio::task::spawn_blocking(move || drop(shell.status())));
        self.model.hint(format!("opening {link}"), clock::now());
    }

    fn ring(&mut self, with: &str, from: &str, text: &str) {
        let title = if with == from { from.to_owned() } else { format!("{from} in {with}") };
        if self.model.settings.bell && self.editing.is_none() {
            // A terminal that cannot ring is no reason to end.
            let _ = self.screen.ring(&title, &clean(text));
        }
        let Some(command) = &self.own.notify_command else { return };
        if self.notifying.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        let mut shell = Command::new("sh");
        // In the environment, where no letter of theirs is part of a command.
        shell.args(["-c", command]).env("CHAT_ROOM", with).env("CHAT_FROM", from).env("CHAT_TEXT", text);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.notifying = Some(tokio::task::spawn_blocking(move || drop(shell.status())));
    }
}

async fn next_heard(link: &mut Option<TlsLink>) -> Result<crate::client::heard::Heard, crate::client::link::Lost> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

async fn next_key(keys: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn dialled(dialing: &mut Option<Dialing<'_>>) -> Result<TlsLink, DialError> {
    match dialing {
        Some(dialing) => dialing.await,
        None => std::future::pending().await,
    }
}

async fn edited(editing: &mut Option<JoinHandle<io::Result<String>>>) -> io::Result<String> {
    match editing {
        Some(editing) => editing.await.unwrap_or_else(|error| Err(io::Error::other(error))),
        None => std::future::pending().await,
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Lets the person's own editor have the text; the file is readable by nobody else, and gone afterwards.
fn edit(text: &str) -> io::Result<String> {
    let path = private_file(text)?;
    let result = edit_file(&path);
    let _ = std::fs::remove_file(&path);
    result
}

fn edit_file(path: &Path) -> io::Result<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // The variable may hold arguments.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{editor} ended with {status}")));
    }
    let file = std::fs::File::open(path)?;
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, EDITED_MAX), &mut text)?;
    Ok(text)
}

fn private_file(text: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt;
    let dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
    let dir = dir.unwrap_or_else(std::env::temp_dir);
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let path = dir.join(format!("chat-{:016x}.txt", u64::from_le_bytes(random)));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    Ok(path)
}
