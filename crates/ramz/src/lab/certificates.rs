//! The lab's authority and a certificate for everyone who has a name: banks, router, gateway, an asker, an operator.

use std::fs;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::folder::Folder;
use super::pinned::BANKS;
use crate::system::files::write_private;

/// Who may ask and is not one of our roles: the outside programs that read `lab.json`.
pub(crate) const ASKER: &str = "asker.lab";
pub(crate) const GATEWAY: &str = "gateway.lab";
pub(crate) const ROUTER: &str = "router.lab";
pub(crate) const OPERATOR: &str = "operator.lab";

/// Makes what is missing. All of it anew if the authority is missing: its key is not kept.
pub(crate) fn make(folder: &Folder) -> anyhow::Result<()> {
    if folder.file("ca.pem").exists() {
        return Ok(());
    }
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Ramz lab authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    let banks = BANKS.iter().map(|bank| bank.id.to_owned());
    for name in banks.chain([ROUTER, GATEWAY, ASKER, OPERATOR].map(str::to_owned)) {
        certify(folder, &issuer, &name)?;
    }
    fs::write(folder.file("ca.pem"), authority.pem())?;
    Ok(())
}

/// A certificate for both ends of mutual TLS, at `localhost`.
fn certify(folder: &Folder, issuer: &Issuer<'_, KeyPair>, name: &str) -> anyhow::Result<()> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    fs::write(folder.file(&format!("{name}.pem")), certificate.pem())?;
    write_private(&folder.file(&format!("{name}.key")), key.serialize_pem().as_bytes())
}
