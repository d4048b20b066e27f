//! The way in: which server, as whom, with what proof, whom to believe; asked for on a terminal as far as it is not known.
//!
//! Promises that a password is asked for only after the server has been reached and its certificate accepted, and that
//! nothing but the place of the server is kept unless the person says so.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::address::Address;
use super::args::Common;
use super::dial::{DialError, Dialer, TlsLink};
use super::login::{Credentials, Proof};
use super::password::{self, Source};
use super::pins::Pins;
use super::settings::{Files, Secret, Server};
use super::show;
use super::trust::{self, Identity, Trust};
use super::{Failure, account, complain, interactive, on_runtime};
use crate::clock;

/// So often a password can be typed.
const PASSWORD_TRIES: u32 = 3;

const WHICH_SERVER: &str = "which server? Write chat [USER@]HOST[:PORT]; for send, tail, history and search use --server or \
    CHAT_SERVER, or connect once on a terminal: the last server is remembered, and with --save written into the \
    configuration";

pub type Found = (Address, Result<String, Failure>, Option<Server>);

/// Where to connect, as whom if that is known, and what the configuration says of that server.
pub fn server(files: &Files, common: &Common, place: Option<String>) -> Result<Found, Failure> {
    let config = files.config().map_err(Failure::Usage)?;
    let place = place.or_else(|| common.server.clone().filter(|server| !server.is_empty()));
    let place = place.or_else(|| config.default_server()).or_else(|| files.last());
    let place = match place {
        Some(place) => place,
        None if somebody_there() => ask_place()?,
        None => return Err(Failure::Usage(WHICH_SERVER.to_owned())),
    };
    let (address, known) = config.find(&place).map_err(Failure::Usage)?;
    let user = address.user.clone().or_else(user_of_system).ok_or_else(|| {
        Failure::Usage(format!("who are you? Write NAME@{} (there is no $USER to go by)", address.place()))
    });
    Ok((address, user, known.cloned()))
}

/// Puts together whom to connect to, as whom, and whom to believe.
pub fn dialer(files: &Files, common: &Common, place: Option<String>, fetch: u32) -> Result<Dialer, Failure> {
    let (address, user, known) = server(files, common, place)?;
    let user = user?;
    if common.cert.is_none() && common.key.is_some() {
        return Err(Failure::Usage("--key is the key of --cert FILE".to_owned()));
    }
    let asked = common.password_stdin || common.password_file.is_some() || common.password_command.is_some();
    let written = known.as_ref().filter(|_| !asked).and_then(|known| Some((known.cert.as_ref()?, known.key.as_ref())));
    let cert = common.cert.as_ref().map(|cert| (cert, common.key.as_ref())).or(written);
    let failed = |error: password::PasswordError| Failure::Failed(error.to_string());
    let (mut origin, mut typed) = (None, false);
    let (proof, identity) = match cert {
        Some((cert, key)) => {
            let identity = Identity::read(cert, key.map(PathBuf::as_path));
            (Proof::Certificate, Some(identity.map_err(|error| Failure::Usage(error.to_string()))?))
        }
        None => {
            let source = source(files, common, known.as_ref())?;
            typed = matches!(source, Source::Prompt);
            let password = match typed {
                true => Zeroizing::default(),
                false => password::password(&source, &user, &address, |warning| complain(&warning)).map_err(failed)?,
            };
            origin = source.origin();
            (Proof::Password(password), None)
        }
    };
    // Only who talks is asked to fetch; the others are scripts for one room.
    let credentials = Credentials { user: user.clone(), proof, passive: fetch == 0 };
    let mut dialer = dialer_to(files, common, known.as_ref(), (address, credentials, identity), fetch)?;
    if typed {
        // A server that is not there, or is another one, is not worth the typing.
        if dialer.ask.is_some() {
            // Before there are threads.
            show::learn_zone(clock::now());
            on_runtime(async { Ok(dialer.connect().await.map(drop)?) })?;
        }
        let password = password::password(&Source::Prompt, &user, &dialer.address, |_| {}).map_err(failed)?;
        dialer.credentials.proof = Proof::Password(password);
    }
    Ok(Dialer { origin, ..dialer })
}

pub fn dialer_to(
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
    Ok(Dialer {
        address,
        credentials,
        origin: None,
        fixed,
        identity,
        pins: Pins::new(files.pins.clone()),
        ask: somebody_there().then_some(interactive::ask_person),
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
pub fn save(files: &Files, common: &Common, address: &Address, who: &Credentials) -> Result<(), Failure> {
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

/// Logs in for the first time; a mistyped password is asked for again. Gives back what the server said meanwhile, too.
pub async fn first_dial(dialer: &mut Dialer) -> Result<(TlsLink, Vec<String>), Failure> {
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

pub async fn enter_and_save(files: &Files, common: &Common, dialer: &Dialer) -> Result<TlsLink, Failure> {
    let link = dialer.dial(|_| {}).await?;
    save(files, common, &dialer.address, &dialer.credentials)?;
    Ok(link)
}

fn user_of_system() -> Option<String> {
    ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()))
}

fn somebody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Nothing is known yet: asks where to, and as whom.
fn ask_place() -> Result<String, Failure> {
    eprintln!("Welcome to chat. Which server do you want to talk on? Whoever runs it tells you");
    eprintln!("its address and your name there, for example alice@chat.example.org.\n");
    loop {
        let place = account::ask("Server: ")?;
        let address = match Address::parse(&place) {
            Ok(address) => address,
            Err(why) => {
                eprintln!("{why}");
                continue;
            }
        };
        if address.user.is_some() {
            return Ok(place);
        }
        let likely = user_of_system();
        let question =
            likely.as_ref().map_or("Your name there: ".to_owned(), |user| format!("Your name there [{user}]: "));
        let user = account::ask_or(&question, likely.as_deref())?;
        let place = format!("{user}@{}", address.place());
        match Address::parse(&place) {
            Ok(_) => return Ok(place),
            Err(why) => eprintln!("{why}"),
        }
    }
}

/// What somebody should know who is here for the first time.
pub fn welcome(files: &Files, server: &str, saved: bool) -> Vec<String> {
    if files.last().as_deref() == Some(server) {
        return Vec::new();
    }
    let keys = "Welcome. F1 shows all keys; Tab completes, Up selects a message to answer, Ctrl-K goes to another \
                conversation, Ctrl-D leaves.";
    let kept = match saved {
        true => "This server stands in the configuration now.",
        false => {
            "Plain \"chat\" comes back here. The password is saved nowhere; \"chat --save\" writes the server into \
             ~/.config/chat/config.toml, where password_command can ask your keyring."
        }
    };
    [keys, kept].map(str::to_owned).to_vec()
}
