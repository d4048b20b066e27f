//! Who is kept out, and who may not speak, as the living server looks it up: at each connection and login, and at each
//! word somebody says while anybody is muted. The store has the same table; the publisher keeps this one like it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::address::Network;
use crate::event::{AccountId, Millis};

/// What a ban is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outlaw {
    Account(AccountId),
    Network(Network),
    /// The account may be here, and say nothing.
    Mute(AccountId),
}

/// Why, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// May be empty.
    pub reason: Arc<str>,
    /// `None`: until it is taken back.
    pub expires: Option<Millis>,
}

/// All of them. As many as the log keeps, which bounds them.
#[derive(Default)]
pub struct Bans(ArcSwap<Table>);

#[derive(Clone, Default)]
struct Table {
    all: HashMap<Outlaw, Ban>,
    /// The sizes of the networks there are, few as a rule: an address is looked up once for each.
    sizes: Vec<u8>,
    anybody_is_muted: bool,
}

impl Bans {
    pub fn account(&self, id: AccountId, now: Millis) -> Option<Ban> {
        self.find(Outlaw::Account(id), now)
    }

    /// The one of the smallest network that the address lies in.
    pub fn address(&self, address: IpAddr, now: Millis) -> Option<Ban> {
        let table = self.0.load();
        let address = address.to_canonical();
        let most = if address.is_ipv6() { 128 } else { 32 };
        let sizes = table.sizes.iter().filter(|bits| **bits <= most);
        sizes.filter_map(|bits| table.find(Outlaw::Network(Network::around(address, *bits)), now)).next()
    }

    pub fn mute(&self, id: AccountId, now: Millis) -> Option<Ban> {
        let table = self.0.load();
        if table.anybody_is_muted { table.find(Outlaw::Mute(id), now) } else { None }
    }

    /// In place of the one there may be.
    pub fn put(&self, outlaw: Outlaw, ban: Ban) {
        self.change(|all| {
            all.insert(outlaw, ban);
        });
    }

    pub fn remove(&self, outlaw: Outlaw) {
        self.change(|all| {
            all.remove(&outlaw);
        });
    }

    /// Forgets what has expired.
    pub fn expire(&self, now: Millis) {
        self.change(|all| all.retain(|_, ban| ban.holds(now)));
    }

    fn find(&self, outlaw: Outlaw, now: Millis) -> Option<Ban> {
        self.0.load().find(outlaw, now)
    }

    /// Only the publisher changes it, so nothing is lost between reading and writing.
    fn change(&self, change: impl FnOnce(&mut HashMap<Outlaw, Ban>)) {
        let mut all = self.0.load().all.clone();
        change(&mut all);
        let mut sizes: Vec<u8> = all.keys().filter_map(|outlaw| outlaw.bits()).collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        sizes.dedup();
        let anybody_is_muted = all.keys().any(|outlaw| matches!(outlaw, Outlaw::Mute(_)));
        self.0.store(Arc::new(Table { all, sizes, anybody_is_muted }));
    }
}

impl Table {
    fn find(&self, outlaw: Outlaw, now: Millis) -> Option<Ban> {
        self.all.get(&outlaw).filter(|ban| ban.holds(now)).cloned()
    }
}

impl Outlaw {
    fn bits(self) -> Option<u8> {
        match self {
            Outlaw::Network(network) => Some(network.bits()),
            Outlaw::Account(_) | Outlaw::Mute(_) => None,
        }
    }
}

impl Ban {
    fn holds(&self, now: Millis) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(reason: &str, expires: Option<i64>) -> Ban {
        Ban { reason: reason.into(), expires: expires.map(Millis) }
    }

    #[test]
    fn the_smallest_network_counts_and_what_expires_is_over() {
        let bans = Bans::default();
        let network = |text: &str| Outlaw::Network(text.parse().unwrap());
        bans.put(network("192.0.2.0/24"), ban("all of you", None));
        bans.put(network("192.0.2.7"), ban("you", Some(100)));
        bans.put(network("2001:db8::/48"), ban("six", None));
        let reason = |address: &str, now| bans.address(address.parse().unwrap(), Millis(now)).map(|ban| ban.reason);
        assert_eq!(reason("192.0.2.7", 99).as_deref(), Some("you"));
        assert_eq!(reason("::ffff:192.0.2.7", 100).as_deref(), Some("all of you"));
        assert_eq!(reason("192.0.3.7", 1), None);
        assert_eq!(reason("2001:db8:0:7::1", 1).as_deref(), Some("six"));
        assert_eq!(reason("2001:db8:1::1", 1), None);
        bans.remove(network("192.0.2.0/24"));
        assert_eq!(reason("192.0.2.7", 100), None);
        bans.expire(Millis(100));
        assert_eq!(reason("192.0.2.7", 99), None, "forgotten");
    }

    #[test]
    fn a_mute_is_no_ban() {
        let bans = Bans::default();
        bans.put(Outlaw::Mute(AccountId(1)), ban("hush", Some(10)));
        bans.put(Outlaw::Account(AccountId(2)), ban("", None));
        assert!(bans.mute(AccountId(1), Millis(9)).is_some() && bans.mute(AccountId(1), Millis(10)).is_none());
        assert!(bans.account(AccountId(1), Millis(9)).is_none() && bans.mute(AccountId(2), Millis(9)).is_none());
        assert_eq!(bans.account(AccountId(2), Millis(i64::MAX)), Some(ban("", None)));
    }
}
