//! An authority of the test's own, and certificates of it for everyone who has a name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ramz_domain::Moment;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::{Value, json};

/// An authority, and the folder that its certificates lie in.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A fresh authority; its certificate is `ca.pem` in the folder.
    pub(crate) fn new(folder: &Path) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Authority { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for both ends of mutual TLS at `localhost`: `<name>.pem` and `<name>.key`.
    pub(crate) fn certify(&self, name: &str) -> Tls {
        self.certify_until(name, 4000)
    }

    /// The same, good until that year begins.
    pub(crate) fn certify_until(&self, name: &str, year: i32) -> Tls {
        self.certify_as(name, |params| params.not_after = date_time_ymd(year, 1, 1))
    }

    /// The same, good from that instant on.
    pub(crate) fn certify_from(&self, name: &str, from: Moment) -> Tls {
        let since = Duration::from_millis(from.unix_ms());
        self.certify_as(name, |params| params.not_before = date_time_ymd(1970, 1, 1) + since)
    }

    /// The same, but for a change.
    pub(crate) fn certify_as(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Tls {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.not_after = date_time_ymd(4000, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let tls = Tls {
            ca: self.folder.join("ca.pem"),
            cert: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        };
        fs::write(&tls.cert, certificate.pem()).unwrap();
        fs::write(&tls.key, key.serialize_pem()).unwrap();
        tls
    }
}

/// Where a certificate, its key and its authority are.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    /// As in a configuration file.
    pub(crate) fn settings(&self) -> Value {
        json!({ "ca_file": self.ca, "cert_file": self.cert, "key_file": self.key })
    }
}
