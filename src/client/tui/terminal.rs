//! The terminal while the screen is on it: switched over, drawn to, rung, and always given back as it was found, also when
//! the program panics.

use std::io::{self, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::execute;
use crossterm::queue;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    SetTitle, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::model::Model;
use super::view::{self, Areas};

/// Bytes that are put into the clipboard at most: terminals take no more.
const COPY_MAX: usize = 64 * 1024;
/// Columns of a notice.
const NOTICE_MAX: usize = 200;

/// Whether the terminal is ours now, and has to be given back.
static OURS: AtomicBool = AtomicBool::new(false);

pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    size: Size,
    title: String,
    /// The mouse is ours.
    mouse: bool,
}

impl Screen {
    pub fn open(mouse: bool) -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        take(mouse)?;
        let (terminal, size) = (unknown(Size::default())?, Size::default());
        let mut screen = Screen { terminal, size, title: String::new(), mouse };
        screen.forget()?;
        Ok(screen)
    }

    /// Lets another program have the terminal.
    pub fn leave(&mut self) {
        give_back();
    }

    pub fn come_back(&mut self) -> io::Result<()> {
        take(self.mouse)?;
        self.title.clear();
        self.forget()
    }

    pub fn mouse(&mut self, ours: bool) -> io::Result<()> {
        self.mouse = ours;
        let out = self.terminal.backend_mut();
        if ours { execute!(out, EnableMouseCapture) } else { execute!(out, DisableMouseCapture) }
    }

    /// Draws all anew on a blank terminal, next time.
    pub fn redraw(&mut self) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), Clear(ClearType::All))?;
        self.forget()
    }

    /// Whether the terminal has another size than when it was drawn last.
    pub fn has_changed(&self) -> bool {
        self.terminal.size().is_ok_and(|size| size != self.size)
    }

    /// As large as the terminal is now.
    pub fn size(&mut self) -> io::Result<Rect> {
        if self.terminal.size()? != self.size {
            self.forget()?;
        }
        Ok(Rect::new(0, 0, self.size.width, self.size.height))
    }

    /// What the terminal shows is not known: every cell is written next time, blank ones too. So a new size needs no
    /// blank screen in between, which would be seen. Asks the terminal nothing: the answer would come among the keys.
    fn forget(&mut self) -> io::Result<()> {
        self.size = self.terminal.size()?;
        self.terminal = unknown(self.size)?;
        Ok(())
    }

    /// Draws in one go: a terminal that can shows nothing half done.
    pub fn draw(&mut self, model: &Model) -> io::Result<Areas> {
        let mut areas = Areas::default();
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| areas = view::draw(model, frame))?;
        let title = model.title();
        if title != self.title {
            queue!(self.terminal.backend_mut(), SetTitle(&title))?;
            self.title = title;
        }
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        Ok(areas)
    }

    /// Rings, and shows a notice where the terminal has them. `text` is clean.
    pub fn ring(&mut self, title: &str, text: &str) -> io::Result<()> {
        let bare = |text: &str| text.replace(';', ",").chars().take(NOTICE_MAX).collect::<String>();
        let (title, text) = (bare(title), bare(text));
        let set = |name: &str| std::env::var_os(name).is_some();
        let rxvt = std::env::var("TERM").is_ok_and(|term| term.starts_with("rxvt") || term.starts_with("foot"));
        let notice = match rxvt || set("VTE_VERSION") {
            true => format!("\x1b]777;notify;{title};{text}\x1b\\"),
            false => format!("\x1b]9;{title}: {text}\x1b\\"),
        };
        let out = self.terminal.backend_mut();
        write!(out, "{}\x07", through_tmux(&notice))?;
        Write::flush(out)
    }

    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut end = text.len().min(COPY_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let out = self.terminal.backend_mut();
        let copy = format!("\x1b]52;c;{}\x1b\\", STANDARD.encode(&text[..end]));
        write!(out, "{copy}")?;
        if in_tmux() {
            // The one or the other is heard, as tmux is configured.
            write!(out, "{}", through_tmux(&copy))?;
        }
        Write::flush(out)
    }
}

fn in_tmux() -> bool {
    std::env::var_os("TMUX").is_some()
}

/// tmux keeps such sequences to itself, unless they are wrapped up (and its `allow-passthrough` is on).
fn through_tmux(sequence: &str) -> String {
    match in_tmux() {
        true => format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")),
        false => sequence.to_owned(),
    }
}

/// A terminal of which each cell differs from all that can be drawn.
fn unknown(size: Size) -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.width, size.height));
    let mut terminal = Terminal::with_options(CrosstermBackend::new(stdout()), TerminalOptions { viewport })?;
    for cell in &mut terminal.current_buffer_mut().content {
        cell.set_symbol("\u{fffe}");
    }
    terminal.swap_buffers();
    Ok(terminal)
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    let mut taken = execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange);
    if mouse {
        taken = taken.and_then(|()| execute!(stdout(), EnableMouseCapture));
    }
    if taken.is_err() {
        give_back();
    }
    taken
}

fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        // If the terminal is gone there is nothing to give back.
        let _ = execute!(
            stdout(),
            EndSynchronizedUpdate,
            DisableFocusChange,
            DisableMouseCapture,
            DisableBracketedPaste,
            SetTitle(""),
            LeaveAlternateScreen,
            crossterm::cursor::Show
        );
        let _ = disable_raw_mode();
    }
}
