//! What a person does about their own way in: which certificates they log in with.

use crate::live::Person;
use crate::proto::line::Message;
use crate::proto::numerics::*;

use super::Session;
use super::rooms::clean;

impl Session {
    /// REGISTER and VERIFY of somebody who has an account.
    pub(super) fn has_account(&mut self, command: &str, message: &Message<'_>) {
        let account = if message.params[0] == "*" { self.person.nick.to_string() } else { clean(message.params[0]) };
        let text = format!("You are logged in as {}", self.person.nick);
        self.fail(command, "ALREADY_AUTHENTICATED", &[&account], &text);
    }

    /// 276, for each certificate that a connection of this person has shown: to themselves and to operators.
    pub(super) fn whois_certificates(&mut self, person: &Person) {
        if person.id != self.person.id && !self.actor().admin {
            return;
        }
        let mut shown = Vec::new();
        person.each_session(|mailbox| {
            if let Some(certificate) = &mailbox.certificate
                && !shown.contains(&certificate.fingerprint)
            {
                shown.push(certificate.fingerprint.clone());
            }
        });
        for fingerprint in shown {
            let text = format!("has client certificate fingerprint {fingerprint}");
            self.numeric(RPL_WHOISCERTFP, &[&person.nick], &text);
        }
    }
}
