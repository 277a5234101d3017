//! What a certificate is good for: the hosts that it names, and the ends of a connection that it may be shown at.
//!
//! Peers look at both, and only when a connection is made. Here they are read beforehand, for `ramz doctor`. Nothing is refused for
//! them at a start: a peer may be laxer than ours.

use std::fmt;
use std::net::IpAddr;

use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};
use x509_cert::{Certificate, Version};

/// What our own certificate is good for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ends {
    /// Hosts whose clients take it: its subject alternative names. A common name is no host to them.
    pub(crate) hosts: Vec<String>,
    /// It may be shown by a door.
    pub(crate) server: bool,
    /// It may be shown by who connects.
    pub(crate) client: bool,
}

/// A certificate of X.509 version 1 (or 2), which no end of TLS takes, ours included.
#[derive(Debug)]
pub(crate) struct NotVersion3;

impl std::error::Error for NotVersion3 {}

impl fmt::Display for NotVersion3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is not of X.509 version 3: nobody takes it")
    }
}

impl Ends {
    /// Reads them. A certificate that does not say what it is for is for both ends.
    pub(super) fn of(certificate: &[u8]) -> Result<Ends, NotVersion3> {
        let Ok(certificate) = Certificate::from_der(certificate) else { return Ok(Ends::default()) };
        let said = certificate.tbs_certificate;
        if said.version != Version::V3 {
            return Err(NotVersion3);
        }
        let names = said.get::<SubjectAltName>().ok().flatten().map_or(Vec::new(), |(_, names)| names.0);
        let uses = said.get::<ExtendedKeyUsage>().map(|found| found.map(|(_, uses)| uses.0));
        // "Any use" is among those that rustls does not take for one of these two.
        let may = |purpose| match &uses {
            Ok(Some(uses)) => uses.contains(purpose),
            Ok(None) => true,
            Err(_) => false,
        };
        Ok(Ends {
            hosts: names.iter().filter_map(host).collect(),
            server: may(&ID_KP_SERVER_AUTH),
            client: may(&ID_KP_CLIENT_AUTH),
        })
    }
}

fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from))
                .ok()
                .map(|ip| ip.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
    use x509_cert::der::Encode as _;

    use super::*;

    fn certificate(hosts: &[&str], uses: &[ExtendedKeyUsagePurpose]) -> Vec<u8> {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.subject_alt_names.push(SanType::Rfc822Name("desk@bank.example".try_into().unwrap()));
        params.extended_key_usages = uses.to_vec();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn hosts_are_names_and_addresses_and_nothing_else() {
        let hosts = |hosts: &[&str]| Ends::of(&certificate(hosts, &[])).unwrap().hosts;
        assert_eq!(hosts(&["pin.bank.example", "10.0.0.7", "::1"]), ["pin.bank.example", "10.0.0.7", "::1"]);
        assert!(hosts(&[]).is_empty());
    }

    #[test]
    fn a_certificate_is_for_the_ends_that_it_names_or_for_both() {
        for (uses, server, client) in [
            (&[][..], true, true),
            (&[ServerAuth], true, false),
            (&[ClientAuth], false, true),
            (&[ClientAuth, ServerAuth], true, true),
            (&[Any], false, false),
        ] {
            let ends = Ends::of(&certificate(&["a.example"], uses)).unwrap();
            assert_eq!((ends.server, ends.client), (server, client), "{uses:?}");
        }
    }

    #[test]
    fn version_1_is_told() {
        let mut old = Certificate::from_der(&certificate(&[], &[])).unwrap();
        assert!(Ends::of(&old.to_der().unwrap()).is_ok());
        (old.tbs_certificate.version, old.tbs_certificate.extensions) = (Version::V1, None);
        assert!(Ends::of(&old.to_der().unwrap()).is_err());
    }
}
