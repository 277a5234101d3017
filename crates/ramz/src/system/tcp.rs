//! TCP: doors and connectors without TLS, for loopback, for ISO 8583 and SMPP inside a bank's own network.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use tokio::net::{TcpListener, TcpStream};

/// Why a port is not bound.
#[derive(Debug)]
pub(crate) struct Unbound {
    address: String,
    why: io::Error,
}

impl std::error::Error for Unbound {}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.why)?;
        if self.is_taken() {
            f.write_str(". Is it taken by another process?")?;
        }
        Ok(())
    }
}

impl Unbound {
    /// Whether somebody else listens there.
    pub(crate) fn is_taken(&self) -> bool {
        self.why.kind() == io::ErrorKind::AddrInUse
    }

    /// Whether the address is another machine's.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.why.kind() == io::ErrorKind::AddrNotAvailable
    }
}

/// A bound TCP port.
pub(crate) struct TcpDoor {
    listener: TcpListener,
    address: SocketAddr,
}

impl TcpDoor {
    /// Binds `host:port`; port 0 takes a free one.
    pub(crate) async fn bind(address: &str) -> Result<TcpDoor, Unbound> {
        let unbound = |why| Unbound { address: address.to_owned(), why };
        let listener = TcpListener::bind(address).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_of_a_port_that_is_taken_it_is_asked_who_has_it() {
        let first = TcpDoor::bind("127.0.0.1:0").await.unwrap();
        let taken = TcpDoor::bind(&first.address.to_string()).await.err().unwrap();
        assert!(taken.to_string().ends_with("Is it taken by another process?"), "{taken}");
        // Nobody's: RFC 5737.
        let elsewhere = TcpDoor::bind("192.0.2.1:1").await.err().unwrap();
        assert!(
            elsewhere.is_elsewhere() && !elsewhere.to_string().contains("another process"),
            "{elsewhere}"
        );
    }
}
