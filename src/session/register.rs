//! From the first line to the login: CAP, SASL, PASS, NICK, USER. Nothing else works here, everybody is told so, and
//! it may not take longer than the configuration allows; waiting for the password to be checked does not count.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::auth::{Secret, Verdict};
use crate::log::{Account, Intent};
use crate::net::conn::{Conn, Turn};
use crate::net::framing::{Frame, LineReader};
use crate::net::limits::Attempt;
use crate::proto::caps::Negotiation;
use crate::proto::device::DeviceName;
use crate::proto::line::{self, Line, Message};
use crate::proto::names::AccountName;
use crate::proto::numerics::*;
use crate::proto::sasl::{Chunks, Plain, SaslError};

use super::people::REALNAME_MAX;
use super::rooms::clean;
use super::{Context, Session};

/// Lines before the login at most; a client needs about ten.
const LINES_MAX: usize = 256;
/// Failed logins on one connection.
const FAILURES_MAX: usize = 5;

/// A client that is not logged in yet.
struct Registration<'a> {
    ctx: &'a Arc<Context>,
    peer: IpAddr,
    negotiation: Negotiation,
    /// CAP LS or REQ has come, CAP END has not.
    negotiating: bool,
    nick: Option<String>,
    realname: Option<Arc<str>>,
    pass: Option<Secret>,
    sasl: Option<Chunks>,
    account: Option<Login>,
    /// The device it logged in as, if it named one.
    device: DeviceName,
    failures: usize,
    out: Vec<String>,
}

/// An account whose password was right.
pub(super) struct Login {
    pub row: Account,
    pub hash: Arc<str>,
    pub rehashed: Option<Arc<str>>,
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
    peer: IpAddr,
) -> Result<Session, String> {
    let mut registration = Registration {
        ctx,
        peer,
        negotiation: Negotiation::default(),
        negotiating: false,
        nick: None,
        realname: None,
        pass: None,
        sasl: None,
        account: None,
        device: DeviceName::default(),
        failures: 0,
        out: Vec::new(),
    };
    let mut deadline = Instant::now() + ctx.settings.load().registration_timeout;
    let mut count = 0;
    loop {
        while let Some(frame) = lines.next(&mut conn.input) {
            count += 1;
            let began = Instant::now();
            let next = match frame {
                _ if count > LINES_MAX => Next::End("Too many lines before the login".to_owned()),
                Frame::Line(line) => registration.line(line).await,
                Frame::TooLong => registration.reply(ERR_INPUTTOOLONG, &[], "Input line was too long"),
                Frame::NotUtf8 => Next::End("This server speaks UTF-8 only".to_owned()),
            };
            deadline += began.elapsed();
            registration.say_all(conn);
            if let Next::End(reason) = next {
                return Err(reason);
            }
            if registration.is_complete() {
                match registration.log_in().await {
                    Ok(session) => return Ok(session),
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
                tracing::debug!(%peer, %error, "connection lost before the login");
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
            "USER" if few(4) && message.params.len() < 4 => {
                self.reply(ERR_NEEDMOREPARAMS, &["USER"], "Not enough parameters")
            }
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
            "PING" => {
                let token = message.params.first().copied().unwrap_or_default();
                let host = &self.ctx.info.name;
                self.out.push(Line::new().source(host).command("PONG").param(host).last(token).into_string());
                Next::GoOn
            }
            "PONG" => Next::GoOn,
            "QUIT" => Next::End("Closing link: Quit".to_owned()),
            "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "CONNECT" | "TRACE" | "PATCH" => {
                self.not_a_browser()
            }
            _ => self.reply(ERR_NOTREGISTERED, &[], "Log in first: SASL, or PASS account:password, then NICK and USER"),
        }
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

    async fn authenticate(&mut self, param: &str) -> Next {
        if self.account.is_some() {
            return self.reply(ERR_SASLALREADY, &[], "You are logged in already");
        }
        let Some(chunks) = &mut self.sasl else {
            if param.eq_ignore_ascii_case("PLAIN") {
                self.sasl = Some(Chunks::default());
                self.out.push("AUTHENTICATE +".to_owned());
                return Next::GoOn;
            }
            if param == "*" {
                return self.reply(ERR_SASLABORTED, &[], "SASL authentication aborted");
            }
            self.reply(RPL_SASLMECHS, &["PLAIN"], "are available SASL mechanisms");
            return self.reply(ERR_SASLFAIL, &[], "SASL authentication failed: there is no such mechanism");
        };
        let payload = match chunks.push(param) {
            Ok(None) => return Next::GoOn,
            Ok(Some(payload)) => payload,
            Err(error) => {
                self.sasl = None;
                let code = match error {
                    SaslError::TooLong => ERR_SASLTOOLONG,
                    SaslError::Aborted => ERR_SASLABORTED,
                    SaslError::Base64 | SaslError::Plain => ERR_SASLFAIL,
                };
                return self.reply(code, &[], &format!("SASL authentication failed: {error}"));
            }
        };
        self.sasl = None;
        let plain = match Plain::parse(&payload) {
            Ok(plain) => plain,
            Err(error) => return self.reply(ERR_SASLFAIL, &[], &format!("SASL authentication failed: {error}")),
        };
        let (name, device) = DeviceName::split(&plain.account);
        let (other, other_device) = DeviceName::split(&plain.authorize_as);
        let device = match (device, other_device) {
            (Ok(device), Ok(other)) if other.is_default() => device,
            (Ok(_), Ok(other)) => other,
            (Err(error), _) | (_, Err(error)) => {
                return self.reply(ERR_SASLFAIL, &[], &format!("SASL authentication failed: {error}"));
            }
        };
        let as_other = !other.is_empty()
            && match (AccountName::parse(other), AccountName::parse(name)) {
                (Ok(wanted), Ok(own)) => wanted.key() != own.key(),
                _ => true,
            };
        if as_other {
            return self.reply(ERR_SASLFAIL, &[], "SASL authentication failed: you can only act as yourself");
        }
        match self.check(name, Secret::from(plain.password)).await {
            Ok(login) => {
                let (nick, shown) = (login.row.name.clone(), self.shown_nick());
                let host = self.ctx.info.name.clone();
                let mask = crate::encode::source(&nick, &host);
                let line = Line::new().source(&host).command(RPL_LOGGEDIN).param(&shown).param(&mask).param(&nick);
                self.out.push(line.last(&format!("You are now logged in as {nick}")).into_string());
                (self.account, self.device) = (Some(login), device);
                self.reply(RPL_SASLSUCCESS, &[], "SASL authentication successful")
            }
            Err(text) => {
                self.reply(ERR_SASLFAIL, &[], &format!("SASL authentication failed: {text}"));
                self.failures += 1;
                match self.failures < FAILURES_MAX {
                    true => Next::GoOn,
                    false => Next::End("Closing link: too many failed logins".to_owned()),
                }
            }
        }
    }

    async fn check(&mut self, account: &str, password: Secret) -> Result<Login, String> {
        check(self.ctx, self.peer, account, password).await
    }

    fn is_complete(&self) -> bool {
        !self.negotiating && self.nick.is_some() && self.realname.is_some()
    }

    async fn log_in(&mut self) -> Result<Session, String> {
        let login = match self.account.take() {
            Some(login) => login,
            None => self.log_in_by_pass().await?,
        };
        let Some(person) = self.ctx.log.roster().by_id(login.row.id) else {
            return Err("Closing link: the account has just been removed".to_owned());
        };
        person.set_flags(login.row.admin, login.row.bot);
        let realname = self.realname.take().filter(|realname| !realname.is_empty());
        let realname = realname.unwrap_or_else(|| person.nick.clone());
        let (ctx, hash, device) = (self.ctx.clone(), login.hash.clone(), self.device());
        let begun = Session::begin(ctx, person.clone(), self.negotiation, realname, hash, device, self.peer);
        let session = begun.await.map_err(|reason| format!("Closing link: {reason}"))?;
        if let Some(new) = login.rehashed {
            let rehash = Intent::Rehash { account: person.id, old: login.hash, new };
            super::submit_quietly(&self.ctx.log, rehash).await;
        }
        self.ctx.figures.logins.inc();
        tracing::info!(session = session.id, account = %person.nick, peer = %self.peer, "logged in");
        Ok(session)
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

    /// The device this client is on: what it named, else the default one. The one place that decides it.
    fn device(&mut self) -> DeviceName {
        std::mem::take(&mut self.device)
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

/// Checks a password, for a login or for more powers. The error is a sentence that does not tell whether the account exists.
pub(super) async fn check(ctx: &Context, peer: IpAddr, account: &str, password: Secret) -> Result<Login, String> {
    let key = AccountName::parse(account).ok().map(|name| name.key().to_owned());
    let throttle_key = key.clone().unwrap_or_default();
    // Whoever has guessed too often need not wait in line to be told.
    let look = attempt(ctx, peer, &throttle_key)?;
    ctx.throttle.succeeded(look);
    let row = match key {
        None => None,
        Some(key) => {
            let found = ctx.log.readers().account(key).await;
            found.map_err(|error| {
                tracing::error!(%error, "accounts cannot be read");
                "the server cannot read its accounts; try again in a moment".to_owned()
            })?
        }
    };
    let row = row.filter(|row| !row.disabled && !row.removed);
    let stored = row.as_ref().map(|row| row.hash.as_str().to_owned());
    let logins = ctx.logins.load_full();
    let turn = logins.turn().await.map_err(|error| error.to_string())?;
    // Paid for only now: everybody may come back at once after a restart, from one address too, but guesses are
    // never more than the turns.
    let attempt = attempt(ctx, peer, &throttle_key)?;
    match (turn.verify(password, stored).await, row) {
        (Ok(Verdict::Right { rehashed }), Some(row)) => {
            ctx.throttle.succeeded(attempt);
            let hash = row.hash.as_str().into();
            Ok(Login { row, hash, rehashed: rehashed.map(Into::into) })
        }
        (Ok(_), _) => {
            ctx.figures.logins_failed.inc();
            tracing::info!(peer = %peer, "failed login");
            Err("wrong account or password".to_owned())
        }
        (Err(error), _) => {
            ctx.throttle.succeeded(attempt);
            Err(error.to_string())
        }
    }
}

/// Pays for a look at a password. The error says how long to wait.
fn attempt(ctx: &Context, peer: IpAddr, account_key: &str) -> Result<Attempt, String> {
    ctx.throttle.attempt(peer, account_key, Instant::now()).map_err(|wait| {
        let wait = Duration::from_secs(wait.as_secs() + 1);
        format!("too many failed logins; try again in {}", humantime::format_duration(wait))
    })
}
