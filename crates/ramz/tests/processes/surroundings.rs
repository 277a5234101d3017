//! The test's own sockets, clock and randomness.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use ramz_domain::{Clock, Entropy, Moment};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::certificates::Tls;

/// The machine's clock: the process under test has no other.
pub(crate) struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "both processes go by the machine's clock")]
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment::default().plus(since)
    }
}

/// The machine's randomness.
pub(crate) struct Random;

impl Entropy for Random {
    #[expect(clippy::disallowed_methods, reason = "keys and names of the test are fresh in every run")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }
}

/// A listener on a loopback port.
pub(crate) struct Loopback(TcpListener, SocketAddr);

impl Loopback {
    /// Binds a port that was free just now. Another program that looks for free ones may have it for a moment.
    pub(crate) async fn bind(port: u16) -> Arc<Loopback> {
        let mut bound = TcpListener::bind(("127.0.0.1", port)).await;
        for _ in 0..100 {
            if bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                bound = TcpListener::bind(("127.0.0.1", port)).await;
            }
        }
        let listener = bound.unwrap();
        let address = listener.local_addr().unwrap();
        Arc::new(Loopback(listener, address))
    }
}

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::pin(stream), Peer { address, name: None }))
    }

    fn address(&self) -> SocketAddr {
        self.1
    }
}

/// Connects over TCP.
pub(crate) struct Tcp;

#[async_trait]
impl Connector for Tcp {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::pin(stream))
    }
}

/// Connects over TLS, with a certificate or without one.
pub(crate) struct TlsClient(TlsConnector);

impl TlsClient {
    /// Shows the certificate.
    pub(crate) fn with(tls: &Tls) -> Arc<TlsClient> {
        Arc::new(TlsClient(TlsConnector::from(Arc::new(client_config(tls)))))
    }

    /// Trusts the same authority, and shows nothing.
    pub(crate) fn without(tls: &Tls) -> Arc<TlsClient> {
        let config = trusting(tls).with_no_client_auth();
        Arc::new(TlsClient(TlsConnector::from(Arc::new(config))))
    }
}

/// Shows the certificate, and trusts its authority.
pub(crate) fn client_config(tls: &Tls) -> ClientConfig {
    let chain = CertificateDer::pem_file_iter(&tls.cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&tls.key).unwrap();
    trusting(tls).with_client_auth_cert(chain, key).unwrap()
}

fn trusting(tls: &Tls) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&tls.ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_root_certificates(roots)
}

#[async_trait]
impl Connector for TlsClient {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::pin(self.0.connect(name, stream).await?))
    }
}
