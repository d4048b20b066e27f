//! What `chat`, the terminal client, is made of: from the command line to the exit code.
//!
//! Inside, the session is a pure machine ([`session`]); a [`link`] carries it over a stream that [`dial`] makes;
//! [`interactive`], [`pipe`] and [`fetch`] are the ways to use it. Knows the grammar of a line, nothing of the server.

pub mod account;
pub mod address;
pub mod args;
pub mod bot;
pub mod choices;
pub mod command;
pub mod dial;
pub mod editor;
pub mod entrance;
pub mod fetch;
pub mod heard;
pub mod interactive;
pub mod link;
pub mod login;
mod man;
pub mod outbox;
pub mod password;
pub mod pins;
pub mod pipe;
pub mod register;
pub mod session;
pub mod settings;
pub mod show;
pub mod text;
pub mod trust;
pub mod tui;
pub mod view;

use std::env;
use std::future::Future;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use time::UtcOffset;
use tokio::signal::unix::{SignalKind, signal};

use address::Address;
use args::{Cli, Task};
use bot::{Groups, Plan};
use choices::Choices;
use clap::CommandFactory;
use dial::DialError;
use entrance::{dialer, dialer_to, enter_and_save, first_dial, save, server};
use fetch::{Mark, Sought, Wanted};
use link::Link;
use login::{Credentials, Proof};
use password::Source;
use pins::Pins;
use pipe::{Lines, PipeError, Posting};
use settings::Files;
use show::Zone;

use crate::clock;
use crate::event::Millis;
use crate::when::{Edge, When};

/// Old lines fetched in each room from a server that leaves the fetching to us.
const HISTORY_LINES: u32 = 50;

/// Why `chat` could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Pipe(#[from] PipeError),
    #[error(transparent)]
    Screen(#[from] tui::run::ScreenError),
}

/// Does what the command line says; errors go to standard error.
pub fn run(cli: Cli) -> ExitCode {
    let failure = match run_inner(cli) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    complain(&failure.to_string());
    ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
}

fn run_inner(cli: Cli) -> Result<(), Failure> {
    let files = Files::of_this_person().map_err(Failure::Failed)?;
    let Cli { place, plain, notify_command, common, task } = cli;
    if common.save_password && common.save.is_none() {
        return Err(Failure::Usage("--save-password says what --save may write: give both".to_owned()));
    }
    match task {
        Some(Task::Forget { place }) => forget(&files, &place),
        Some(Task::Search { words, within, from, since, until, last, print }) => {
            let text = words.join(" ");
            let (since, until) =
                (since.map(|since| moment(since, Edge::Start)), until.map(|until| moment(until, Edge::End)));
            let dialer = dialer(&files, &common, place, 0)?;
            let (within, from) = (within.as_deref(), from.as_deref());
            let (format, zone) = (print.format(), Zone::Local);
            let sought = Sought { text: &text, within, from, since, until, last, format, zone };
            on_runtime(async {
                let mut link = enter_and_save(&files, &common, &dialer).await?;
                let result = fetch::search(&mut link, &sought, &mut io::stdout().lock(), complain).await;
                farewell(link, result).await
            })
        }
        Some(Task::Rooms { joined, print }) => {
            let dialer = dialer(&files, &common, place, 0)?;
            on_runtime(async {
                let mut link = enter_and_save(&files, &common, &dialer).await?;
                let result = fetch::rooms(&mut link, joined, print.format(), &mut io::stdout().lock()).await;
                farewell(link, result).await
            })
        }
        Some(Task::Bot { targets, exec, on, mentions, json, join, timeout, at_once, per_minute }) => {
            let mut targets = targets;
            let place = match targets.first() {
                Some(first) if looks_like_server(first) => Some(targets.remove(0)),
                _ => place,
            };
            let dialer = dialer(&files, &common, place, 0)?;
            let (at_once, per_minute) = (usize::from(at_once), usize::from(per_minute));
            let plan = Plan { targets, join, exec, on, mentions, json, timeout, at_once, per_minute };
            let groups = Groups::default();
            let result = on_runtime(async {
                tokio::select! {
                    result = bot::bot(&dialer, &plan, &groups, complain) => Ok(result?),
                    () = interrupted() => Ok(()),
                }
            });
            groups.end_all();
            result
        }
        Some(Task::Completions { shell }) => {
            // Into memory first: the generator panics when the pipe it writes to is closed.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "chat", &mut script);
            print(&script)
        }
        Some(Task::Man { page, dir }) => {
            let pages = crate::man::pages(Cli::command(), man::SECTIONS);
            let pages = pages.map_err(|error| Failure::Failed(error.to_string()))?;
            if let Some(dir) = dir {
                let written = crate::man::write(&pages, &dir);
                return written.map_err(|error| Failure::Failed(format!("cannot write to {}: {error}", dir.display())));
            }
            let found = pages.iter().find(|(name, _)| name.strip_suffix(".1") == Some(&page));
            let names = || pages.iter().map(|(name, _)| name.trim_end_matches(".1")).collect::<Vec<_>>().join(", ");
            let (_, page) =
                found.ok_or_else(|| Failure::Usage(format!("there is no such page; there are {}", names())))?;
            print(page)
        }
        Some(Task::Passwd { place: named }) => {
            let dialer = dialer(&files, &common, named.or(place), 0)?;
            let old = match &dialer.credentials.proof {
                Proof::Password(old) => old.clone(),
                Proof::Certificate => {
                    let old = password::password(&Source::Prompt, &dialer.credentials.user, &dialer.address, |_| {});
                    old.map_err(|error| Failure::Failed(error.to_string()))?
                }
            };
            let new = account::new_password(&dialer.credentials.user)?;
            on_runtime(account::passwd(dialer, old, new))
        }
        Some(Task::Register { place: named }) => {
            let (mut address, user, known) = server(&files, &common, named.or(place))?;
            let user = match (address.user.take(), io::stdin().is_terminal()) {
                (Some(user), _) => user,
                (None, true) => account::ask("What do you want to be called? ")?,
                (None, false) => user?,
            };
            let password = account::new_password(&user)?;
            // What logs in later is not needed here.
            let credentials = Credentials { user, proof: Proof::Certificate, passive: false };
            let mut dialer = dialer_to(&files, &common, known.as_ref(), (address, credentials, None), 0)?;
            on_runtime(async { account::register(&dialer, password.clone()).await })?;
            dialer.credentials.proof = Proof::Password(password);
            save(&files, &common, &dialer.address, &dialer.credentials)
        }
        Some(Task::Send { target, join, multiline, reply_to, text }) => {
            // With a server before the target, the target stands where the text would begin.
            let mut words = text.into_iter();
            let (place, target) = if looks_like_server(&target) {
                let room = words.next().ok_or_else(|| no_target("chat send USER@HOST TARGET TEXT"))?;
                (Some(target), room)
            } else {
                (place, target)
            };
            let text = words.collect::<Vec<_>>().join(" ");
            let dialer = dialer(&files, &common, place, 0)?;
            let (whole, lines) = match text.as_str() {
                "" | "-" if multiline => (true, Lines::given([pipe::whole_stdin()?])),
                "" | "-" => (false, Lines::stdin()),
                _ => (true, Lines::given([text])),
            };
            if let (true, Lines::Given(texts)) = (whole, &lines)
                && texts.iter().all(|text| text.trim().is_empty())
            {
                return Err(PipeError::Nothing.into());
            }
            let posting = Posting { target: &target, join, whole, reply_to: reply_to.as_deref() };
            on_runtime(async {
                let mut link = enter_and_save(&files, &common, &dialer).await?;
                let result = pipe::send(&mut link, &posting, lines, complain).await;
                farewell(link, result).await
            })
        }
        Some(Task::History { target, second, last, since, until, after, before, around, events, print }) => {
            let (place, target) = server_and_target(place, target, second)?;
            // What is after a moment leaves the moment itself out.
            let since = since.map(|since| Mark::Time(Millis(moment(since, Edge::Start).0.saturating_sub(1))));
            let until = until.map(|until| Mark::Time(moment(until, Edge::End)));
            let (after, before) = (after.map(Mark::Message).or(since), before.map(Mark::Message).or(until));
            let dialer = dialer(&files, &common, place, 0)?;
            let (format, zone) = (print.format(), Zone::Local);
            // What has a dash or a colon in it is a time: an id never has.
            let around = around.map(|text| match When::parse(&text) {
                Ok(when) if text.contains(['-', ':']) => Mark::Time(moment(when, Edge::Start)),
                _ => Mark::Message(text),
            });
            let wanted = Wanted { target: &target, join: false, after, before, around, events, last, format, zone };
            on_runtime(async {
                let mut link = enter_and_save(&files, &common, &dialer).await?;
                let mut out = BufWriter::new(io::stdout().lock());
                let result = fetch::history(&mut link, &wanted, &mut out, complain).await;
                farewell(link, result).await
            })
        }
        Some(Task::Tail { target, second, join, last, events, print }) => {
            let (place, target) = server_and_target(place, target, second)?;
            let dialer = dialer(&files, &common, place, 0)?;
            let (last, format, zone) = (Some(last), print.format(), Zone::Local);
            let (after, before, around) = (None, None, None);
            let wanted = Wanted { target: &target, join, after, before, around, events, last, format, zone };
            on_runtime(async {
                let mut out = io::stdout();
                tokio::select! {
                    result = fetch::tail(&dialer, &wanted, &mut out, complain) => Ok(result?),
                    // To be interrupted is how a tail ends.
                    () = interrupted() => Ok(()),
                }
            })
        }
        None => {
            let terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && !simple_terminal();
            let screen = terminal && !plain;
            if screen {
                // Before there are threads.
                show::learn_zone(clock::now());
            }
            let mut dialer = dialer(&files, &common, place, HISTORY_LINES)?;
            dialer.screen = screen;
            let server = format!("{}@{}", dialer.credentials.user, dialer.address.place());
            let address = dialer.address.clone();
            let config = files.config().map_err(Failure::Usage)?;
            on_runtime(async {
                if terminal {
                    let remember = |who: &Credentials| {
                        if let Err(error) = files.remember(&server) {
                            complain(&format!("cannot remember this server in {}: {error}", files.last.display()));
                        }
                        if let Err(error) = save(&files, &common, &address, who) {
                            complain(&error.to_string());
                        }
                    };
                    if !screen {
                        let who = dialer.credentials.clone();
                        return Ok(interactive::run(&mut dialer, || remember(&who)).await?);
                    }
                    let (link, greetings) = first_dial(&mut dialer).await?;
                    let welcome = entrance::welcome(&files, &server, common.save.is_some());
                    remember(&dialer.credentials);
                    // From here on the terminal belongs to the screen.
                    dialer.ask = None;
                    let command = Some(config.notify.command.clone()).filter(|command| !command.is_empty());
                    let notify_command = notify_command.or(command);
                    let mut greetings = greetings;
                    let choices = Choices::read(&files.choices).unwrap_or_else(|why| {
                        greetings.push(why);
                        Choices::default()
                    });
                    let settings = tui::model::Settings::of(&config, choices);
                    let own = tui::run::Own { notify_command, choices: files.choices.clone() };
                    return Ok(tui::run::run(&dialer, link, settings, own, (greetings, welcome)).await?);
                }
                let mut link = dialer.dial(|text| complain(&text)).await?;
                save(&files, &common, &dialer.address, &dialer.credentials)?;
                let mut out = io::stdout();
                let result = pipe::talk(&mut link, Lines::stdin(), &mut out, &mut complain, Zone::Local).await;
                farewell(link, result).await
            })
        }
    }
}

/// Runs on one thread: a client waits for one person and one server.
fn on_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    let result = runtime.block_on(work);
    // A name look-up that hangs should not hold up the end.
    runtime.shutdown_background();
    result
}

/// Whoever reads us may have gone: nothing is wrong with that.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

async fn farewell<S>(link: Link<S>, result: Result<(), PipeError>) -> Result<(), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite,
{
    if !matches!(result, Err(PipeError::Lost { .. } | PipeError::Closed(_))) {
        link.quit("").await;
    }
    Ok(result?)
}

async fn interrupted() {
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

/// A moment as this person writes it.
fn moment(when: When, edge: Edge) -> Millis {
    when.resolve(clock::now(), UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC), edge)
}

fn complain(text: &str) {
    let text = format!("chat: {text}");
    // Broken between words, where it is a person who reads it.
    let columns = crossterm::terminal::size().ok().filter(|_| io::stderr().is_terminal());
    let columns = columns.map_or(usize::MAX, |(columns, _)| usize::from(columns).max(20));
    for row in text.lines().flat_map(|line| tui::wrap(line, columns)) {
        eprintln!("{row}");
    }
}

fn forget(files: &Files, place: &str) -> Result<(), Failure> {
    let config = files.config().map_err(Failure::Usage)?;
    let (address, known) = config.find(place).map_err(Failure::Usage)?;
    let named = config.servers.contains_key(place);
    if let Some(known) = known.filter(|known| known.fingerprint.is_some()) {
        let shown = files.config.display();
        complain(&format!("{shown} has a fingerprint of {}: change it there", known.address.place()));
    }
    let gone = Pins::new(files.pins.clone()).forget(|pin| match Address::parse(&pin.place) {
        Ok(pinned) => pinned.host == address.host && (!(address.explicit_port || named) || pinned.port == address.port),
        Err(_) => false,
    });
    let gone = gone.map_err(|error| Failure::Failed(error.to_string()))?;
    if gone.is_empty() {
        return Err(Failure::Failed(format!("no certificate of {place} is remembered")));
    }
    for pin in gone {
        println!("forgot the certificate of {}: {}", pin.place, pin.fingerprint);
    }
    Ok(())
}

/// `[SERVER] TARGET`
fn server_and_target(
    place: Option<String>,
    first: String,
    second: Option<String>,
) -> Result<(Option<String>, String), Failure> {
    match second {
        Some(target) if looks_like_server(&first) => Ok((Some(first), target)),
        Some(second) => Err(Failure::Usage(format!("one target at a time: '{first}' or '{second}'?"))),
        None if looks_like_server(&first) => Err(no_target("chat history USER@HOST TARGET")),
        None => Ok((place, first)),
    }
}

fn no_target(usage: &str) -> Failure {
    Failure::Usage(format!("which room or person? Write {usage}"))
}

/// A server where a target could stand: only with the user's name, `alice@host`.
fn looks_like_server(word: &str) -> bool {
    word.contains('@') && !word.starts_with(['#', '&', '@'])
}

/// Terminals that cannot move the cursor are treated as a pipe.
fn simple_terminal() -> bool {
    env::var("TERM").map_or(true, |term| ["", "dumb", "cons25", "emacs"].contains(&term.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests;
