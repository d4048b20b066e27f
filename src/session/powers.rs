//! What administrators may do beyond others, and how a session comes to it: OPER with the password of an administrator's
//! account. An administrator's session is nobody special before, so that a lost phone is not a lost server.

use std::sync::Arc;

use crate::auth::Secret;
use crate::event::{Note, NoteBody};
use crate::live::Grant;
use crate::log::{Author, Intent, Proof};
use crate::proto::device::DeviceName;
use crate::proto::line::Message;
use crate::proto::names::AccountName;
use crate::proto::numerics::*;

use super::Session;
use super::register;
use super::rooms::{clean, cut};

impl Session {
    /// Whether this session has the powers of an administrator now. The one place that says so.
    pub(super) fn powers(&self) -> bool {
        self.grant.as_ref().is_some_and(Grant::holds)
    }

    /// `OPER <account> <password>`: the account may be another one; the session keeps its own name.
    pub(super) async fn oper(&mut self, message: &Message<'_>) {
        let name = DeviceName::split(message.params[0]).0;
        let password = Secret::new(message.params[1].to_owned());
        let by = AccountName::parse(name).ok().and_then(|name| self.ctx.log.roster().by_key(name.key()));
        // Before the row is read, so that a password changed meanwhile opens nothing.
        let grant = by.map(Grant::of);
        let login = match register::check(&self.ctx, self.peer, name, password).await {
            Ok(login) => login,
            Err(text) => {
                tracing::warn!(session = self.id, account = %self.person.nick, peer = %self.peer, "OPER refused");
                self.numeric(ERR_PASSWDMISMATCH, &[], &format!("No powers for you: {text}"));
                return;
            }
        };
        if let (Some(new), Proof::Password(old)) = (login.rehashed, login.proof) {
            let rehash = Intent::Rehash { account: login.row.id, old, new };
            super::submit_quietly(&self.ctx.log, rehash).await;
        }
        if self.ctx.log.bans().account(login.row.id, (self.ctx.clock)()).is_some() {
            tracing::warn!(session = self.id, account = %self.person.nick, by = %login.row.name, "OPER refused");
            self.numeric(ERR_PASSWDMISMATCH, &[], "No powers for you: this account is banned");
            return;
        }
        if !login.row.admin {
            tracing::warn!(session = self.id, account = %self.person.nick, by = %login.row.name, "OPER refused");
            self.numeric(ERR_NOOPERHOST, &[], "This account is not an administrator's");
            return;
        }
        if let Some(by) = self.ctx.log.roster().by_id(login.row.id) {
            by.set_flags(login.row.admin, login.row.bot);
        }
        let Some(grant) = grant.filter(Grant::holds) else {
            self.numeric(ERR_PASSWDMISMATCH, &[], "No powers for you: the account has just been changed");
            return;
        };
        let news = !self.powers();
        self.grant = Some(grant.clone());
        self.person.set_grant(self.id, Some(grant));
        tracing::warn!(session = self.id, account = %self.person.nick, by = %login.row.name, "powers of an administrator");
        self.note_act(format!("OPER {}", login.row.name)).await;
        self.numeric(RPL_YOUREOPER, &[], "You are now an administrator here; MODE <your name> -o ends it");
        if news {
            self.tell_mode("+o");
        }
    }

    /// Who this session is to the audit.
    pub(super) fn author(&self) -> Author {
        Author { who: self.person.nick.to_string(), place: self.peer.to_string() }
    }

    /// Notes what an administrator did that is no order.
    async fn note_act(&self, what: String) {
        Box::pin(super::submit_quietly(&self.ctx.log, Intent::NoteAct { by: self.author(), what })).await;
    }

    /// Ends the session's powers.
    pub(super) fn drop_powers(&mut self) {
        self.grant = None;
        self.person.set_grant(self.id, None);
        tracing::warn!(session = self.id, account = %self.person.nick, "powers given back");
    }

    /// Whether the command may be done; if not, that is said.
    pub(super) fn must_be_oper(&mut self) -> bool {
        let powers = self.powers();
        if !powers {
            self.numeric(ERR_NOPRIVILEGES, &[], "Permission denied: this is for administrators, after OPER");
        }
        powers
    }

    /// `KILL <nick> [reason]`: ends all sessions of an account. It may come back: to keep it out is `chatd user disable`.
    pub(super) async fn kill(&mut self, message: &Message<'_>) {
        if !self.must_be_oper() {
            return;
        }
        let nick = message.params[0];
        if nick.eq_ignore_ascii_case(&self.ctx.info.name) {
            self.numeric(ERR_CANTKILLSERVER, &[], "You cannot kill the server");
            return;
        }
        let Some(person) = self.find_person(nick).filter(|person| person.is_online()) else {
            self.numeric(ERR_NOSUCHNICK, &[&clean(nick)], "Nobody of this name is online");
            return;
        };
        let words = message.param(1).unwrap_or("no reason given");
        let reason = format!("Killed ({} ({}))", self.person.nick, cut(words));
        tracing::warn!(by = %self.person.nick, account = %person.nick, "KILL");
        self.note_act(format!("KILL {}: {}", person.nick, cut(words))).await;
        person.end_sessions(&Arc::from(cut(&reason)));
    }

    /// `WALLOPS <text>`: to everybody who wants it (+w), and to administrators.
    pub(super) fn wallops(&mut self, message: &Message<'_>) {
        if !self.must_be_oper() {
            return;
        }
        let body = NoteBody::Wallops { text: cut(message.params[0]).into() };
        let note = Note { time: (self.ctx.clock)(), actor: self.person.who(), session: self.id, body };
        let note = Arc::new(note);
        tracing::warn!(by = %self.person.nick, "WALLOPS");
        for person in self.ctx.log.roster().online() {
            person.each_wallops(|mailbox| {
                if mailbox.session != self.id {
                    mailbox.note(note.clone());
                }
            });
        }
        self.answer_note(&note);
    }

    /// `REHASH`: the configuration and the certificate are read anew, as by SIGHUP.
    pub(super) async fn rehash(&mut self) {
        if !self.must_be_oper() {
            return;
        }
        tracing::warn!(by = %self.person.nick, "REHASH");
        self.note_act("REHASH".to_owned()).await;
        self.numeric(RPL_REHASHING, &["config"], "Rehashing; the server's log says what came of it");
        self.ctx.rehash.notify_one();
    }
}
