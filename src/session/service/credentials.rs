//! What somebody asks the service about the own way in: certificates, and another password.

use std::sync::Arc;

use crate::auth::{Password, Secret};
use crate::encode;
use crate::log::{CERTIFICATES_MAX, HashText, Intent, Order, Proof};
use crate::net::tls::Fingerprint;

use super::super::{Session, register};
use super::Asked;

impl Session {
    pub(super) async fn service_cert(&mut self, rest: &str) {
        let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match (word.to_ascii_lowercase().as_str(), rest.trim()) {
            ("" | "list", "") => self.list_certificates().await,
            ("add", rest) => self.add_certificate(rest).await,
            ("remove", rest) => match Fingerprint::parse(rest) {
                Some(fingerprint) => self.remove_certificate(fingerprint).await,
                None => self.service_usage("Which certificate? Its SHA-256 fingerprint is missing.", Asked::Cert),
            },
            _ => self.service_usage("That is not clear to me.", Asked::Cert),
        }
    }

    /// `passwd <old> <new> [json]`
    pub(super) async fn service_passwd(&mut self, rest: &str) {
        let json = || Some((two_words(rest.strip_suffix("json")?.trim_end())?, true));
        let Some(((old, new), json)) = two_words(rest).map(|words| (words, false)).or_else(json) else {
            let wrong = "I need the old and the new password. One with blanks or quotes stands in \"double quotes\".";
            return self.service_usage(wrong, Asked::Passwd);
        };
        match self.change_password(old, &new).await {
            Ok(()) => self.service_outcome(
                json,
                true,
                "Your password is changed. Your other sessions that logged in with the old one are ended; this one goes on.",
            ),
            Err(why) => self.service_outcome(json, false, &format!("Not changed: {why}.")),
        }
    }

    /// The error is why not, without a full stop.
    async fn change_password(&mut self, old: Secret, new: &Secret) -> Result<(), String> {
        let password = Password::chosen(new).map_err(|error| error.to_string())?;
        let nick = self.person.nick.clone();
        let login = register::check(&self.ctx, self.peer, &nick, old).await.map_err(|text| text.to_string())?;
        // A password proves a password; nothing else comes back from there.
        let Proof::Password(old) = login.proof else { return Err("the server cannot tell why".to_owned()) };
        let logins = self.ctx.logins.load_full();
        let new = HashText(logins.hash(password, self.peer).await.map_err(|error| error.to_string())?);
        self.acts += 1;
        let keep = self.mailbox.by_token.then(|| self.presence.place.device.clone());
        let change = Intent::ChangePassword { account: self.person.id, session: self.id, old, new, keep };
        self.ctx.log.ask(change).await.map_err(|refusal| refusal.to_string())?;
        tracing::info!(session = self.id, account = %nick, "password changed by its owner");
        Ok(())
    }

    async fn list_certificates(&mut self) {
        let Ok(rows) = self.ctx.log.readers().certificates(self.person.id).await else { return self.service_trouble() };
        let shown = self.shown_certificate();
        for row in &rows {
            let name = if row.label.is_empty() { String::new() } else { format!("{}: ", row.label) };
            let this = if shown.as_ref() == Some(&row.fingerprint) { "; that of this connection" } else { "" };
            let since = encode::stamp(row.created);
            self.service_says(&format!("{name}{}, added {since} UTC{this}", row.fingerprint));
        }
        self.service_says(&match (rows.is_empty(), shown) {
            (false, _) => format!("{} of {CERTIFICATES_MAX}. To take one away: cert remove <fingerprint>", rows.len()),
            (true, Some(_)) => "You have no certificates. To add that of this connection: cert add".to_owned(),
            (true, None) => "You have no certificates. To add one: cert add <fingerprint>".to_owned(),
        });
    }

    /// The certificate of this connection, or one by its fingerprint; behind it what to call it.
    async fn add_certificate(&mut self, rest: &str) {
        if self.mailbox.by_token {
            // Else revoking the token would not lock out who had it.
            return self.service_says("Not done: log in with your password or a certificate first, not with a token.");
        }
        let (first, label) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let shown = self.shown_certificate();
        let (fingerprint, label) = match (Fingerprint::parse(first), shown.clone()) {
            (Some(fingerprint), _) => (fingerprint.hex(), label.trim()),
            // Digits, but not so many: a slip, and no name.
            (None, _) if first.len() >= 32 => {
                return self
                    .service_usage("That is no SHA-256 fingerprint: it has 64 hexadecimal digits.", Asked::Cert);
            }
            (None, Some(shown)) => (shown.to_string(), rest.trim()),
            (None, None) => {
                let wrong =
                    "This connection has shown no client certificate. Connect with it, or give its fingerprint.";
                return self.service_usage(wrong, Asked::Cert);
            }
        };
        let name = self.person.nick.to_string();
        let proven = shown.is_some_and(|shown| *shown == *fingerprint);
        let order = Order::AddCertificate { name, fingerprint: fingerprint.clone(), label: label.to_owned(), proven };
        if self.change_certificates(order).await {
            let nick = self.person.nick.clone();
            tracing::info!(session = self.id, account = %nick, %fingerprint, proven, "certificate added by its owner");
            self.service_says(&format!("You can log in with the certificate {fingerprint} (SASL EXTERNAL)."));
            if !proven {
                // Anybody can name a fingerprint; see `check_certificate` in `register/sasl.rs`.
                self.service_says(&format!("The first time, log in with it under your own name: NICK {nick}."));
            }
        }
    }

    async fn remove_certificate(&mut self, fingerprint: Fingerprint) {
        let (name, fingerprint) = (self.person.nick.to_string(), fingerprint.hex());
        let order = Order::RemoveCertificate { name, fingerprint: fingerprint.clone() };
        if self.change_certificates(order).await {
            tracing::info!(session = self.id, account = %self.person.nick, %fingerprint, "certificate removed by its owner");
            self.service_says("That certificate is no login any more. Sessions that logged in with it end.");
        }
    }

    /// `false`: it was not done, and the person has been told why.
    async fn change_certificates(&mut self, order: Order) -> bool {
        self.acts += 1;
        match self.ctx.log.ask(Intent::Order { row: None, order, by: None }).await {
            Ok(_) => true,
            Err(refusal) => {
                self.service_says(&format!("Not done: {refusal}."));
                false
            }
        }
    }

    fn shown_certificate(&self) -> Option<Arc<str>> {
        self.mailbox.certificate.as_ref().map(|certificate| certificate.fingerprint.clone())
    }
}

/// Two words, each as it is or in double quotes, in which `\"` is a quote and `\\` a backslash.
fn two_words(text: &str) -> Option<(Secret, Secret)> {
    let (first, rest) = word(text)?;
    let (second, rest) = word(rest)?;
    rest.trim().is_empty().then_some((first, second))
}

fn word(text: &str) -> Option<(Secret, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return (!word.is_empty()).then(|| (Secret::new(word.to_owned()), rest));
    };
    let mut word = String::with_capacity(quoted.len());
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Secret::new(word), &quoted[at + 1..])),
            '\\' => word.push(chars.next()?.1),
            c => word.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::two_words;

    #[test]
    fn passwords_may_hold_blanks_and_quotes() {
        let read = |text| two_words(text).map(|(a, b)| format!("{}|{}", a.expose(), b.expose()));
        for (text, words) in [
            ("old new", Some("old|new")),
            ("  old   new ", Some("old|new")),
            (r#""an old one" new"#, Some("an old one|new")),
            (r#""a \"quoted\" \\ one" "the new""#, Some(r#"a "quoted" \ one|the new"#)),
            (r#"it"s ok"#, Some("it\"s|ok")),
            (r#""" new"#, Some("|new")),
            ("old", None),
            ("one two three", None),
            ("", None),
            (r#""open end"#, None),
            (r#"old "open \"#, None),
        ] {
            assert_eq!(read(text).as_deref(), words, "{text}");
        }
    }
}
