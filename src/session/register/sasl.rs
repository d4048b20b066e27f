//! SASL: PLAIN checks a password, EXTERNAL the client certificate that the connection has shown. Rules:
//! <https://ircv3.net/specs/extensions/sasl-3.1>. Whatever goes wrong here costs the same as a wrong password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::auth::{AuthError, Secret, Token, Verdict};
use crate::log::{Account, Proof, StoreError, TokenRow};
use crate::net::limits::Attempt;
use crate::proto::caps::Cap;
use crate::proto::device::DeviceName;
use crate::proto::line::Line;
use crate::proto::names::AccountName;
use crate::proto::numerics::*;
use crate::proto::sasl::{Chunks, Plain, SaslError};

use super::super::Context;
use super::{FAILURES_MAX, Login, Next, Registration};

/// An exchange that has begun.
pub(super) struct Exchange {
    mechanism: Mechanism,
    chunks: Chunks,
}

#[derive(Clone)]
enum Mechanism {
    Plain,
    /// With the certificate of this fingerprint.
    External(Arc<str>),
}

impl Registration<'_> {
    pub(super) async fn authenticate(&mut self, param: &str) -> Next {
        if self.account.is_some() {
            return self.reply(ERR_SASLALREADY, &[], "You are logged in already");
        }
        if !self.negotiation.enabled().contains(Cap::Sasl) {
            return self.sasl_failed("ask for the capability first (CAP REQ :sasl)");
        }
        let Some(exchange) = &mut self.sasl else { return self.begin_exchange(param) };
        let payload = match exchange.chunks.push(param) {
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
        let mechanism = exchange.mechanism.clone();
        self.sasl = None;
        let plain = match mechanism {
            Mechanism::Plain => Some(Plain::parse(&payload)),
            Mechanism::External(_) => None,
        };
        let (named, other) = match &plain {
            Some(Ok(plain)) => (plain.account.as_str(), plain.authorize_as.as_str()),
            Some(Err(error)) => return self.sasl_failed(&error.to_string()),
            // Not UTF-8: nobody's name.
            None => ("", std::str::from_utf8(&payload).unwrap_or("?")),
        };
        let ((name, device), (other, other_device)) = (DeviceName::split(named), DeviceName::split(other));
        let device = match (device, other_device) {
            (Ok(device), Ok(other)) if other.is_default() => device,
            (Ok(_), Ok(other)) => other,
            (Err(error), _) | (_, Err(error)) => return self.sasl_failed(&error.to_string()),
        };
        let (name, other) = (name.to_owned(), other.to_owned());
        let checked = match (mechanism, plain) {
            (Mechanism::External(fingerprint), _) => self.check_certificate(fingerprint, &other).await,
            (Mechanism::Plain, Some(Ok(plain))) if may_act_as(&name, &other) => {
                self.check(&name, Secret::from(plain.password)).await
            }
            (Mechanism::Plain, _) => return self.sasl_failed("you can only act as yourself"),
        };
        match checked {
            Ok(login) => {
                self.logged_in(login);
                self.device = device;
                self.reply(RPL_SASLSUCCESS, &[], "SASL authentication successful")
            }
            Err(text) => {
                self.sasl_failed(&text);
                self.failed()
            }
        }
    }

    fn begin_exchange(&mut self, param: &str) -> Next {
        let certificate = self.peer.certificate.clone();
        let mechanism = match (param.to_ascii_uppercase().as_str(), certificate) {
            ("*", _) => return self.reply(ERR_SASLABORTED, &[], "SASL authentication aborted"),
            ("PLAIN", _) => Mechanism::Plain,
            ("EXTERNAL", Some(certificate)) => Mechanism::External(certificate),
            (asked, _) => {
                let there = self.negotiation.offer().mechanisms();
                self.reply(RPL_SASLMECHS, &[there], "are available SASL mechanisms");
                return self.sasl_failed(match asked {
                    "EXTERNAL" => "the connection has shown no client certificate",
                    _ => "there is no such mechanism",
                });
            }
        };
        self.sasl = Some(Exchange { mechanism, chunks: Chunks::default() });
        self.out.push("AUTHENTICATE +".to_owned());
        Next::GoOn
    }

    fn sasl_failed(&mut self, why: &str) -> Next {
        self.reply(ERR_SASLFAIL, &[], &format!("SASL authentication failed: {why}"))
    }

    /// The client is who it says it is, and told so.
    pub(super) fn logged_in(&mut self, login: Login) {
        let (nick, shown) = (login.row.name.clone(), self.shown_nick());
        let host = self.ctx.info.name.clone();
        let mask = crate::encode::source(&nick, &host);
        let line = Line::new().source(&host).command(RPL_LOGGEDIN).param(&shown).param(&mask).param(&nick);
        self.out.push(line.last(&format!("You are now logged in as {nick}")).into_string());
        self.account = Some(login);
    }

    /// Counts a failed try; after some the connection is closed.
    pub(super) fn failed(&mut self) -> Next {
        self.failures += 1;
        match self.failures < FAILURES_MAX {
            true => Next::GoOn,
            false => Next::End("Closing link: too many failed logins".to_owned()),
        }
    }

    /// Finds the account that this certificate is for. `authorize_as`: whom the client wants to act as, or nothing.
    ///
    /// A certificate that somebody has only named, without its key, counts for a client that means that account: else its
    /// holder, a stranger here, would talk in somebody else's name without noticing.
    async fn check_certificate(&mut self, fingerprint: Arc<str>, authorize_as: &str) -> Result<Login, String> {
        let throttle_key = format!("certificate {fingerprint}");
        let look = attempt(self.ctx, self.peer.address, &throttle_key)?;
        self.ctx.throttle.succeeded(look);
        let found = self.ctx.log.readers().account_by_certificate(fingerprint.clone()).await.map_err(unreadable)?;
        let nick = self.nick.as_deref().unwrap_or_default();
        let meant = |row: &Account, by: &str| !by.is_empty() && may_act_as(&row.name, by);
        let row = found.filter(|(row, _)| !row.disabled && !row.removed && may_act_as(&row.name, authorize_as));
        match row.filter(|(row, proven)| *proven || meant(row, authorize_as) || meant(row, nick)) {
            Some((row, _)) => Ok(Login { row, proof: Proof::Certificate(fingerprint), rehashed: None }),
            None => {
                // Not given back: it counts as failed.
                let _attempt = attempt(self.ctx, self.peer.address, &throttle_key)?;
                count_failure(self.ctx, self.peer.address);
                Err("this certificate is not registered for that account".to_owned())
            }
        }
    }

    /// Checks a password, or the token of a device in its place.
    pub(super) async fn check(&self, account: &str, password: Secret) -> Result<Login, String> {
        if let Some(token) = Token::entered(&password) {
            return self.check_token(account, &token).await;
        }
        check(self.ctx, self.peer.address, account, password).await
    }
}

impl Registration<'_> {
    async fn check_token(&self, account: &str, token: &Token) -> Result<Login, String> {
        let key = AccountName::parse(account).ok().map(|name| name.key().to_owned()).unwrap_or_default();
        let attempt = attempt(self.ctx, self.peer.address, &key)?;
        let hash = token.hash();
        let found = self.ctx.log.readers().account_by_token(hash).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.ctx.throttle.succeeded(attempt);
                return Err(unreadable(error));
            }
        };
        let usable = |row: &Account| !row.disabled && !row.removed && may_act_as(&row.name, account);
        match found.filter(|(row, _)| !key.is_empty() && usable(row)) {
            Some((row, TokenRow { hash, device, .. })) => {
                self.ctx.throttle.succeeded(attempt);
                Ok(Login { row, proof: Proof::Token { hash, device }, rehashed: None })
            }
            None => {
                count_failure(self.ctx, self.peer.address);
                Err("this token is not valid, or no longer; log in with your password".to_owned())
            }
        }
    }
}

/// Checks a password, for a login or for more powers. The error is a sentence that does not tell whether the account exists.
pub(in crate::session) async fn check(
    ctx: &Context,
    peer: IpAddr,
    account: &str,
    password: Secret,
) -> Result<Login, String> {
    let key = AccountName::parse(account).ok().map(|name| name.key().to_owned());
    let throttle_key = key.clone().unwrap_or_default();
    // Whoever has guessed too often need not wait in line to be told.
    let look = attempt(ctx, peer, &throttle_key)?;
    ctx.throttle.succeeded(look);
    let row = match key {
        None => None,
        Some(key) => ctx.log.readers().account(key).await.map_err(unreadable)?,
    };
    let row = row.filter(|row| !row.disabled && !row.removed);
    let stored = row.as_ref().map(|row| row.hash.as_str().to_owned());
    let logins = ctx.logins.load_full();
    let turn = logins.turn(peer).await.map_err(|error| error.to_string())?;
    // Paid for only now, and paid back before the next turn begins: everybody may come back at once after a restart, from one
    // address too, but guesses are never more than the turns.
    let attempt = attempt(ctx, peer, &throttle_key)?;
    let throttle = ctx.throttle.clone();
    let settle = move |verdict: &Result<Verdict, AuthError>| match verdict {
        Ok(Verdict::Right { .. }) => throttle.succeeded(attempt),
        // It stays paid for.
        Ok(_) => drop(attempt),
        Err(_) => throttle.succeeded(attempt),
    };
    match (turn.verify(password, stored, settle).await, row) {
        (Ok(Verdict::Right { rehashed }), Some(row)) => {
            let proof = Proof::Password(row.hash.as_str().into());
            Ok(Login { row, proof, rehashed: rehashed.map(Into::into) })
        }
        (Ok(_), _) => {
            count_failure(ctx, peer);
            Err("wrong account or password".to_owned())
        }
        (Err(error), _) => Err(error.to_string()),
    }
}

/// Pays for a look at a password. The error says how long to wait.
pub(super) fn attempt(ctx: &Context, peer: IpAddr, account_key: &str) -> Result<Attempt, String> {
    ctx.throttle.attempt(peer, account_key, Instant::now()).map_err(|wait| {
        let wait = Duration::from_secs(wait.as_secs() + 1);
        format!("too many failed logins; try again in {}", humantime::format_duration(wait))
    })
}

fn count_failure(ctx: &Context, peer: IpAddr) {
    ctx.figures.logins_failed.inc();
    tracing::info!(%peer, "failed login");
}

pub(super) fn unreadable(error: StoreError) -> String {
    tracing::error!(%error, "accounts cannot be read");
    "the server cannot read its accounts; try again in a moment".to_owned()
}

/// Whether whoever is this account may act as that one: only as itself, or without a word.
fn may_act_as(account: &str, other: &str) -> bool {
    let key = |name: &str| AccountName::parse(name).ok().map(|name| name.key().to_owned());
    other.is_empty() || key(other).is_some_and(|wanted| key(account).as_ref() == Some(&wanted))
}
