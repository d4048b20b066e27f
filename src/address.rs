//! Addresses as administrators and limits think of them: networks in CIDR form, and what counts as one place. Pure,
//! knows nobody. An IPv4 address inside IPv6 (`::ffff:192.0.2.1`) is the IPv4 address everywhere here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What counts as one place on the network: an IPv4 address, or the /64 that one customer of IPv6 is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(IpAddr);

impl Place {
    pub fn of(address: IpAddr) -> Place {
        let address = address.to_canonical();
        Place(Network::around(address, if address.is_ipv6() { 64 } else { 32 }).base)
    }
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a network; write an address and how many of its bits count, such as 192.0.2.0/24 or 2001:db8::/32"
)]
pub struct NotANetwork(String);

impl Network {
    /// The network of one address alone.
    pub fn only(address: IpAddr) -> Network {
        Network::around(address, u8::MAX)
    }

    /// The network of so many bits that the address lies in; more bits than it has count as all of them.
    pub fn around(address: IpAddr, bits: u8) -> Network {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Network { base: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Network { base: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), bits }
            }
        }
    }

    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && Network::around(address, self.bits) == *self
    }

    /// How many bits count.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    pub fn is_ipv6(&self) -> bool {
        self.base.is_ipv6()
    }
}

/// Bits behind the network's own are dropped: `192.0.2.7/24` is `192.0.2.0/24`. A lone address is a network of one.
impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Network, NotANetwork> {
        let wrong = || NotANetwork(text.chars().take(60).collect());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let Some(bits) = bits else { return Ok(Network::only(address)) };
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u8 = bits.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        let canonical = address.to_canonical();
        // Written as IPv6, the bits count from the beginning of that.
        let before = if canonical.is_ipv4() && address.is_ipv6() { 96 } else { 0 };
        let most = if canonical.is_ipv4() { 32 } else { 128 };
        match bits.checked_sub(before).filter(|bits| *bits <= most) {
            Some(bits) => Ok(Network::around(canonical, bits)),
            None => Err(wrong()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn places() {
        let place = |text: &str| Place::of(text.parse().unwrap());
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:2"));
        assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
    }

    #[test]
    fn networks_as_they_are_written() {
        for (written, shown) in [
            ("192.0.2.7/24", "192.0.2.0/24"),
            (" 192.0.2.7 ", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ] {
            assert_eq!(network(written).to_string(), shown, "{written}");
        }
        for wrong in
            ["", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8", "::/129", "here", "1.2.3/8"]
        {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_lies_in_a_network() {
        let holds = |network_: &str, address: &str| network(network_).holds(address.parse().unwrap());
        assert!(holds("192.0.2.0/24", "192.0.2.255") && holds("192.0.2.0/24", "::ffff:192.0.2.1"));
        assert!(!holds("192.0.2.0/24", "192.0.3.0") && !holds("192.0.2.0/24", "2001:db8::"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1") && !holds("2001:db8::/33", "2001:db8:8000::1"));
        assert!(holds("0.0.0.0/0", "255.1.2.3") && !holds("0.0.0.0/0", "::2"));
    }

    proptest! {
        /// What is printed is read back, and every address lies in each of its networks.
        #[test]
        fn an_address_lies_in_its_networks(bits4: u32, bits6: u128, count in 0u8..=128) {
            for address in [IpAddr::V4(Ipv4Addr::from_bits(bits4)), IpAddr::V6(Ipv6Addr::from_bits(bits6))] {
                let network = Network::around(address, count);
                prop_assert!(network.holds(address));
                prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
            }
        }
    }
}
