//! One order, from the account to the chain of certificates.

use std::io;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::net::cert;
use crate::net::tls::ServerTls;

use super::{AcmeError, Settings};

/// The account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// Orders a certificate; the chain and its key, PEM.
pub(super) async fn certificate(settings: &Settings, tls: &ServerTls) -> Result<Zeroizing<String>, AcmeError> {
    let refused = |source| AcmeError::Authority { directory: settings.directory.clone(), source };
    let account = account(settings).await?;
    let identifiers: Vec<Identifier> = settings.domains.iter().map(|name| Identifier::Dns(name.clone())).collect();
    let mut order = match account.new_order(&NewOrder::new(&identifiers)).await {
        Ok(order) => order,
        Err(error) => {
            // An authority that has forgotten us: the next attempt makes another account.
            if let instant_acme::Error::Api(problem) = &error
                && problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":accountDoesNotExist"))
            {
                let _ = std::fs::remove_file(settings.account_file());
            }
            return Err(refused(error));
        }
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(refused)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(AcmeError::NoChallenge(domain));
        };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![domain.clone()])?;
        let digest = challenge.key_authorization().digest();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
        let shown = params.self_signed(&key)?;
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        tls.add_challenge(&domain, shown.der().clone(), private)?;
        challenge.set_ready().await.map_err(refused)?;
    }
    let patience = RetryPolicy::new().timeout(super::PATIENCE);
    if order.poll_ready(&patience).await.map_err(refused)? != OrderStatus::Ready {
        return Err(why_not(&mut order).await);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(settings.domains.clone())?;
    params.distinguished_name = DistinguishedName::new();
    order.finalize_csr(params.serialize_request(&key)?.der()).await.map_err(refused)?;
    let chain = order.poll_certificate(&patience).await.map_err(refused)?;
    let private = Zeroizing::new(key.serialize_pem());
    Ok(Zeroizing::new(format!("{}\n{}", chain.trim_end(), *private)))
}

/// The account there is with this authority, else a new one.
async fn account(settings: &Settings) -> Result<Account, AcmeError> {
    let refused = |source| AcmeError::Authority { directory: settings.directory.clone(), source };
    let builder = match &settings.ca_file {
        Some(file) => Account::builder_with_root(file),
        None => Account::builder(),
    };
    let builder = builder.map_err(refused)?;
    let file = settings.account_file();
    let kept: Option<Kept> = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(AcmeError::Read { path: file, source }),
    };
    if let Some(kept) = kept.filter(|kept| kept.directory == settings.directory) {
        return builder.from_credentials(kept.credentials).await.map_err(refused);
    }
    let contact = format!("mailto:{}", settings.contact);
    let contact: &[&str] = if settings.contact.is_empty() { &[] } else { &[&contact] };
    let new = NewAccount { contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&new, settings.directory.clone(), None).await.map_err(refused)?;
    let kept = Kept { directory: settings.directory.clone(), credentials };
    let text = Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default());
    cert::put(&file, &text, 0o600, true)?;
    Ok(account)
}

/// Which name the authority did not find us at, and its words.
async fn why_not(order: &mut Order) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let error = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(error) = error {
            return AcmeError::NotSeen { domain: authorization.identifier().to_string(), why: error.to_string() };
        }
    }
    AcmeError::NotSeen { domain: "a name".to_owned(), why: "it does not say why".to_owned() }
}
