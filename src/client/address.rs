//! Whom to be where: `[USER@]HOST[:PORT]`. Pure.

use std::fmt;

/// The port of IRC over TLS.
pub const DEFAULT_PORT: u16 = 6697;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub user: Option<String>,
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// The port was written, not assumed.
    pub explicit_port: bool,
}

impl Address {
    /// Reads `[USER@]HOST[:PORT]`; an IPv6 address with a port stands in brackets.
    pub fn parse(text: &str) -> Result<Address, String> {
        let wrong = |what: &str| format!("'{}' is no address: {what}; write [USER@]HOST[:PORT]", text.escape_debug());
        let (user, place) = match text.rsplit_once('@') {
            Some(("", _)) => return Err(wrong("the user's name is missing before the @")),
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, text),
        };
        let (host, port) = if let Some(bracketed) = place.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or_else(|| wrong("the ] is missing"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(wrong("after the ] comes :PORT or nothing")),
            }
        } else {
            match place.split_once(':') {
                Some((_, more)) if more.contains(':') => (place, None),
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            }
        };
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong("it holds a blank or a control character"));
        }
        let number = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("the port is no number"))?,
            None => DEFAULT_PORT,
        };
        // Host names know no case; the pins are kept by this spelling.
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        Ok(Address { user, host, port: number, explicit_port: port.is_some() })
    }

    /// `host:port`, with brackets where it takes them.
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parts = |text: &str| Address::parse(text).map(|a| (a.user.unwrap_or_default(), a.host, a.port));
        let is = |user: &str, host: &str, port| Ok((user.to_owned(), host.to_owned(), port));
        assert_eq!(parts("alice@Chat.Example.org"), is("alice", "chat.example.org", 6697));
        assert_eq!(parts("localhost:7000"), is("", "localhost", 7000));
        assert_eq!(parts("::1"), is("", "::1", 6697));
        assert_eq!(parts("a@[::1]:99"), is("a", "::1", 99));
        assert_eq!(parts("中文@[::1]"), is("中文", "::1", 6697));
        for wrong in ["", "a@", "@h", "h:", "h:x", "h:0", "h:70000", "[::1", "[::1]x", "a b"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Address::parse("a@[::1]:99").unwrap().to_string(), "a@[::1]:99");
    }
}
