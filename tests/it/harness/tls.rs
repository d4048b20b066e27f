//! The client's side of TLS: trusts exactly one certificate, and checks the signatures as any client must.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion, version,
};

pub fn read_certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// SHA-256 of a certificate, lower case hex without colons.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a test may want to be different about a connection.
#[derive(Clone)]
pub struct TlsOptions {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub alpn: Vec<&'static str>,
    /// What the client shows if it is asked.
    pub certificate: Option<ClientCertificate>,
    /// Where tickets are kept; `None`: every handshake is a whole one.
    pub tickets: Option<Resumption>,
}

/// A self-signed certificate of a client, and its key.
#[derive(Clone)]
pub struct ClientCertificate {
    pub der: CertificateDer<'static>,
    pub cert_pem: String,
    pub key_pem: String,
}

impl ClientCertificate {
    pub fn make() -> ClientCertificate {
        let made = rcgen::generate_simple_self_signed(Vec::new()).expect("a certificate");
        ClientCertificate {
            der: made.cert.der().clone(),
            cert_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
        }
    }

    /// SHA-256, lower case hex.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    fn certified(&self, provider: &CryptoProvider) -> CertifiedKey {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a key");
        let key = provider.key_provider.load_private_key(key).expect("a key the provider knows");
        CertifiedKey::new(vec![self.der.clone()], key)
    }
}

impl Default for TlsOptions {
    fn default() -> TlsOptions {
        TlsOptions {
            versions: vec![&version::TLS13, &version::TLS12],
            alpn: vec!["irc"],
            certificate: None,
            tickets: None,
        }
    }
}

/// A connector that accepts only `pinned`; without one it accepts any certificate, to look at it.
pub fn connector(pinned: Option<CertificateDer<'static>>, options: &TlsOptions) -> TlsConnector {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&options.versions)
        .expect("versions the provider knows")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pin { pinned, provider: provider.clone() }));
    let mut config = match &options.certificate {
        None => config.with_no_client_auth(),
        // Not `with_client_auth_cert`, which would refuse a thief's pair.
        Some(own) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.certified(&provider)))),
    };
    config.resumption = options.tickets.clone().unwrap_or_else(Resumption::disabled);
    config.alpn_protocols = options.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[derive(Debug)]
struct Pin {
    pinned: Option<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.pinned {
            Some(pinned) if pinned != end_entity => Err(Error::General("not the certificate of this test".into())),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
