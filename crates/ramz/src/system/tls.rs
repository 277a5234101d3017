//! Mutual TLS 1.2 and 1.3 (rustls over ring). A peer is known by its certificate's name.
//!
//! Handshakes run in tasks of their own: a peer that stalls holds up nobody. The name is the subject's common name, or
//! the first DNS name of the subject alternative names.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use ramz_domain::limits;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::tcp::{self, TcpDoor};

/// Handshakes at once, and handshaken connections that wait to be served.
const HANDSHAKES: usize = 256;

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

/// A TCP port behind mutual TLS.
pub(crate) struct TlsDoor {
    address: SocketAddr,
    shaken: Mutex<mpsc::Receiver<(BoxStream, Peer)>>,
}

impl TlsDoor {
    /// Puts TLS before a bound port. Peers without a certificate of the authority are turned away.
    pub(crate) fn before(door: TcpDoor, config: &TlsConfig) -> anyhow::Result<TlsDoor> {
        let roots = Arc::new(roots(&config.ca_file)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
        let (chain, key) = identity(config)?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .with_context(|| format!("{} and its key do not fit", config.cert_file.display()))?;
        let address = door.address();
        let (sender, shaken) = mpsc::channel(HANDSHAKES);
        tokio::spawn(take_in(door, TlsAcceptor::from(Arc::new(server)), sender));
        Ok(TlsDoor { address, shaken: Mutex::new(shaken) })
    }
}

/// Accepts until the door is dropped.
async fn take_in(door: TcpDoor, acceptor: TlsAcceptor, sender: mpsc::Sender<(BoxStream, Peer)>) {
    let slots = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let (stream, address) = tokio::select! {
            () = sender.closed() => return,
            taken = door.take() => match taken {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(limits::RECONNECT_FIRST).await;
                    continue;
                }
            },
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            match timeout(limits::HTTP_HEAD_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                    let name = certificate.and_then(|certificate| name_of(certificate));
                    // The door may have been closed meanwhile.
                    let _ = sender.send((Box::pin(stream), Peer { address, name })).await;
                }
                Ok(Err(error)) => tracing::warn!(%address, %error, "TLS handshake refused"),
                Err(_) => tracing::warn!(%address, "TLS handshake took too long"),
            }
            drop(slot);
        });
    }
}

#[async_trait]
impl Door for TlsDoor {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let next = self.shaken.lock().await.recv().await;
        next.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the door is closed"))
    }

    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Connects over TCP, then TLS, showing our certificate.
pub(crate) struct MutualTls(TlsConnector);

impl MutualTls {
    /// Reads certificate, key and authority.
    pub(crate) fn new(config: &TlsConfig) -> anyhow::Result<MutualTls> {
        let (chain, key) = identity(config)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(&config.ca_file)?)
            .with_client_auth_cert(chain, key)
            .with_context(|| format!("{} and its key do not fit", config.cert_file.display()))?;
        Ok(MutualTls(TlsConnector::from(Arc::new(client))))
    }
}

#[async_trait]
impl Connector for MutualTls {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = tcp::connect(host, port).await?;
        Ok(Box::pin(self.0.connect(name, stream).await?))
    }
}

fn roots(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).with_context(|| format!("{} holds no authority", file.display()))?;
    }
    Ok(roots)
}

fn identity(config: &TlsConfig) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let key = PrivateKeyDer::from_pem_file(&config.key_file).map_err(|error| {
        anyhow::anyhow!("cannot read a private key from {}: {error}", config.key_file.display())
    })?;
    Ok((certificates(&config.cert_file)?, key))
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let cannot = |error| anyhow::anyhow!("cannot read certificates from {}: {error}", file.display());
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(cannot)?.collect::<Result<_, _>>().map_err(cannot)?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", file.display());
    Ok(chain)
}

/// The name a certificate is known by.
fn name_of(certificate: &[u8]) -> Option<String> {
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
