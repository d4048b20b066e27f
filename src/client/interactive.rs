//! `chat` on a terminal: what is heard appears line by line above the line being typed; a lost connection comes back
//! by itself, and what one was typing stays.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::command::{self, Command, Done};
use super::dial::{DialError, Dialer, TlsLink};
use super::editor::{self, Editor, Screen, Typed};
use super::heard::{Heard, What};
use super::link::Lost;
use super::pins::Fingerprint;
use super::show::{Style, Zone};
use super::text::{clean, same};
use super::view::View;

/// The room one enters who is in none.
pub const FIRST_ROOM: &str = "#lobby";
/// How long the next prompt waits for the room that is being entered.
const JOIN_PATIENCE: Duration = Duration::from_secs(2);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Talks until the person leaves. `logged_in` is called once, after the first login.
pub async fn run(dialer: &mut Dialer, logged_in: impl FnOnce()) -> Result<(), DialError> {
    let style = Style { on: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
    let mut talk = Talk {
        view: View::new(style, Zone::Local),
        screen: Screen::new(),
        editor: None,
        entering: None,
        opering: None,
        stop: [SignalKind::terminate(), SignalKind::hangup()].map(|kind| signal(kind).ok()),
    };
    let mut link = dialer.dial(|text| talk.remark(&text)).await?;
    logged_in();
    // From here on the terminal belongs to the editor.
    dialer.ask = None;
    let result = loop {
        match talk.with(&mut link).await {
            End::Leave(reason) => {
                link.quit(&reason).await;
                break Ok(());
            }
            End::Lost(lost) => {
                talk.lost(&link, &lost);
                match talk.dial_again(dialer).await {
                    Ok(Some(again)) => link = again,
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        }
    };
    let typing = talk.editor.as_ref().is_some_and(Editor::is_typing);
    talk.screen.close(typing);
    result
}

/// Asks on the terminal whether a certificate is the right one.
pub fn ask_person(place: &str, shown: &Fingerprint, why: &str) -> bool {
    eprintln!("The certificate of {place} is not known here:\n{why}.\n");
    eprintln!("So that nobody can listen in, compare its SHA-256 fingerprint with what the");
    eprintln!("server printed when it was set up ('chatd cert show' prints it again):\n");
    eprintln!("  {shown}\n");
    // The same as some servers and programs write it.
    let pairs: Vec<String> = shown.0.iter().map(|byte| format!("{byte:02X}")).collect();
    let halves: Vec<String> = pairs.chunks(16).map(|half| half.join(":")).collect();
    eprintln!("  {}\n", halves.join(":\n  "));
    loop {
        eprint!("Is it the same? Then it is remembered, and you are told if it changes. [yes/no] ");
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(count) if count > 0 => match answer.trim().to_lowercase().as_str() {
                "yes" | "y" => return true,
                "no" | "n" => return false,
                _ => eprintln!("Please answer yes or no."),
            },
            _ => return false,
        }
    }
}

struct Talk {
    view: View,
    screen: Screen,
    editor: Option<Editor>,
    /// A room that is being entered: the next prompt shall show it, but not wait for long.
    entering: Option<(String, Instant)>,
    /// The account whose password is being asked for.
    opering: Option<String>,
    /// SIGTERM, SIGHUP
    stop: [Option<Signal>; 2],
}

enum End {
    Leave(String),
    Lost(Lost),
}

impl Talk {
    async fn with(&mut self, link: &mut TlsLink) -> End {
        loop {
            let deadline = self.entering.as_ref().map(|(_, deadline)| *deadline);
            let patience = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let Talk { screen, editor, stop, .. } = self;
            tokio::select! {
                heard = async { screen.ready().await; link.next().await } => match heard {
                    Ok(heard) => self.hear(&heard, link),
                    Err(lost) => return End::Lost(lost),
                },
                typed = next_typed(editor) => if let Some(end) = self.typed(typed, link) {
                    return end;
                },
                () = patience => {
                    self.entering = None;
                    self.prompt(String::new());
                }
                () = stopped(stop) => return End::Leave(String::new()),
            }
        }
    }

    fn hear(&mut self, heard: &Heard, link: &mut TlsLink) {
        let nick = link.session.nick().to_owned();
        match heard {
            Heard::Settled => self.settled(link),
            Heard::Happened(happened) if !happened.replayed => {
                let room = happened.room.as_deref().unwrap_or_default();
                let kicked = matches!(&happened.what, What::Kick { target, .. } if same(target, &nick));
                match &happened.what {
                    What::Join if happened.own => {
                        self.screen.names(std::iter::once(room.to_owned()));
                        let first = self.view.target().is_empty() || same(room, FIRST_ROOM);
                        if self.editor.is_none() && first {
                            self.view.talk_to(room);
                        }
                        if self.entering.as_ref().is_some_and(|(entering, _)| same(entering, room)) {
                            self.entering = None;
                            self.view.talk_to(room);
                            self.prompt(String::new());
                        }
                    }
                    What::Part { .. } if happened.own => self.left(room, link),
                    What::Kick { .. } if kicked => self.left(room, link),
                    What::Join => self.screen.names(std::iter::once(happened.who.clone())),
                    _ => {}
                }
            }
            Heard::Names { nicks, .. } => {
                let bare = |nick: &String| nick.trim_start_matches(['~', '&', '@', '%', '+']).to_owned();
                self.screen.names(nicks.iter().map(bare));
            }
            Heard::Refused { about, .. } => {
                if let (Some((entering, _)), Some(about)) = (&self.entering, about)
                    && same(entering, about)
                {
                    self.entering = None;
                    self.prompt(String::new());
                }
            }
            _ => {}
        }
        let mut out = String::new();
        self.view.show(heard, &nick, &mut out);
        self.screen.print(&out);
    }

    /// The login is complete, for the first time or again.
    fn settled(&mut self, link: &mut TlsLink) {
        let rooms: Vec<String> = link.session.rooms().map(str::to_owned).collect();
        let target = self.view.target().to_owned();
        let keep = !target.is_empty() && (!link.session.is_room(&target) || link.session.room(&target).is_some());
        let first = rooms.iter().find(|room| same(room, FIRST_ROOM)).or_else(|| rooms.first());
        match first {
            _ if keep => {}
            Some(first) => self.view.talk_to(first),
            None => {
                let room = if target.is_empty() { FIRST_ROOM.to_owned() } else { target };
                link.session.command("JOIN", &[&room]);
                self.entering = Some((room, Instant::now() + JOIN_PATIENCE));
            }
        }
        if rooms.len() > 1 {
            let others = rooms.join(", ");
            self.remark(&format!("your rooms: {others}; you talk in {} (/switch ROOM)", self.view.target()));
        }
        if self.editor.is_none() {
            match editor::start(&mut self.screen) {
                Ok(editor) => self.editor = Some(editor),
                Err(error) => self.remark(&format!("this terminal cannot edit lines ({error}); you can only read")),
            }
            self.screen.names(rooms.into_iter());
        }
        if self.entering.is_none() {
            self.prompt(String::new());
        }
    }

    fn left(&mut self, room: &str, link: &TlsLink) {
        if same(room, self.view.target()) {
            let next = link.session.rooms().next().unwrap_or_default().to_owned();
            self.view.talk_to(&next);
            if !next.is_empty() {
                self.remark(&format!("you talk in {next} now"));
            }
        }
    }

    fn typed(&mut self, typed: Typed, link: &mut TlsLink) -> Option<End> {
        let text = match typed {
            Typed::Line(text) => text,
            Typed::Secret(password) => {
                if let Some(account) = self.opering.take().filter(|_| !password.is_empty()) {
                    command::oper(&mut link.session, &account, &password);
                }
                self.prompt(String::new());
                return None;
            }
            Typed::Interrupted if self.opering.take().is_some() => {
                self.prompt(String::new());
                return None;
            }
            Typed::Interrupted => {
                self.remark("Ctrl-D or /quit leaves");
                self.prompt(String::new());
                return None;
            }
            Typed::End => return Some(End::Leave(String::new())),
        };
        let mut unsent = String::new();
        for line in text.lines() {
            let Some(command) = command::parse(line) else { continue };
            let target = self.view.target().to_owned();
            let text = matches!(command, Command::Say(_) | Command::Action(_) | Command::Message { .. });
            match command::perform(command, &target, &mut link.session) {
                Done::Asked | Done::Listing | Done::Said(_) => {}
                Done::Joining(room) => self.entering = Some((room, Instant::now() + JOIN_PATIENCE)),
                Done::Target(target) => {
                    self.remark(&format!("you talk with {} now", clean(&target)));
                    self.view.talk_to(&target);
                }
                Done::Names => self.view.all_names = true,
                Done::Show(lines) => lines.iter().for_each(|line| self.remark(line)),
                Done::Password(account) => self.opering = Some(account),
                Done::Quit(reason) => return Some(End::Leave(reason)),
                Done::Not(why) => {
                    self.alarm(&why);
                    if text {
                        line.clone_into(&mut unsent);
                    }
                }
            }
        }
        if self.entering.is_none() {
            self.prompt(unsent);
        }
        None
    }

    fn lost(&mut self, link: &TlsLink, lost: &Lost) {
        self.view.cut();
        self.entering = None;
        for pending in link.session.unconfirmed() {
            self.alarm(&format!("not confirmed, look whether it arrived: {}", clean(&pending.text)));
        }
        self.alarm(&format!("{lost}; connecting again"));
        if self.editor.is_some() {
            self.prompt(String::new());
        }
    }

    /// Tries until it works or cannot work. `None`: the person has had enough.
    async fn dial_again(&mut self, dialer: &Dialer) -> Result<Option<TlsLink>, DialError> {
        let mut pause = Duration::from_secs(1);
        let mut last = String::new();
        loop {
            let (told, mut tells) = tokio::sync::mpsc::channel::<String>(16);
            let this_pause = pause;
            let attempt = async {
                sleep(this_pause).await;
                // What does not fit was only small talk.
                dialer.dial(|text| drop(told.try_send(text))).await
            };
            tokio::pin!(attempt);
            let result = loop {
                let Talk { screen, editor, stop, .. } = self;
                tokio::select! {
                    result = &mut attempt => break result,
                    Some(text) = tells.recv() => self.remark(&text),
                    () = screen.ready(), if screen.is_behind() => {}
                    typed = next_typed(editor) => match typed {
                        Typed::End => return Ok(None),
                        Typed::Interrupted | Typed::Secret(_) => {
                            self.opering = None;
                            self.prompt(String::new());
                        }
                        Typed::Line(text) => {
                            if let Some(Command::Quit(_)) = command::parse(&text) {
                                return Ok(None);
                            }
                            if !text.trim().is_empty() {
                                self.alarm("not connected: your line waits for you to press Enter again");
                            }
                            self.prompt(text);
                        }
                    },
                    () = stopped(stop) => return Ok(None),
                }
            };
            match result {
                Ok(link) => {
                    self.remark("connected again");
                    return Ok(Some(link));
                }
                Err(error) if error.may_pass() => {
                    pause = (pause * 2).min(BACKOFF_MAX);
                    let error = error.to_string();
                    if error != last {
                        self.remark(&format!("{error}; trying again, more and more rarely"));
                        last = error;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn prompt(&mut self, initial: String) {
        let prompt = clean(&self.view.prompt());
        if let Some(editor) = &mut self.editor {
            match &self.opering {
                Some(account) => editor.ask_secret(format!("Password of {}: ", clean(account))),
                None => editor.ask(prompt, initial),
            }
        }
    }

    fn remark(&mut self, text: &str) {
        let mut out = String::new();
        self.view.remark(text, &mut out);
        self.screen.print(&out);
    }

    fn alarm(&mut self, text: &str) {
        let mut out = String::new();
        self.view.alarm(text, &mut out);
        self.screen.print(&out);
    }
}

async fn next_typed(editor: &mut Option<Editor>) -> Typed {
    match editor {
        Some(editor) => editor.next().await,
        None => std::future::pending().await,
    }
}

async fn stopped(signals: &mut [Option<Signal>; 2]) {
    let [terminate, hangup] = signals;
    let one = async |signal: &mut Option<Signal>| match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    };
    tokio::select! {
        () = one(terminate) => {}
        () = one(hangup) => {}
    }
}
