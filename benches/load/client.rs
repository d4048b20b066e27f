//! One client: TLS, the login, and then lines or raw bytes. As cheap as it can be, so that the server is what is measured.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

pub struct Client {
    pub stream: TlsStream<TcpStream>,
    /// What has come and is not taken yet.
    pub input: Vec<u8>,
}

/// How a client introduces itself.
pub struct Login<'a> {
    pub nick: &'a str,
    /// For servers that want a login.
    pub password: Option<&'a str>,
    pub caps: &'a str,
}

/// A connector that takes any certificate: it is our own server, on this machine.
pub fn connector() -> TlsConnector {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))));
    let Ok(builder) = config else { unreachable!("the provider has the default versions") };
    let mut config = builder.with_no_client_auth();
    config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

impl Client {
    pub async fn connect(to: SocketAddr, tls: &TlsConnector) -> Result<Client> {
        let tcp = TcpStream::connect(to).await?;
        tcp.set_nodelay(true)?;
        let stream = tls.connect(ServerName::try_from("localhost")?, tcp).await?;
        Ok(Client { stream, input: Vec::new() })
    }

    /// Logs in and waits for the welcome to end.
    pub async fn login(&mut self, login: &Login<'_>) -> Result<()> {
        let mut text = String::new();
        if !login.caps.is_empty() {
            text += &format!("CAP REQ :{}\r\n", login.caps);
        }
        if let Some(password) = login.password {
            text += &format!("PASS {}:{password}\r\n", login.nick);
        }
        text += &format!("NICK {0}\r\nUSER {0} 0 * :{0}\r\n", login.nick);
        if !login.caps.is_empty() {
            text += "CAP END\r\n";
        }
        self.send(&text).await?;
        loop {
            let line = self.line().await?;
            match word(&line, 1) {
                "376" | "422" => return Ok(()),
                "NAK" | "433" | "464" => bail!("{}: {line}", login.nick),
                _ if line.starts_with("ERROR") => bail!("{}: {line}", login.nick),
                _ => {}
            }
        }
    }

    pub async fn join(&mut self, room: &str) -> Result<()> {
        self.send(&format!("JOIN {room}\r\n")).await?;
        self.until("366").await
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
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
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
            if self.stream.read_buf(&mut self.input).await? == 0 {
                bail!("the server hung up");
            }
        }
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
