//! Whether the server at the other end is the one we mean: by fingerprint, by a given certificate, by a pin, by the
//! system's roots, or not yet.
//!
//! Makes rustls settings and says afterwards what was found. It never asks anybody: an unknown certificate ends the
//! handshake before a password could be sent, and the caller may ask, pin and try again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::pins::{Fingerprint, Pin};
use super::text::clean;

/// Whom to believe.
#[derive(Debug, Clone)]
pub enum Trust {
    /// This certificate and no other: by `--fingerprint`.
    Fingerprint(Fingerprint),
    /// Certificates in this list, and what they have signed: by `--ca`.
    Ca(Vec<CertificateDer<'static>>),
    /// The certificate of last time and no other.
    Pin(Pin),
    /// What the system trusts.
    System,
}

/// What was wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// The certificate that was shown.
    pub shown: Fingerprint,
    pub why: String,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use {} as a certificate: {why}", path.display())]
pub struct CaError {
    path: PathBuf,
    why: String,
}

/// Reads the certificates of a PEM file.
pub fn read_ca(path: &Path) -> Result<Vec<CertificateDer<'static>>, CaError> {
    let wrong = |why: String| CaError { path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let list = list.map_err(|error| wrong(error.to_string()))?;
    if list.is_empty() {
        return Err(wrong("there is no certificate (PEM) in it".to_owned()));
    }
    Ok(list)
}

/// A client certificate and its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads a certificate and its key, from one PEM file or from two.
    pub fn read(cert: &Path, key: Option<&Path>) -> Result<Identity, CaError> {
        let chain = read_ca(cert)?;
        let path = key.unwrap_or(cert);
        let why = |error: pem::Error| CaError { path: path.to_owned(), why: format!("no private key: {error}") };
        Ok(Identity { chain, key: PrivateKeyDer::from_pem_file(path).map_err(why)? })
    }
}

/// The settings for one handshake, and where to look if it fails.
pub fn client_config(trust: &Trust, identity: Option<&Identity>) -> Result<(Arc<ClientConfig>, Verdict), TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verdict = Verdict::default();
    let rule = match trust {
        Trust::Fingerprint(only) => Rule::Only(*only),
        Trust::Pin(pin) => Rule::Only(pin.fingerprint),
        Trust::Ca(list) => {
            let mut roots = RootCertStore::empty();
            // What cannot sign may still be the very certificate that is shown.
            roots.add_parsable_certificates(list.iter().cloned());
            let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Rule::Chain { exact: list.clone(), chain: chain.map(|c| c as _).map_err(|error| error.to_string()) }
        }
        Trust::System => {
            let chain = rustls_platform_verifier::Verifier::new(provider.clone());
            let chain = chain.map(|c| Arc::new(c) as _).map_err(|error| error.to_string());
            Rule::Chain { exact: Vec::new(), chain }
        }
    };
    let verifier = Checker { rule, provider: provider.clone(), verdict: verdict.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(own) => config.with_client_auth_cert(own.chain.clone(), own.key.clone_key())?,
    };
    config.alpn_protocols = vec![b"irc".to_vec()];
    Ok((Arc::new(config), verdict))
}

/// Why the certificate of a failed handshake was not believed, if that was the cause.
#[derive(Debug, Clone, Default)]
pub struct Verdict(Arc<Mutex<Option<Distrust>>>);

impl Verdict {
    pub fn take(&self) -> Option<Distrust> {
        self.0.lock().map_or(None, |mut distrust| distrust.take())
    }

    fn set(&self, distrust: Distrust) {
        if let Ok(mut place) = self.0.lock() {
            *place = Some(distrust);
        }
    }
}

#[derive(Debug)]
enum Rule {
    Only(Fingerprint),
    /// A certificate in `exact`, or one that `chain` accepts (`Err`: why there is no chain to check by).
    Chain {
        exact: Vec<CertificateDer<'static>>,
        chain: Result<Arc<dyn ServerCertVerifier>, String>,
    },
}

#[derive(Debug)]
struct Checker {
    rule: Rule,
    provider: Arc<CryptoProvider>,
    verdict: Verdict,
}

impl ServerCertVerifier for Checker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let shown = Fingerprint::of(end_entity);
        let (why, error) = match &self.rule {
            Rule::Only(only) if *only == shown => return Ok(ServerCertVerified::assertion()),
            Rule::Only(_) => ("it is another certificate".to_owned(), CertificateError::UnknownIssuer.into()),
            Rule::Chain { exact, .. } if exact.iter().any(|known| known == end_entity) => {
                return Ok(ServerCertVerified::assertion());
            }
            Rule::Chain { chain: Err(why), .. } => (why.clone(), CertificateError::UnknownIssuer.into()),
            Rule::Chain { chain: Ok(chain), .. } => {
                match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => (in_words(&error), error),
                }
            }
        };
        self.verdict.set(Distrust { shown, why });
        Err(error)
    }

    // A pinned certificate is public: only the signature over this handshake shows that the peer has its key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn in_words(error: &TlsError) -> String {
    let TlsError::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        // The other three: somebody trusted has the same name, but it was not them.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "nobody this computer trusts has signed it (it may be self-signed)".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".into(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host name".into()
        }
        CertificateError::Revoked => "it has been revoked".into(),
        other => clean(&other.to_string()),
    }
}
