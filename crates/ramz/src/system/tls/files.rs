//! Certificate, key and authority, from PEM files to what rustls runs with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use ramz_domain::Moment;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Where certificate, key and the peers' authority are. PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// Our certificate, with its chain.
    pub(crate) cert_file: PathBuf,
    /// Its private key.
    pub(crate) key_file: PathBuf,
    /// The authority whose certificates peers must have.
    pub(crate) ca_file: PathBuf,
}

impl TlsConfig {
    /// The three files.
    pub(crate) fn files(&self) -> [&Path; 3] {
        [&self.cert_file, &self.key_file, &self.ca_file]
    }
}

/// What the files held when they were read.
pub(crate) struct Loaded {
    /// For doors: peers without a certificate of the authority are turned away.
    pub(super) server: Arc<ServerConfig>,
    /// For connectors.
    pub(super) client: Arc<ClientConfig>,
    /// The name that peers know us by.
    pub(crate) name: Option<String>,
    /// When our certificate begins and ends to be good, as Unix seconds.
    pub(crate) valid_s: (i64, i64),
    /// The same of the authority's certificates: the end that comes first.
    pub(crate) ca_expires_s: i64,
}

impl Loaded {
    /// Reads the three files. They must fit together; whether they are in date is not looked at.
    pub(crate) fn read(config: &TlsConfig) -> anyhow::Result<Loaded> {
        let authorities = certificates(&config.ca_file)?;
        let chain = certificates(&config.cert_file)?;
        let no_certificate = || format!("{} does not hold a certificate", config.cert_file.display());
        let own = chain.first().and_then(|own| validity(own)).with_context(no_certificate)?;
        let name = chain.first().and_then(|own| name_of(own));
        let ends = authorities.iter().map(|authority| validity(authority).map(|(_, end)| end));
        let ca_expires_s = ends.flatten().min().unwrap_or(i64::MAX);
        let roots = roots(authorities, &config.ca_file)?;
        let key = || {
            PrivateKeyDer::from_pem_file(&config.key_file).map_err(|error| {
                anyhow::anyhow!("cannot read a private key from {}: {error}", config.key_file.display())
            })
        };
        let no_fit = || format!("{} and its key do not fit", config.cert_file.display());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(&provider))
                .build()?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key()?)
            .with_context(no_fit)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key()?)
            .with_context(no_fit)?;
        let (server, client) = (Arc::new(server), Arc::new(client));
        Ok(Loaded { server, client, name, valid_s: own, ca_expires_s })
    }

    /// That our certificate is good at this instant.
    pub(crate) fn in_date(&self, now: Moment) -> anyhow::Result<()> {
        let now_s = i64::try_from(now.unix_ms() / 1000).unwrap_or(i64::MAX);
        let (from, to) = self.valid_s;
        anyhow::ensure!(now_s >= from, "the certificate is not valid yet; is the clock right?");
        anyhow::ensure!(now_s <= to, "the certificate has run out");
        Ok(())
    }
}

/// Where systems keep the authorities that they trust: Debian and its kin, Red Hat's, SUSE, Alpine and macOS.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A client without a certificate of its own, that trusts the authorities of a PEM file, or those of the system.
pub(super) fn trusting(file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let roots = match file {
        Some(file) => roots(certificates(file)?, file)?,
        None => {
            let bundle = SYSTEM_BUNDLES.iter().map(Path::new).find(|bundle| bundle.exists());
            let bundle = bundle.context(
                "this system has no bundle of trusted authorities: install ca-certificates, or name the bank's authority",
            )?;
            let mut roots = RootCertStore::empty();
            // A bundle has always some that a library does not take.
            roots.add_parsable_certificates(certificates(bundle)?);
            roots
        }
    };
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(client))
}

fn roots(authorities: Vec<CertificateDer<'static>>, file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate).with_context(|| format!("{} holds no authority", file.display()))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let cannot = |error| anyhow::anyhow!("cannot read certificates from {}: {error}", file.display());
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(cannot)?.collect::<Result<_, _>>().map_err(cannot)?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", file.display());
    Ok(chain)
}

fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// The name a certificate is known by.
pub(super) fn name_of(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common_name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    if let Some(name) = common_name {
        return Some(name.to_owned());
    }
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    })
}
