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
use x509_cert::Certificate;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Any, Decode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::ends::Ends;

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
    /// The hosts and the ends that our certificate is for.
    pub(crate) ends: Ends,
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
        let ends = chain.first().map_or(Ok(Ends::default()), |own| Ends::of(own));
        // Before rustls, which says of an old one that it does not fit its key.
        let ends = ends.with_context(|| config.cert_file.display().to_string())?;
        let name = chain.first().and_then(|own| name_of(own));
        let last = authorities.iter().map(|authority| validity(authority).map(|(_, last)| last));
        let ca_expires_s = last.flatten().min().unwrap_or(i64::MAX);
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
        Ok(Loaded { server, client, name, ends, valid_s: own, ca_expires_s })
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
    let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
    let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
    Some((seconds(validity.not_before)?, seconds(validity.not_after)?))
}

/// The name a certificate is known by.
pub(super) fn name_of(certificate: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?.tbs_certificate;
    let mut attributes = certificate.subject.0.iter().flat_map(|part| part.0.iter());
    let common_name = attributes.find(|attribute| attribute.oid == COMMON_NAME);
    if let Some(name) = common_name.and_then(|attribute| text(&attribute.value)) {
        return Some(name);
    }
    let (_, names) = certificate.get::<SubjectAltName>().ok()??;
    names.0.into_iter().find_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        _ => None,
    })
}

/// The kinds of string that an authority writes a name in.
fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().to_owned()),
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok().map(|text| text.as_str().to_owned())
        }
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok().map(|text| text.as_str().to_owned()),
        Tag::TeletexString => {
            value.decode_as::<TeletexStringRef<'_>>().ok().map(|text| text.as_str().to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString};
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, date_time_ymd};

    use super::{name_of, validity};

    fn certificate(common_names: &[DnValue], dns_names: &[&str]) -> Vec<u8> {
        let mut params =
            CertificateParams::new(dns_names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "somebody else");
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, name.clone());
        }
        (params.not_before, params.not_after) = (date_time_ymd(2026, 11, 27), date_time_ymd(2050, 1, 1));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_known_by_its_common_name_however_that_is_written() {
        let kinds = [
            DnValue::Utf8String("شاپرک".into()),
            DnValue::PrintableString(PrintableString::try_from("harim").unwrap()),
            DnValue::Ia5String(Ia5String::try_from("harim@bank").unwrap()),
            DnValue::TeletexString(TeletexString::try_from("harim").unwrap()),
        ];
        for (kind, name) in kinds.into_iter().zip(["شاپرک", "harim", "harim@bank", "harim"]) {
            assert_eq!(name_of(&certificate(&[kind], &["dns.example"])).as_deref(), Some(name));
        }
    }

    #[test]
    fn without_a_common_name_it_is_known_by_its_first_dns_name_or_not_at_all() {
        assert_eq!(name_of(&certificate(&[], &["a.example", "b.example"])).as_deref(), Some("a.example"));
        let unread = DnValue::BmpString(BmpString::try_from("harim").unwrap());
        assert_eq!(name_of(&certificate(&[unread], &["a.example"])).as_deref(), Some("a.example"));
        assert_eq!(name_of(&certificate(&[], &[])), None);
        assert_eq!(name_of(b"no certificate"), None);
    }

    #[test]
    fn its_validity_is_read_in_both_kinds_of_time() {
        // From 2050 on a time is written with four digits for its year.
        assert_eq!(validity(&certificate(&[], &[])), Some((1_795_737_600, 2_524_608_000)));
    }
}
