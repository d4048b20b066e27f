//! Whom administrators keep out, and who may not speak: the words for it, and where a session looks. Bans of addresses
//! are looked up before TLS too, by the server; there nothing can be said.

use crate::encode;
use crate::live::Ban;
use crate::proto::line::Message;
use crate::proto::numerics::*;

use super::rooms::clean;
use super::{Context, Peer, Session};
use crate::event::AccountId;

/// Why this account may not be here from there, in words.
pub(super) fn kept_out(ctx: &Context, account: Option<AccountId>, peer: &Peer) -> Option<String> {
    let (bans, now) = (ctx.log.bans(), (ctx.clock)());
    let ban = account.and_then(|id| bans.account(id, now));
    let from = || bans.address(peer.address, now).map(|ban| words("Your address is banned from this server", &ban));
    ban.map(|ban| words("You are banned from this server", &ban)).or_else(from)
}

fn words(what: &str, ban: &Ban) -> String {
    let until = ban.expires.map_or(String::new(), |time| format!(" until {} UTC", encode::stamp(time)));
    let reason = if ban.reason.is_empty() { String::new() } else { format!(": {}", ban.reason) };
    format!("{what}{until}{reason}")
}

impl Session {
    /// Some network was banned: perhaps it is the one this session comes from.
    pub(super) fn look_at_address(&mut self) {
        let ban = self.ctx.log.bans().address(self.peer, (self.ctx.clock)());
        if let Some(ban) = ban {
            self.ending.get_or_insert(words("Your address is banned from this server", &ban).into());
        }
    }

    pub(super) fn mute(&self) -> Option<Ban> {
        self.ctx.log.bans().mute(self.person.id, (self.ctx.clock)())
    }

    /// What an administrator's mute says to a command that others would hear.
    pub(super) fn hush(&mut self, message: &Message<'_>, ban: &Ban) {
        let command = message.command.to_ascii_uppercase();
        // As many as its typing would make.
        if command == "TAGMSG" {
            return;
        }
        let target = message.params.first().map_or_else(|| "*".to_owned(), |target| clean(target));
        let text = words("You are muted on this server", ban);
        if command == "PRIVMSG" && target.starts_with('#') {
            return self.numeric(ERR_CANNOTSENDTOCHAN, &[&target], &text);
        }
        self.fail_own(&command, "MUTED", &[&target], &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Millis;

    #[test]
    fn a_ban_says_until_when_and_why() {
        let ban = Ban { reason: "spam".into(), expires: Some(Millis(1_795_446_245_007)) };
        assert_eq!(words("You are out", &ban), "You are out until 2026-11-23 15:04:05 UTC: spam");
        assert_eq!(words("You are out", &Ban { reason: "".into(), expires: None }), "You are out");
    }
}
