//! The PROXY protocol, versions 1 and 2: what a load balancer says about the client before the client's own bytes
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>). Reads exactly the header and not one byte more,
//! since TLS follows. To be asked only of peers that are trusted; knows nobody.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1 that there can be, its CR LF included.
const V1_MAX: usize = 107;
/// Bytes behind the fixed part of version 2: addresses, and what else the balancer wants to tell. A longer one is
/// refused.
const V2_MAX: usize = 4096;

/// Whose connection it is. `None`: the balancer's own, to see whether we live.
pub async fn read_source<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<IpAddr>> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start == *SIGNATURE { version_2(stream).await } else { version_1(stream, &start).await }
}

async fn version_1<S: AsyncRead + Unpin>(stream: &mut S, start: &[u8]) -> io::Result<Option<IpAddr>> {
    if !start.starts_with(b"PROXY ") {
        return Err(wrong("no PROXY header"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_MAX {
            return Err(wrong("a PROXY header without an end"));
        }
        line.push(stream.read_u8().await?);
    }
    let text = std::str::from_utf8(&line[..line.len() - 2]).map_err(|_| wrong("a PROXY header that is no text"))?;
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, _, _, _] => {
            let source: IpAddr = source.parse().map_err(|_| wrong("a PROXY header with a bad address"))?;
            let fits = source.is_ipv4() == (family == "TCP4");
            if fits { Ok(Some(source.to_canonical())) } else { Err(wrong("a PROXY header with a bad address")) }
        }
        _ => Err(wrong("a PROXY header that says something else")),
    }
}

async fn version_2<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<IpAddr>> {
    let (version, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if version >> 4 != 2 || length > V2_MAX {
        return Err(wrong("a PROXY header of another version, or too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match (version & 0xf, family) {
        // LOCAL: whatever else it says is to be passed over.
        (0, _) => Ok(None),
        (1, 0x11) => {
            let bytes: [u8; 4] = bytes(&rest, 12)?;
            Ok(Some(Ipv4Addr::from(bytes).into()))
        }
        (1, 0x21) => {
            let bytes: [u8; 16] = bytes(&rest, 36)?;
            Ok(Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()))
        }
        (1, _) => Ok(None),
        _ => Err(wrong("a PROXY header with an unknown command")),
    }
}

/// The first address of a block of addresses and ports that takes `whole` bytes.
fn bytes<const N: usize>(rest: &[u8], whole: usize) -> io::Result<[u8; N]> {
    let first = rest.get(..N).filter(|_| rest.len() >= whole).and_then(|first| first.try_into().ok());
    first.ok_or_else(|| wrong("a PROXY header that is too short"))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What was read, and what is left.
    fn read(mut bytes: &[u8]) -> (io::Result<Option<IpAddr>>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(read_source(&mut bytes));
        (read, bytes.len())
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest, b"TLS"].concat()
    }

    #[test]
    fn version_1_to_the_byte() {
        let source = |text: &str| match read(text.as_bytes()) {
            (Ok(source), 3) => Some(source.map(|address| address.to_string())),
            (Ok(_), left) => panic!("{text}: {left} bytes are left"),
            (Err(_), _) => None,
        };
        let address = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(source("PROXY TCP4 192.0.2.7 192.0.2.1 56324 6697\r\nTLS"), address("192.0.2.7"));
        assert_eq!(source("PROXY TCP6 2001:db8::7 2001:db8::1 4 5\r\nTLS"), address("2001:db8::7"));
        assert_eq!(source("PROXY TCP6 ::ffff:192.0.2.7 ::1 4 5\r\nTLS"), address("192.0.2.7"));
        assert_eq!(source("PROXY UNKNOWN\r\nTLS"), Some(None));
        assert_eq!(source("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nTLS"), Some(None));
        for wrong in [
            "PROXY TCP4 2001:db8::7 ::1 4 5\r\nTLS",
            "PROXY TCP4 here there 4 5\r\nTLS",
            "PROXY TCP5 1.2.3.4 1.2.3.4 4 5\r\nTLS",
            "PROXY TCP4 1.2.3.4\r\nTLS",
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY",
        ] {
            assert_eq!(source(wrong), None, "{wrong}");
        }
        assert!(read(format!("PROXY UNKNOWN {}", "x".repeat(1000)).as_bytes()).0.is_err());
    }

    #[test]
    fn version_2_to_the_byte() {
        let four = [192, 0, 2, 7, 192, 0, 2, 1, 0, 1, 0, 2];
        assert_eq!(read(&v2(1, 0x11, &four)).0.unwrap(), Some(IpAddr::from([192, 0, 2, 7])));
        let more = [&four[..], b"\x03\0\x01x"].concat();
        let (source, left) = read(&v2(1, 0x11, &more));
        assert_eq!((source.unwrap(), left), (Some(IpAddr::from([192, 0, 2, 7])), 3));
        assert_eq!(read(&v2(0, 0, &[])).0.unwrap(), None);
        assert_eq!(read(&v2(1, 0, b"whatever")).0.unwrap(), None, "neither TCP over IPv4 nor over IPv6");
        assert!(read(&v2(1, 0x21, &four)).0.is_err() && read(&v2(2, 0x11, &four)).0.is_err());
        assert!(read(&v2(1, 0x11, &[0; V2_MAX + 1])).0.is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>, signed: bool) {
            let bytes = if signed { [&SIGNATURE[..], &bytes].concat() } else { bytes };
            let _ = read(&bytes);
        }
    }
}
