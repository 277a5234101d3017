//! Mutual TLS 1.2 and 1.3 (rustls over ring). A peer is known by its certificate's name.
//!
//! The name is the subject's common name, or the first DNS name of the subject alternative names. Who connects to us comes
//! through a [`door`]. What the files hold is in [`files`], what a certificate is good for in [`ends`]; that files change while
//! a role runs, in [`watched`].

pub(crate) mod door;
pub(crate) mod ends;
pub(crate) mod files;
pub(crate) mod watched;

use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

pub(crate) use files::TlsConfig;
pub(crate) use watched::Tls;

use super::tcp;

/// Connects over TCP, then TLS, showing the certificate that our file held last.
pub(crate) struct MutualTls(Arc<Tls>);

impl MutualTls {
    /// Over these files.
    pub(crate) fn over(tls: &Arc<Tls>) -> MutualTls {
        MutualTls(Arc::clone(tls))
    }
}

#[async_trait]
impl Connector for MutualTls {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = tcp::connect(host, port).await?;
        Ok(Box::pin(TlsConnector::from(self.0.client()).connect(name, stream).await?))
    }
}

/// Connects over TCP, then TLS, and shows no certificate: for a door that anybody may come to. Its own is checked.
pub(crate) struct CheckedTls(TlsConnector);

impl CheckedTls {
    /// Trusts the authorities of a PEM file, or those of the system.
    pub(crate) fn trusting(ca_file: Option<&Path>) -> anyhow::Result<CheckedTls> {
        Ok(CheckedTls(TlsConnector::from(files::trusting(ca_file)?)))
    }
}

#[async_trait]
impl Connector for CheckedTls {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = tcp::connect(host, port).await?;
        Ok(Box::pin(self.0.connect(name, stream).await?))
    }
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A door with a certificate of its own for `localhost`, which is its authority, too.
    async fn door(ca_file: &Path) -> u16 {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(ca_file, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = TlsAcceptor::from(Arc::new(server.clone())).accept(stream).await {
                    let _ = stream.write_all(b"in").await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        port
    }

    #[tokio::test]
    async fn a_door_is_believed_by_its_authority_and_name_only() {
        let folder = tempfile::tempdir().unwrap();
        let [right, wrong] = ["right.pem", "wrong.pem"].map(|name| folder.path().join(name));
        let (port, _) = (door(&right).await, door(&wrong).await);
        let mut stream =
            CheckedTls::trusting(Some(&right)).unwrap().connect("localhost", port).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "in");
        let error = async |ca: &Path, host: &str| {
            let told = CheckedTls::trusting(Some(ca)).unwrap().connect(host, port).await;
            told.map(drop).unwrap_err().to_string()
        };
        let unknown = error(&wrong, "localhost").await;
        assert!(unknown.contains("invalid peer certificate"), "{unknown}");
        let other_name = error(&right, "127.0.0.1").await;
        assert!(other_name.contains("not valid for name"), "{other_name}");
    }
}
