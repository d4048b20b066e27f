//! What is noted of an administrator's act: who, from where, and the act in words, without secrets.

use serde::{Deserialize, Serialize};

use crate::event::Millis;
use crate::proto::names::AccountName;
use crate::store::{AuditRow, Keep, StoreError, Tx};

use super::erase::hide_name;
use super::orders::{Order, OrderResult, keep_of};

/// Bytes of an act in words, and of what came of it; more is cut.
const WORDS_MAX: usize = 500;

/// Who orders something, for the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// An account, or a user of the machine.
    pub who: String,
    /// "command line", or the address of a session.
    pub place: String,
}

/// An order as it is left for a running server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    #[serde(flatten)]
    pub order: Order,
    pub by: Author,
}

impl Order {
    /// The account that it names.
    fn account(&self) -> Option<&str> {
        match self {
            Order::AddUser { name, .. }
            | Order::SetPassword { name, .. }
            | Order::Disable { name }
            | Order::Enable { name }
            | Order::RemoveUser { name }
            | Order::EraseUser { name }
            | Order::KickUser { name, .. }
            | Order::AddCertificate { name, .. }
            | Order::RemoveCertificate { name, .. }
            | Order::AddToken { name, .. }
            | Order::RevokeToken { name, .. }
            | Order::AddBan { name, .. }
            | Order::RemoveBan { name, .. } => Some(name),
            Order::CreateRoom { .. }
            | Order::RemoveRoom { .. }
            | Order::KeepRoom { .. }
            | Order::NewInvitation { .. }
            | Order::RemoveInvitation { .. } => None,
        }
    }

    /// The act, much as it would be typed behind `chatd`.
    pub fn words(&self) -> String {
        let fingerprint = |text: &str| text.chars().take(16).collect::<String>();
        match self {
            Order::AddUser { name, admin, bot, .. } => {
                let flags = [(*admin, " --admin"), (*bot, " --bot")];
                let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
                format!("user add {name}{flags}")
            }
            Order::SetPassword { name, .. } => format!("user passwd {name}"),
            Order::Disable { name } => format!("user disable {name}"),
            Order::Enable { name } => format!("user enable {name}"),
            Order::RemoveUser { name } => format!("user remove {name}"),
            // The name is to be nowhere; what came of it says what the account is called now.
            Order::EraseUser { .. } => "user erase".to_owned(),
            Order::KickUser { name, reason } => format!("user kick {name}{}", why(reason)),
            Order::CreateRoom { name, .. } => format!("room create {name}"),
            Order::RemoveRoom { name } => format!("room remove {name}"),
            Order::KeepRoom { name, retention } => {
                let term = match keep_of(*retention) {
                    Keep::AsTheServer => "default".to_owned(),
                    Keep::Forever => "forever".to_owned(),
                    term => term.to_string(),
                };
                format!("room retention {name} {term}")
            }
            Order::AddCertificate { name, fingerprint: one, .. } => {
                format!("user cert add {name} {}", fingerprint(one))
            }
            Order::RemoveCertificate { name, fingerprint: one } => {
                format!("user cert remove {name} {}", fingerprint(one))
            }
            Order::AddToken { name, device, .. } => format!("user devices add {name} {device}"),
            Order::RevokeToken { name, device } => format!("user devices revoke {name} {device}"),
            Order::NewInvitation { hash, uses, .. } => {
                format!("invite new --uses {uses} (id {})", hash.chars().take(8).collect::<String>())
            }
            Order::RemoveInvitation { id } => format!("invite remove {id}"),
            Order::AddBan { kind, name, reason, expires } => {
                let until = expires.map_or(String::new(), |time| {
                    let since_1970 = std::time::Duration::from_millis(time.max(0).unsigned_abs());
                    format!(" until {}", humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since_1970))
                });
                match kind.as_str() {
                    "mute" => format!("user mute {name}{until}{}", why(reason)),
                    _ => format!("ban add {kind} {name}{until}{}", why(reason)),
                }
            }
            Order::RemoveBan { kind, name } if kind == "mute" => format!("user unmute {name}"),
            Order::RemoveBan { kind, name } => format!("ban remove {kind} {name}"),
        }
    }
}

/// An act and what came of it, without the name of somebody who was erased: whoever types it again must not bring it back.
pub(super) fn discreetly(
    tx: &Tx<'_>,
    order: &Order,
    mut result: OrderResult,
) -> Result<(String, OrderResult), StoreError> {
    let words = order.words();
    if let Some(name) = order.account()
        && let Ok(parsed) = AccountName::parse(name)
        && tx.is_erased_name(parsed.key(), parsed.skeleton())?
    {
        // The order's own row is blanked, but stands in the write-ahead log.
        tx.takes_away();
        result.message = hide_name(&result.message, parsed.key());
        return Ok((hide_name(&words, parsed.key()), result));
    }
    Ok((words, result))
}

/// Writes the act down, in the transaction that does it.
pub(super) fn note(tx: &Tx<'_>, now: Millis, by: &Author, what: &str, result: &OrderResult) -> Result<(), StoreError> {
    tx.note_act(&AuditRow {
        id: 0,
        time: now,
        who: cut(&by.who),
        place: cut(&by.place),
        what: cut(what),
        done: result.ok,
        result: cut(&result.message),
    })
}

fn why(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(WORDS_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::orders::HashText;
    use super::*;

    /// One of each; the compiler asks for the new ones.
    fn all() -> Vec<Order> {
        let (name, hash) = ("NAME".to_owned(), "SECRETHASH".repeat(8));
        let next = |order: &Order| -> Option<Order> {
            let name = name.clone();
            Some(match order {
                Order::AddUser { .. } => Order::SetPassword { name, hash: HashText(hash.clone()) },
                Order::SetPassword { .. } => Order::Disable { name },
                Order::Disable { .. } => Order::Enable { name },
                Order::Enable { .. } => Order::RemoveUser { name },
                Order::RemoveUser { .. } => Order::EraseUser { name },
                Order::EraseUser { .. } => Order::KickUser { name, reason: "REASON".into() },
                Order::KickUser { .. } => Order::CreateRoom { name, topic: Some("SECRET topic".into()) },
                Order::CreateRoom { .. } => Order::RemoveRoom { name },
                Order::RemoveRoom { .. } => Order::KeepRoom { name, retention: Some(7_776_000_000) },
                Order::KeepRoom { .. } => Order::AddCertificate {
                    name,
                    fingerprint: "0123456789abcdef0".into(),
                    label: "l".into(),
                    proven: true,
                },
                Order::AddCertificate { .. } => {
                    Order::RemoveCertificate { name, fingerprint: "0123456789abcdef0".into() }
                }
                Order::RemoveCertificate { .. } => {
                    Order::AddToken { name, device: "DEVICE".into(), hash: hash.clone() }
                }
                Order::AddToken { .. } => Order::RevokeToken { name, device: "DEVICE".into() },
                Order::RevokeToken { .. } => {
                    Order::NewInvitation { hash: "0123456789abcdef0".into(), uses: 3, expires: None }
                }
                Order::NewInvitation { .. } => Order::RemoveInvitation { id: "NAME".into() },
                Order::RemoveInvitation { .. } => {
                    Order::AddBan { kind: "mute".into(), name, reason: "REASON".into(), expires: Some(1_000) }
                }
                Order::AddBan { .. } => Order::RemoveBan { kind: "cidr".into(), name },
                Order::RemoveBan { .. } => return None,
            })
        };
        let first = Order::AddUser { name: name.clone(), hash: HashText(hash.clone()), admin: true, bot: false };
        std::iter::successors(Some(first), |order| next(order)).collect()
    }

    #[test]
    fn every_act_has_words_without_secrets() {
        let said: Vec<String> = all().iter().map(Order::words).collect();
        assert_eq!(said.len(), 18);
        for words in &said {
            assert!(!words.contains("SECRET"), "{words}");
            assert!(words.contains("NAME") || words.contains("01234567") || words == "user erase", "{words}");
            assert_eq!(said.iter().filter(|other| *other == words).count(), 1, "{words}");
        }
        assert_eq!(said[0], "user add NAME --admin");
        assert!(said.contains(&"room retention NAME 90 days".to_owned()));
        assert!(said.contains(&"user mute NAME until 1970-01-01T00:00:01Z: REASON".to_owned()));
    }

    #[test]
    fn what_is_posted_comes_back() {
        let by = Author { who: "root".into(), place: "command line".into() };
        for order in all() {
            let posted = Posted { order, by: by.clone() };
            let body = serde_json::to_string(&posted).unwrap();
            assert_eq!(serde_json::from_str::<Posted>(&body).unwrap(), posted, "{body}");
        }
    }
}
