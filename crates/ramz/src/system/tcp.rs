//! TCP: doors and connectors without TLS, for loopback, for ISO 8583 and SMPP inside a bank's own network.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use tokio::net::{TcpListener, TcpStream};

/// A bound TCP port.
pub(crate) struct TcpDoor {
    listener: TcpListener,
    address: SocketAddr,
}

impl TcpDoor {
    /// Binds `host:port`; port 0 takes a free one.
    pub(crate) async fn bind(address: &str) -> anyhow::Result<TcpDoor> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            anyhow::anyhow!("cannot listen on {address}: {error}. Is it taken by another process?")
        })?;
        let address = listener.local_addr()?;
        Ok(TcpDoor { listener, address })
    }

    /// The next connection, as TCP.
    pub(super) async fn take(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, from))
    }
}

#[async_trait]
impl Door for TcpDoor {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.take().await?;
        Ok((Box::pin(stream), Peer { address, name: None }))
    }

    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Connects over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpConnector;

pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[async_trait]
impl Connector for TcpConnector {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let stream = connect(host, port).await?;
        Ok(Box::pin(stream))
    }
}
