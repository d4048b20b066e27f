//! From the first line to the login: CAP, SASL, PASS, NICK, USER. Nothing else works here, everybody is told so, and
//! it may not take longer than the configuration allows; waiting for the password to be checked does not count.

mod newcomer;
mod sasl;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::auth::Secret;
use crate::live::Person;
use crate::log::{Account, Intent, Proof};
use crate::net::conn::{Conn, Turn};
use crate::net::framing::{Frame, LineReader};
use crate::proto::caps::{Cap, Negotiation, Offer};
use crate::proto::device::DeviceName;
use crate::proto::line::{self, Line, Message};
use crate::proto::names::AccountName;
use crate::proto::numerics::*;

use super::people::REALNAME_MAX;
use super::rooms::{clean, cut};
use super::{Arrival, Context, Newcomers, Peer, Session, info, outlaws};

use newcomer::Pending;
use sasl::Exchange;
pub(super) use sasl::check;

/// Lines before the login at most; a client needs about ten.
const LINES_MAX: usize = 256;
/// Failed logins on one connection.
const FAILURES_MAX: usize = 5;

/// A client that is not logged in yet.
struct Registration<'a> {
    ctx: &'a Arc<Context>,
    peer: Peer,
    negotiation: Negotiation,
    /// CAP LS or REQ has come, CAP END has not.
    negotiating: bool,
    nick: Option<String>,
    realname: Option<Arc<str>>,
    pass: Option<Secret>,
    /// What AWAY said; see <https://ircv3.net/specs/extensions/pre-away>.
    away: Option<Arc<str>>,
    sasl: Option<Exchange>,
    account: Option<Login>,
    /// An account that waits for the code of its invitation.
    pending: Option<Pending>,
    /// The device it logged in as, if it named one.
    device: DeviceName,
    failures: usize,
    out: Vec<String>,
    counted: Option<Counted>,
}

/// A connection that is counted as unknown until this is dropped.
struct Counted(Arc<Context>);

impl Counted {
    fn new(ctx: &Arc<Context>) -> Counted {
        ctx.unregistered.fetch_add(1, Ordering::Relaxed);
        Counted(ctx.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.unregistered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An account that has proved who it is.
pub(super) struct Login {
    pub row: Account,
    pub proof: Proof,
    pub rehashed: Option<Arc<str>>,
}

/// Who is logged in, and has not come in yet.
pub(super) struct Newcomer {
    person: Arc<Person>,
    arrival: Arrival,
    /// The password is to be stored in the way of now.
    rehash: Option<Intent>,
}

impl Newcomer {
    /// Begins the session. The error is the reason for the farewell.
    pub async fn come_in(self: Box<Self>, ctx: &Arc<Context>) -> Result<Box<Session>, String> {
        let (person, address) = (self.person.clone(), self.arrival.peer.address);
        let Newcomer { arrival, rehash, .. } = *self;
        // Never closed, so there is always a turn to wait for.
        let _turn = ctx.door.acquire().await;
        let begun = Session::begin(ctx.clone(), person.clone(), arrival);
        let session = begun.await.map_err(|reason| format!("Closing link: {reason}"))?;
        if let Some(rehash) = rehash {
            super::submit_quietly(&ctx.log, rehash).await;
        }
        ctx.figures.logins.inc();
        tracing::info!(session = session.id, account = %person.nick, peer = %address, "logged in");
        Ok(session)
    }
}

/// What a line leads to.
enum Next {
    GoOn,
    End(String),
}

/// Leads a client to its login. The error is the reason for the farewell; empty: there is nobody to say it to.
pub(super) async fn register<S: AsyncRead + AsyncWrite + Unpin>(
    conn: &mut Conn<S>,
    lines: &mut LineReader,
    ctx: &Arc<Context>,
    peer: &Peer,
) -> Result<Box<Newcomer>, String> {
    let offer = Offer {
        external: peer.certificate.is_some(),
        registration: ctx.settings.load().newcomers != Newcomers::Closed,
        sts: ctx.strict.load().filter(|strict| (ctx.clock)() < strict.until).map(|strict| strict.duration.as_secs()),
    };
    let mut registration = Registration {
        ctx,
        peer: peer.clone(),
        negotiation: Negotiation::new(offer),
        negotiating: false,
        nick: None,
        realname: None,
        pass: None,
        away: None,
        sasl: None,
        account: None,
        pending: None,
        device: DeviceName::default(),
        failures: 0,
        out: Vec::new(),
        counted: Some(Counted::new(ctx)),
    };
    let mut deadline = peer.since + ctx.settings.load().registration_timeout;
    let mut count = 0;
    loop {
        while let Some(frame) = lines.next(&mut conn.input) {
            count += 1;
            let began = Instant::now();
            let next = match frame {
                _ if count > LINES_MAX => Next::End("Too many lines before the login".to_owned()),
                Frame::Line(line) => registration.line(line).await,
                Frame::TooLong => registration.reply(ERR_INPUTTOOLONG, &[], "Input line was too long"),
                Frame::NotUtf8(line) => registration.not_utf8(line),
            };
            deadline += began.elapsed();
            deadline = registration.pending.as_ref().map_or(deadline, |pending| deadline.max(pending.until));
            registration.say_all(conn);
            if let Next::End(reason) = next {
                return Err(reason);
            }
            if registration.is_complete() {
                match registration.log_in().await {
                    Ok(newcomer) => return Ok(newcomer),
                    Err(reason) => {
                        registration.say_all(conn);
                        return Err(reason);
                    }
                }
            }
        }
        let turn = tokio::select! {
            turn = conn.turn(true) => turn,
            () = tokio::time::sleep_until(deadline.into()) => {
                return Err("Closing link: the login took too long".to_owned());
            }
            () = ctx.stopping.cancelled() => return Err("Closing link: the server is stopping".to_owned()),
        };
        match turn {
            Ok(Turn::Eof) => return Err(String::new()),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(peer = %peer.address, %error, "connection lost before the login");
                return Err(String::new());
            }
        }
    }
}

impl Registration<'_> {
    fn say_all<S: AsyncRead + AsyncWrite + Unpin>(&mut self, conn: &mut Conn<S>) {
        for line in self.out.drain(..) {
            conn.push(line::cut(line.as_bytes()));
            conn.push(b"\r\n");
        }
    }

    async fn line(&mut self, line: &str) -> Next {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(crate::proto::line::ParseError::Empty) => return Next::GoOn,
            Err(error) => {
                return self.reply(ERR_UNKNOWNERROR, &["*"], &format!("The line was not understood: {error}"));
            }
        };
        let few =
            |needed: usize| message.params.len() < needed || message.params[..needed].iter().any(|p| p.is_empty());
        let command = message.command.to_ascii_uppercase();
        match command.as_str() {
            "CAP" if few(1) => self.reply(ERR_NEEDMOREPARAMS, &["CAP"], "Not enough parameters"),
            "CAP" => self.cap(&message),
            "NICK" => self.take_nick(&message),
            "USER" if few(4) => self.reply(ERR_NEEDMOREPARAMS, &["USER"], "Not enough parameters"),
            "USER" => {
                let mut realname = message.params[3].trim();
                while realname.len() > REALNAME_MAX {
                    realname = &realname[..realname.char_indices().next_back().map_or(0, |(at, _)| at)];
                }
                self.realname = Some(realname.into());
                Next::GoOn
            }
            "PASS" if few(1) => self.reply(ERR_NEEDMOREPARAMS, &["PASS"], "Not enough parameters"),
            "PASS" => {
                self.pass = Some(Secret::new(message.params[0].to_owned()));
                Next::GoOn
            }
            "AUTHENTICATE" if few(1) => self.reply(ERR_NEEDMOREPARAMS, &["AUTHENTICATE"], "Not enough parameters"),
            "AUTHENTICATE" => self.authenticate(message.params[0]).await,
            "REGISTER" if few(3) => self.reply(ERR_NEEDMOREPARAMS, &["REGISTER"], "Not enough parameters"),
            "REGISTER" => self.register(&message).await,
            "VERIFY" if few(2) => self.reply(ERR_NEEDMOREPARAMS, &["VERIFY"], "Not enough parameters"),
            "VERIFY" => self.verify(&message).await,
            "PING" => {
                let token = message.params.first().copied().unwrap_or_default();
                let host = &self.ctx.info.name;
                self.out.push(Line::new().source(host).command("PONG").param(host).last(token).into_string());
                Next::GoOn
            }
            "PONG" => Next::GoOn,
            "AWAY" if self.negotiation.enabled().contains(Cap::PreAway) => {
                self.away = message.param(0).map(|text| Arc::from(cut(text)));
                match self.away {
                    Some(_) => self.reply(RPL_NOWAWAY, &[], "You have been marked as being away"),
                    None => self.reply(RPL_UNAWAY, &[], "You are no longer marked as being away"),
                }
            }
            "ISUPPORT" if self.negotiation.enabled().contains(Cap::ExtendedIsupport) => {
                let batch = info::is_batched(self.negotiation.enabled()).then_some("isupport");
                let (nick, settings) = (self.shown_nick(), self.ctx.settings.load_full());
                let lines = info::isupport_lines(self.ctx, &settings, &nick, batch);
                self.out.extend(lines.into_iter().map(Line::into_string));
                Next::GoOn
            }
            "QUIT" => Next::End("Closing link: Quit".to_owned()),
            "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "CONNECT" | "TRACE" | "PATCH" => {
                self.not_a_browser()
            }
            _ => self.reply(ERR_NOTREGISTERED, &[], "Log in first: SASL, or PASS account:password, then NICK and USER"),
        }
    }

    fn not_utf8(&mut self, line: &[u8]) -> Next {
        let (_, command) = super::commands::blame(line);
        let fail = Line::new().source(&self.ctx.info.name).command("FAIL").param(&command).param("INVALID_UTF8");
        self.out.push(fail.last(super::commands::NOT_UTF8).into_string());
        Next::GoOn
    }

    /// A browser, or a page that makes one talk to us: it gets an answer it understands, and nothing it sends is run.
    fn not_a_browser(&mut self) -> Next {
        let text = "This is a chat server. Connect with an IRC client over TLS, or with chatd's own client, chat.\n";
        self.out.push(format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        ));
        Next::End(String::new())
    }

    fn cap(&mut self, message: &Message<'_>) -> Next {
        let nick = self.shown_nick();
        let host = self.ctx.info.name.clone();
        match message.params[0].to_ascii_uppercase().as_str() {
            "LS" | "REQ" => self.negotiating = true,
            "END" => {
                self.negotiating = false;
                if self.sasl.take().is_some() {
                    self.reply(ERR_SASLABORTED, &[], "SASL authentication aborted");
                }
            }
            _ => {}
        }
        match super::upkeep::cap_reply(&mut self.negotiation, message, &host, &nick) {
            Some(lines) => {
                self.out.extend(lines.into_iter().map(Line::into_string));
                Next::GoOn
            }
            None => self.reply(ERR_INVALIDCAPCMD, &[&clean(message.params[0])], "Invalid CAP command"),
        }
    }

    /// Whatever nick is asked for, the account's name is given. Only what cannot be a nick at all is refused.
    fn take_nick(&mut self, message: &Message<'_>) -> Next {
        match message.param(0) {
            None => self.reply(ERR_NONICKNAMEGIVEN, &[], "No nickname given"),
            Some(nick) if nick.starts_with(['#', ':', '&']) || nick.contains([' ', ',', '*', '?', '!', '@']) => {
                self.reply(ERR_ERRONEUSNICKNAME, &[&clean(nick)], "This cannot be a nickname; use your account's name")
            }
            Some(nick) => {
                self.nick = Some(nick.to_owned());
                Next::GoOn
            }
        }
    }

    fn is_complete(&self) -> bool {
        !self.negotiating && self.nick.is_some() && self.realname.is_some() && !self.is_pending()
    }

    async fn log_in(&mut self) -> Result<Box<Newcomer>, String> {
        let login = match self.account.take() {
            Some(login) => login,
            None => self.log_in_by_pass().await?,
        };
        let Some(person) = self.ctx.log.roster().by_id(login.row.id) else {
            return Err("Closing link: the account has just been removed".to_owned());
        };
        if let Some(why) = outlaws::kept_out(self.ctx, Some(person.id), &self.peer) {
            tracing::info!(account = %person.nick, peer = %self.peer.address, "a banned login");
            self.reply(ERR_YOUREBANNEDCREEP, &[], &why);
            return Err(format!("Closing link: {why}"));
        }
        person.set_flags(login.row.admin, login.row.bot);
        let realname = self.realname.take().filter(|realname| !realname.is_empty());
        let realname = realname.unwrap_or_else(|| person.nick.clone());
        // From here on it is counted among those who are here.
        self.counted = None;
        let arrival = Arrival {
            negotiation: self.negotiation,
            realname,
            proof: login.proof.clone(),
            device: self.device(&login.proof),
            away: self.away.take(),
            peer: self.peer.clone(),
        };
        let rehash = match (login.rehashed, login.proof) {
            (Some(new), Proof::Password(old)) => Some(Intent::Rehash { account: person.id, old, new }),
            _ => None,
        };
        Ok(Box::new(Newcomer { person, arrival, rehash }))
    }

    /// `PASS account:password`, or `PASS password` with the account as NICK.
    async fn log_in_by_pass(&mut self) -> Result<Login, String> {
        let Some(pass) = self.pass.take() else {
            let text = "This server needs a login: SASL PLAIN, or PASS account:password";
            let host = &self.ctx.info.name;
            let fail = Line::new().source(host).command("FAIL").param("*").param("ACCOUNT_REQUIRED").last(text);
            self.out.push(fail.into_string());
            self.reply(ERR_PASSWDMISMATCH, &[], text);
            return Err(format!("Closing link: {text}"));
        };
        let nick = self.nick.clone().unwrap_or_default();
        // A password may hold a colon: what stands before it counts as an account only if there is one of that name.
        let named = pass.expose().split_once(':').filter(|(account, _)| {
            let name = AccountName::parse(DeviceName::split(account).0).ok();
            name.is_some_and(|name| self.ctx.log.roster().by_key(name.key()).is_some())
        });
        let (account, password) = match named {
            Some((account, password)) => (account.to_owned(), Secret::new(password.to_owned())),
            None => (nick, pass),
        };
        let (name, device) = DeviceName::split(&account);
        let checked = match device {
            Ok(device) => {
                self.device = device;
                self.check(name, password).await
            }
            Err(error) => Err(error.to_string()),
        };
        checked.map_err(|text| {
            self.reply(ERR_PASSWDMISMATCH, &[], &format!("Login failed: {text}"));
            format!("Closing link: login failed: {text}")
        })
    }

    /// The device this client is on: its token's, else what it named, else its certificate, else the default one. The one place that
    /// decides it.
    fn device(&mut self, proof: &Proof) -> DeviceName {
        let named = std::mem::take(&mut self.device);
        if let Proof::Token { device, .. } = proof {
            return DeviceName::named(device).unwrap_or(named);
        }
        match &self.peer.certificate {
            Some(fingerprint) if named.is_default() => DeviceName::of_certificate(fingerprint),
            _ => named,
        }
    }

    fn shown_nick(&self) -> String {
        self.nick.as_deref().map_or_else(|| "*".to_owned(), clean)
    }

    fn reply(&mut self, code: &str, params: &[&str], text: &str) -> Next {
        let line = Line::new().source(&self.ctx.info.name).command(code).param(&self.shown_nick());
        let line = params.iter().fold(line, |line, param| line.param(param)).last(text);
        self.out.push(line.into_string());
        Next::GoOn
    }
}
