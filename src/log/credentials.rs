//! What lets an account in, as it changes: its password by its own hand, its certificates, and the accounts that
//! newcomers make for themselves, with the codes that allow it.

use std::sync::Arc;

use crate::event::{AccountId, Millis};
use crate::live::{Mailbox, Receipt};
use crate::room::Refusal;
use crate::store::{CertificateRow, InvitationRow, StoreError, Tx};

use super::core::Effect;
use super::orders::{HashText, OrderResult, add_user, find_user};
use super::world::{Batch, Fault, World};

/// Certificates of one account; a further one is refused.
pub const CERTIFICATES_MAX: usize = 32;
/// Invitation codes that are kept. A new one takes away those that are used up or expired, if there are so many; if
/// none is, it is refused.
pub const INVITATIONS_MAX: usize = 1000;
/// Characters of a certificate's label; the rest is cut.
const LABEL_MAX: usize = 40;

/// What a session proved by that it may act for its account.
#[derive(Clone)]
pub enum Proof {
    /// The password was checked against this hash.
    Password(Arc<str>),
    /// The connection holds the key of the certificate with this fingerprint.
    Certificate(Arc<str>),
    /// The token with this hash, of this device.
    Token { hash: Arc<str>, device: Arc<str> },
}

/// Which sessions of an account are to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those that logged in with this certificate.
    By(Arc<str>),
    /// Those that logged in with the password or a token, but for the session that has just changed it.
    ByPasswordBut(u64),
    /// Those that logged in with the token of this device.
    ByToken(Arc<str>),
}

impl Which {
    pub(super) fn holds(&self, mailbox: &Mailbox, on: &str) -> bool {
        let login = mailbox.certificate.as_ref().filter(|certificate| certificate.is_login);
        match self {
            Which::All => true,
            Which::By(fingerprint) => login.is_some_and(|login| login.fingerprint == *fingerprint),
            Which::ByToken(device) => mailbox.by_token && on == &**device,
            Which::ByPasswordBut(session) => login.is_none() && mailbox.session != *session,
        }
    }
}

impl World {
    /// The account's owner, who has just shown the old password (by its hash), has a new one. Tokens were given for
    /// the old one, so they go; but for that of the device `keep`, which is the session's own.
    #[allow(clippy::too_many_arguments)] // the fields of one intent
    pub(super) fn change_password(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        account: AccountId,
        session: u64,
        old: &str,
        new: &HashText,
        keep: Option<&str>,
    ) -> Result<Receipt, Fault> {
        let Some(mut row) = tx.account(account)?.filter(|row| !row.removed && !row.disabled) else {
            return Err(not_done("the account has just been changed").into());
        };
        if row.hash.as_str() != old {
            return Err(not_done("the password has just been changed by somebody else; try again").into());
        }
        row.hash = new.0.clone().into();
        tx.update_account(&row)?;
        tx.remove_tokens(account, keep)?;
        self.forget_password(account);
        let reason = "The password was changed; log in again".into();
        batch.effects.push(Effect::EndSessions { account, which: Which::ByPasswordBut(session), reason });
        Ok(Receipt { event: None, room: None })
    }

    /// A newcomer's account; with an invitation it is counted there, in the same transaction.
    pub(super) fn register(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        hash: &HashText,
        invitation: Option<&str>,
    ) -> Result<Receipt, Fault> {
        if let Some(code) = invitation
            && !tx.invitation(code)?.is_some_and(|row| row.is_good(batch.now()))
        {
            return Err(not_done("the invitation code is not valid, or no longer").into());
        }
        let added = add_user(tx, batch, name, &hash.0, false, false)?;
        if !added.ok {
            return Err(not_done(added.message).into());
        }
        if let Some(code) = invitation {
            tx.use_invitation(code)?;
        }
        Ok(Receipt { event: None, room: None })
    }

    pub(super) fn add_certificate(
        &mut self,
        tx: &Tx<'_>,
        batch: &Batch,
        name: &str,
        fingerprint: &str,
        label: &str,
        proven: bool,
    ) -> Result<OrderResult, StoreError> {
        let row = match find_user(tx, name)? {
            Ok(row) => row,
            Err(problem) => return Ok(problem),
        };
        if fingerprint.len() != 64 || !fingerprint.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(OrderResult::failed(
                "this is not a fingerprint: write the 64 hexadecimal digits of its SHA-256",
            ));
        }
        match tx.certificate(fingerprint)? {
            Some(known) if known.account == row.id => {
                if proven && !known.proven {
                    tx.prove_certificate(fingerprint)?;
                }
                return Ok(OrderResult::done(format!("{} has this certificate already", row.name)));
            }
            // Who named it without holding its key must not keep it from who does.
            Some(known) if proven && !known.proven => {
                tx.remove_certificate(known.account, fingerprint)?;
            }
            // Whose it is otherwise is nobody's business: the service answers with these words too.
            Some(_) => {
                return Ok(OrderResult::failed(
                    "this certificate belongs to another account; one can be used for one only",
                ));
            }
            None => {}
        }
        if tx.certificates(row.id)?.len() >= CERTIFICATES_MAX {
            return Ok(OrderResult::failed(format!(
                "{} has {CERTIFICATES_MAX} certificates, which is the most there can be; remove one first",
                row.name
            )));
        }
        let label: String = label.chars().filter(|c| !c.is_control()).take(LABEL_MAX).collect();
        let (fingerprint, label) = (fingerprint.into(), label.trim().into());
        tx.add_certificate(&CertificateRow { fingerprint, account: row.id, label, created: batch.now(), proven })?;
        Ok(OrderResult::done(format!("{} can log in with this certificate (SASL EXTERNAL)", row.name)))
    }

    pub(super) fn remove_certificate(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        fingerprint: &str,
    ) -> Result<OrderResult, StoreError> {
        let row = match find_user(tx, name)? {
            Ok(row) => row,
            Err(problem) => return Ok(problem),
        };
        if !tx.remove_certificate(row.id, fingerprint)? {
            return Ok(OrderResult::failed(format!("{} has no such certificate", row.name)));
        }
        let reason = "The certificate this session logged in with was removed".into();
        batch.effects.push(Effect::EndSessions { account: row.id, which: Which::By(fingerprint.into()), reason });
        Ok(OrderResult::done(format!(
            "{} cannot log in with this certificate any more; sessions that did were ended",
            row.name
        )))
    }

    pub(super) fn new_invitation(
        &mut self,
        tx: &Tx<'_>,
        batch: &Batch,
        hash: &str,
        uses: u32,
        expires: Option<Millis>,
    ) -> Result<OrderResult, StoreError> {
        let mut there = tx.invitations()?;
        if there.len() >= INVITATIONS_MAX {
            for old in there.iter().filter(|old| !old.is_good(batch.now())) {
                tx.remove_invitation(&old.hash)?;
            }
            there.retain(|old| old.is_good(batch.now()));
        }
        if there.len() >= INVITATIONS_MAX {
            return Ok(OrderResult::failed(format!(
                "there are {INVITATIONS_MAX} invitation codes, which is the most there can be; remove some first"
            )));
        }
        // Two that go by one name: once in a thousand years. The next code has another.
        let row = InvitationRow { hash: hash.to_owned(), created: batch.now(), expires, uses, used: 0 };
        if hash.len() != 64 || there.iter().any(|old| old.id() == row.id()) {
            return Ok(OrderResult::failed("this code cannot be used; make another one"));
        }
        tx.add_invitation(&row)?;
        Ok(OrderResult::done(format!("the invitation {} is made", row.id())))
    }

    pub(super) fn remove_invitation(&mut self, tx: &Tx<'_>, id: &str) -> Result<OrderResult, StoreError> {
        let found = tx.invitations()?.into_iter().find(|row| row.id() == id);
        let Some(row) = found else {
            return Ok(OrderResult::failed(format!("there is no invitation {id}; see `chatd invite list`")));
        };
        tx.remove_invitation(&row.hash)?;
        Ok(OrderResult::done(format!("the invitation {id} is removed; accounts it has made stay")))
    }
}

fn not_done(why: impl Into<Arc<str>>) -> Refusal {
    Refusal::NotStored(why.into())
}
