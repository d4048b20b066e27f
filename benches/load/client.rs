//! One client: TLS, the login, and then lines or raw bytes. As cheap as it can be, so that the server is what is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

pub struct Client {
    pub stream: TlsStream<TcpStream>,
    /// What has come; up to `taken` it has been looked at.
    input: Vec<u8>,
    taken: usize,
}

/// What a client shows that it is who it says.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// For servers that want none.
    Nothing,
    /// By `PASS`.
    Password(&'a str),
    /// A password or a device's token, by SASL PLAIN.
    Plain(&'a str),
    /// The certificate of the connection, by SASL EXTERNAL.
    Certificate,
}

/// How a client introduces itself.
pub struct Login<'a> {
    pub nick: &'a str,
    pub proof: Proof<'a>,
    pub caps: &'a str,
}

/// A connector that takes any certificate: it is our own server, on this machine.
pub fn connector() -> TlsConnector {
    with_certificate(None, &[])
}

/// The same, asking for a protocol (ALPN).
pub fn connector_for(protocol: &[u8]) -> TlsConnector {
    with_certificate(None, &[protocol.to_vec()])
}

/// The same, showing the certificate of a PEM file that holds its key too.
pub fn connector_with(pem: &Path) -> Result<TlsConnector> {
    let (cert, key) = (CertificateDer::from_pem_file(pem)?, PrivateKeyDer::from_pem_file(pem)?);
    Ok(with_certificate(Some((cert, key)), &[]))
}

fn with_certificate(
    own: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    protocols: &[Vec<u8>],
) -> TlsConnector {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))));
    let Ok(builder) = config else { unreachable!("the provider has the default versions") };
    let mut config = match own {
        Some((cert, key)) => builder.with_client_auth_cert(vec![cert], key).expect("a pair made for this"),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = protocols.to_vec();
    TlsConnector::from(Arc::new(config))
}

/// The nth address of 127.0.0.0/8, so that the servers' limits by address count people and not this program.
pub fn place(n: usize) -> Ipv4Addr {
    let n = n as u32 + 2;
    Ipv4Addr::from_bits(0x7f00_0000 | (n / 250) << 8 | (n % 250 + 1))
}

/// A TCP connection from one of our addresses.
pub async fn tcp(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Client {
    pub async fn connect(to: SocketAddr, tls: &TlsConnector) -> Result<Client> {
        Client::connect_from(Ipv4Addr::LOCALHOST, to, tls).await
    }

    pub async fn connect_from(from: Ipv4Addr, to: SocketAddr, tls: &TlsConnector) -> Result<Client> {
        let stream = tls.connect(ServerName::try_from("localhost")?, tcp(from, to).await?).await?;
        Ok(Client { stream, input: Vec::new(), taken: 0 })
    }

    /// Logs in and waits for the welcome to end.
    pub async fn login(&mut self, login: &Login<'_>) -> Result<()> {
        let sasl = match login.proof {
            Proof::Plain(secret) => Some(("PLAIN", STANDARD.encode(format!("{0}\0{0}\0{secret}", login.nick)))),
            Proof::Certificate => Some(("EXTERNAL", "+".to_owned())),
            Proof::Nothing | Proof::Password(_) => None,
        };
        let mut text = String::new();
        let caps = match sasl {
            Some(_) => format!("sasl {}", login.caps),
            None => login.caps.to_owned(),
        };
        if !caps.is_empty() {
            text += &format!("CAP REQ :{}\r\n", caps.trim_end());
        }
        if let Some((mechanism, payload)) = sasl {
            text += &format!("AUTHENTICATE {mechanism}\r\nAUTHENTICATE {payload}\r\n");
        }
        if let Proof::Password(password) = login.proof {
            text += &format!("PASS {}:{password}\r\n", login.nick);
        }
        text += &format!("NICK {0}\r\nUSER {0} 0 * :{0}\r\n", login.nick);
        if !caps.is_empty() {
            text += "CAP END\r\n";
        }
        self.send(&text).await?;
        loop {
            let line = self.line().await?;
            match word(&line, 1) {
                "376" | "422" => return Ok(()),
                "433" | "464" | "904" => bail!("{}: {line}", login.nick),
                "CAP" if word(&line, 3) == "NAK" => bail!("{}: {line}", login.nick),
                _ if line.starts_with("ERROR") => bail!("{}: {line}", login.nick),
                _ => {}
            }
        }
    }

    pub async fn join(&mut self, room: &str) -> Result<()> {
        self.send(&format!("JOIN {room}\r\n")).await?;
        self.until("366").await
    }

    /// Waits until all that came before has been answered.
    pub async fn fence(&mut self) -> Result<()> {
        self.send("PING fence\r\n").await?;
        self.until("PONG").await
    }

    /// Reads until a line with this command or numeric.
    pub async fn until(&mut self, command: &str) -> Result<()> {
        while word(&self.line().await?, 1) != command {}
        Ok(())
    }

    pub async fn send(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next line without CR LF and without tags; PINGs are answered.
    pub async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input[self.taken..]) {
                let line = &self.input[self.taken..self.taken + end];
                let line = String::from_utf8_lossy(line).trim_end().to_owned();
                self.taken += end + 1;
                let line = match line.strip_prefix('@') {
                    Some(rest) => rest.split_once(' ').map_or("", |(_, line)| line).to_owned(),
                    None => line,
                };
                if let Some(token) = line.strip_prefix("PING ") {
                    self.send(&format!("PONG {token}\r\n")).await?;
                    continue;
                }
                return Ok(line);
            }
            self.input.drain(..self.taken);
            self.taken = 0;
            self.input.reserve(16 * 1024);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                bail!("the server hung up");
            }
        }
    }

    /// The stream, and what of it has come and is not taken yet.
    pub fn into_parts(mut self) -> (TlsStream<TcpStream>, Vec<u8>) {
        self.input.drain(..self.taken);
        (self.stream, self.input)
    }
}

/// The word of a line at this place, the source being word 0 where there is one.
pub fn word(line: &str, at: usize) -> &str {
    let skip = usize::from(!line.starts_with(':'));
    line.split(' ').nth(at - skip.min(at)).unwrap_or_default()
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
