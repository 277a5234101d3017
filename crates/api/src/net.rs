//! Doors and connectors: sockets as roles see them. The binary makes them over TCP and TLS, tests over loopback.

use std::{io, net::SocketAddr, pin::Pin};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connected stream of bytes: TCP, or TLS over it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Any [`Stream`].
pub type BoxStream = Pin<Box<dyn Stream>>;

/// Who is at the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Where it connected from.
    pub address: SocketAddr,
    /// The name in its certificate, if mutual TLS proved one.
    pub name: Option<String>,
}

/// A bound listener. Handshakes happen inside, so that a slow peer holds up nobody else.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// The next connection that is ready to be read. Errors of single peers are kept inside.
    async fn accept(&self) -> io::Result<(BoxStream, Peer)>;

    /// Where it listens.
    fn address(&self) -> SocketAddr;
}

/// Makes connections to one kind of place. TCP_NODELAY is set; TLS, if any, is inside.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Connects to `host:port`.
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream>;
}
