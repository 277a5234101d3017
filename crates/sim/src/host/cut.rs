//! A door whose connections can be cut off from the outside, as by a pulled cable.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Door, Peer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::CardHost;

pub(super) struct CutDoor {
    door: Arc<dyn Door>,
    host: Arc<CardHost>,
}

impl CutDoor {
    pub(super) fn new(door: Arc<dyn Door>, host: Arc<CardHost>) -> CutDoor {
        CutDoor { door, host }
    }
}

#[async_trait]
impl Door for CutDoor {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, peer) = self.door.accept().await?;
        let cut = Box::pin(self.host.connections().cancelled_owned());
        Ok((Box::pin(CutStream { stream: Some(stream), cut }), peer))
    }

    fn address(&self) -> SocketAddr {
        self.door.address()
    }
}

struct CutStream {
    /// Gone, and with it the socket, once it was cut.
    stream: Option<BoxStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl CutStream {
    fn whole(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut BoxStream>> {
        if self.stream.is_some() && self.cut.as_mut().poll(cx).is_ready() {
            self.stream = None;
        }
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.whole(cx)?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_shutdown(cx))
    }
}
