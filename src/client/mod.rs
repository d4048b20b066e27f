//! What `chat`, the terminal client, is made of: from the command line to the exit code.
//!
//! Inside, the session is a pure machine ([`session`]); a [`link`] carries it over a stream that [`dial`] makes;
//! [`interactive`], [`pipe`] and [`fetch`] are the ways to use it. Knows the grammar of a line, nothing of the server.

pub mod account;
pub mod address;
pub mod args;
pub mod bot;
pub mod command;
pub mod dial;
pub mod editor;
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
use std::path::PathBuf;
use std::process::ExitCode;

use time::UtcOffset;
use tokio::signal::unix::{SignalKind, signal};

use address::Address;
use args::{Cli, Common, Task};
use bot::{Groups, Plan};
use clap::CommandFactory;
use dial::{DialError, Dialer, TlsLink};
use fetch::{Mark, Sought, Wanted};
use link::Link;
use login::{Credentials, Proof};
use password::Source;
use pins::Pins;
use pipe::{Lines, PipeError, Posting};
use settings::{Files, Secret, Server};
use show::Zone;
use trust::{Identity, Trust};

use crate::clock;
use crate::event::Millis;
use crate::when::{Edge, When};

/// Old lines fetched in each room from a server that leaves the fetching to us.
const HISTORY_LINES: u32 = 50;
/// So often a password can be typed.
const PASSWORD_TRIES: u32 = 3;

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
            let dialer = dialer(&files, &common, place, 0)?;
            let (within, from) = (within.as_deref(), from.as_deref());
            let (since, until) =
                (since.map(|since| moment(since, Edge::Start)), until.map(|until| moment(until, Edge::End)));
            let (format, zone) = (print.format(), Zone::Local);
            let sought = Sought { text: &text, within, from, since, until, last, format, zone };
            on_runtime(async {
                let mut link = enter_and_save(&files, &common, &dialer).await?;
                let result = fetch::search(&mut link, &sought, &mut io::stdout().lock(), complain).await;
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
        Some(Task::History { target, second, last, since, until, after, before, print }) => {
            let (place, target) = server_and_target(place, target, second)?;
            let dialer = dialer(&files, &common, place, 0)?;
            // What is after a moment leaves the moment itself out.
            let since = since.map(|since| Mark::Time(Millis(moment(since, Edge::Start).0.saturating_sub(1))));
            let until = until.map(|until| Mark::Time(moment(until, Edge::End)));
            let (after, before) = (after.map(Mark::Message).or(since), before.map(Mark::Message).or(until));
            let (format, zone) = (print.format(), Zone::Local);
            let wanted = Wanted { target: &target, join: false, after, before, last, format, zone };
            on_runtime(async {
                let mut link = enter_and_save(&files, &common, &dialer).await?;
                let mut out = BufWriter::new(io::stdout().lock());
                let result = fetch::history(&mut link, &wanted, &mut out, complain).await;
                farewell(link, result).await
            })
        }
        Some(Task::Tail { target, second, join, last, print }) => {
            let (place, target) = server_and_target(place, target, second)?;
            let dialer = dialer(&files, &common, place, 0)?;
            let (last, format, zone) = (Some(last), print.format(), Zone::Local);
            let wanted = Wanted { target: &target, join, after: None, before: None, last, format, zone };
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
                    remember(&dialer.credentials);
                    // From here on the terminal belongs to the screen.
                    dialer.ask = None;
                    let command = Some(config.notify.command.clone()).filter(|command| !command.is_empty());
                    let notify_command = notify_command.or(command);
                    let settings = tui::model::Settings::of(&config);
                    return Ok(tui::run::run(&dialer, link, settings, notify_command, greetings).await?);
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

/// Logs in for the first time; a mistyped password is asked for again. Gives back what the server said meanwhile, too.
async fn first_dial(dialer: &mut Dialer) -> Result<(dial::TlsLink, Vec<String>), Failure> {
    let mut tries = 1;
    loop {
        let mut greetings = Vec::new();
        match dialer.dial(|text| greetings.push(text)).await {
            Ok(link) => return Ok((link, greetings)),
            // One that was read from somewhere would only be read again.
            Err(error @ DialError::Denied { origin: None, .. })
                if tries < PASSWORD_TRIES && matches!(dialer.credentials.proof, Proof::Password(_)) =>
            {
                tries += 1;
                complain(&error.to_string());
                let password = password::password(&Source::Prompt, &dialer.credentials.user, &dialer.address, |_| {});
                let password = password.map_err(|error| Failure::Failed(error.to_string()))?;
                dialer.credentials.proof = Proof::Password(password);
            }
            Err(error) => return Err(error.into()),
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

async fn enter_and_save(files: &Files, common: &Common, dialer: &Dialer) -> Result<TlsLink, Failure> {
    let link = dialer.dial(|_| {}).await?;
    save(files, common, &dialer.address, &dialer.credentials)?;
    Ok(link)
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
    eprintln!("chat: {text}");
}

type Found = (Address, Result<String, Failure>, Option<Server>);

/// Where to connect, as whom if that is known, and what the configuration says of that server.
fn server(files: &Files, common: &Common, place: Option<String>) -> Result<Found, Failure> {
    let config = files.config().map_err(Failure::Usage)?;
    let place = place.or_else(|| common.server.clone().filter(|server| !server.is_empty()));
    let place = place.or_else(|| config.default_server()).or_else(|| files.last());
    let place = place.ok_or_else(|| {
        Failure::Usage(
            "which server? Write chat [USER@]HOST[:PORT]; for send, tail, history and search use --server or CHAT_SERVER, \
             or connect once on a terminal: the last server is remembered, and with --save written into the configuration"
                .to_owned(),
        )
    })?;
    let (address, known) = config.find(&place).map_err(Failure::Usage)?;
    let user = address.user.clone().or_else(user_of_system).ok_or_else(|| {
        Failure::Usage(format!("who are you? Write NAME@{} (there is no $USER to go by)", address.place()))
    });
    Ok((address, user, known.cloned()))
}

/// Puts together whom to connect to, as whom, and whom to believe.
fn dialer(files: &Files, common: &Common, place: Option<String>, fetch: u32) -> Result<Dialer, Failure> {
    let (address, user, known) = server(files, common, place)?;
    let user = user?;
    if common.cert.is_none() && common.key.is_some() {
        return Err(Failure::Usage("--key is the key of --cert FILE".to_owned()));
    }
    let asked = common.password_stdin || common.password_file.is_some() || common.password_command.is_some();
    let written = known.as_ref().filter(|_| !asked).and_then(|known| Some((known.cert.as_ref()?, known.key.as_ref())));
    let cert = common.cert.as_ref().map(|cert| (cert, common.key.as_ref())).or(written);
    let mut origin = None;
    let (proof, identity) = match cert {
        Some((cert, key)) => {
            let identity = Identity::read(cert, key.map(PathBuf::as_path));
            (Proof::Certificate, Some(identity.map_err(|error| Failure::Usage(error.to_string()))?))
        }
        None => {
            let source = source(files, common, known.as_ref())?;
            let password = password::password(&source, &user, &address, |warning| complain(&warning))
                .map_err(|error| Failure::Failed(error.to_string()))?;
            origin = source.origin();
            (Proof::Password(password), None)
        }
    };
    // Only who talks is asked to fetch; the others are scripts for one room.
    let credentials = Credentials { user, proof, passive: fetch == 0 };
    let dialer = dialer_to(files, common, known.as_ref(), (address, credentials, identity), fetch)?;
    Ok(Dialer { origin, ..dialer })
}

fn dialer_to(
    files: &Files,
    common: &Common,
    known: Option<&Server>,
    (address, credentials, identity): (Address, Credentials, Option<Identity>),
    fetch: u32,
) -> Result<Dialer, Failure> {
    // What is said on the command line counts more than what is written, as a whole.
    let said = (common.fingerprint, common.ca.clone());
    let trusted = match said {
        (None, None) => known.map_or((None, None), |known| (known.fingerprint, known.ca.clone())),
        said => said,
    };
    let fixed = match trusted {
        (Some(fingerprint), _) => Some(Trust::Fingerprint(fingerprint)),
        (None, Some(path)) => {
            Some(Trust::Ca(trust::read_ca(&path).map_err(|error| Failure::Usage(error.to_string()))?))
        }
        (None, None) => None,
    };
    let somebody_there = io::stdin().is_terminal() && io::stderr().is_terminal();
    Ok(Dialer {
        address,
        credentials,
        origin: None,
        fixed,
        identity,
        pins: Pins::new(files.pins.clone()),
        ask: somebody_there.then_some(interactive::ask_person),
        fetch,
        screen: false,
    })
}

/// Where the password of this person is to be had.
fn source(files: &Files, common: &Common, known: Option<&Server>) -> Result<Source, Failure> {
    let config = files.config().map_err(Failure::Usage)?;
    if files.config_is_open(&config) {
        complain(&format!("others can read the passwords in {0}: chmod 600 {0}", files.config.display()));
    }
    let of_environment = || env::var_os("CHAT_PASSWORD_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let file = common.password_file.clone().or_else(|| of_environment().filter(|_| common.password_command.is_none()));
    let written = known.and_then(|known| {
        let command = known.password_command.clone().map(Source::Command);
        let given = known.password.clone().map(Source::Given);
        given.or_else(|| known.password_file.clone().map(Source::File)).or(command)
    });
    let source = match (common.password_stdin, file, common.password_command.clone()) {
        (true, _, _) => Some(Source::Stdin),
        (false, Some(path), _) => Some(Source::File(path)),
        (false, None, command) => command.map(Source::Command).or(written),
    };
    Ok(source.or_else(|| config.password_command.map(Source::Command)).unwrap_or(Source::Prompt))
}

/// Writes the server of a login that has worked into the configuration.
fn save(files: &Files, common: &Common, address: &Address, who: &Credentials) -> Result<(), Failure> {
    let Some(name) = &common.save else { return Ok(()) };
    let name = if name.is_empty() { address.host.as_str() } else { name };
    let absolute = |path: &Option<PathBuf>| {
        let path = path.as_ref().map(std::path::absolute).transpose();
        path.map_err(|error| Failure::Failed(format!("where is this folder? {error}")))
    };
    let password = match &who.proof {
        Proof::Password(password) if common.save_password => Some(Secret(password.clone())),
        _ => None,
    };
    let place = format!("{}@{}", who.user, address.place());
    let server = Server {
        address: Address::parse(&place).map_err(Failure::Failed)?,
        password_file: absolute(&common.password_file)?.filter(|_| password.is_none()),
        password_command: common.password_command.clone().filter(|_| password.is_none()),
        password,
        fingerprint: common.fingerprint,
        ca: absolute(&common.ca)?,
        cert: absolute(&common.cert)?,
        key: absolute(&common.key)?,
    };
    complain(&files.save(name, &server).map_err(Failure::Failed)?);
    Ok(())
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

fn user_of_system() -> Option<String> {
    ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()))
}

/// Terminals that cannot move the cursor are treated as a pipe.
fn simple_terminal() -> bool {
    env::var("TERM").map_or(true, |term| ["", "dumb", "cons25", "emacs"].contains(&term.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests;
