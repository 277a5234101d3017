//! A TCP port behind mutual TLS.
//!
//! Handshakes run in tasks of their own: a peer that stalls holds up nobody. While all places are taken, the oldest gives way
//! as soon as it has had [`FAIR`]: whoever connects and says nothing shuts the door for no longer than that.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Door, Peer};
use ramz_domain::limits;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::files::name_of;
use super::watched::Tls;
use crate::system::tcp::TcpDoor;

/// Handshakes at once, and handshaken connections that wait to be served.
const HANDSHAKES: usize = 256;
/// What a handshake has, however many wait: several round trips of the slowest line.
const FAIR: Duration = Duration::from_secs(1);

/// A TCP port behind mutual TLS.
pub(crate) struct TlsDoor {
    address: SocketAddr,
    shaken: Mutex<mpsc::Receiver<(BoxStream, Peer)>>,
}

impl TlsDoor {
    /// Puts TLS before a bound port. Peers without a certificate of the authority are turned away. Each handshake is made
    /// with what the files held last.
    pub(crate) fn before(door: TcpDoor, tls: &Arc<Tls>) -> TlsDoor {
        let address = door.address();
        let (sender, shaken) = mpsc::channel(HANDSHAKES);
        tokio::spawn(take_in(door, Arc::clone(tls), sender));
        TlsDoor { address, shaken: Mutex::new(shaken) }
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

/// Accepts until the door is dropped.
async fn take_in(door: TcpDoor, tls: Arc<Tls>, sender: mpsc::Sender<(BoxStream, Peer)>) {
    let mut handshakes = Handshakes { places: Arc::new(Semaphore::new(HANDSHAKES)), begun: VecDeque::new() };
    loop {
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
        let Some(place) = handshakes.place().await else { return };
        let give_way = handshakes.begin();
        let (acceptor, sender) = (TlsAcceptor::from(tls.server()), sender.clone());
        tokio::spawn(async move {
            let shaken = tokio::select! {
                shaken = shake(&acceptor, stream, address) => shaken,
                () = give_way.notified() => {
                    tracing::warn!(%address, "a TLS handshake gave way to those that wait");
                    None
                }
            };
            drop(give_way);
            if let Some(shaken) = shaken {
                // The door may have been closed meanwhile.
                let _ = sender.send(shaken).await;
            }
            drop(place);
        });
    }
}

async fn shake(acceptor: &TlsAcceptor, stream: TcpStream, address: SocketAddr) -> Option<(BoxStream, Peer)> {
    match timeout(limits::HTTP_HEAD_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let name = certificate.and_then(|certificate| name_of(certificate));
            return Some((Box::pin(stream), Peer { address, name }));
        }
        Ok(Err(error)) => tracing::warn!(%address, %error, "TLS handshake refused"),
        Err(_) => tracing::warn!(%address, "TLS handshake took too long"),
    }
    None
}

/// The handshakes of one door.
struct Handshakes {
    places: Arc<Semaphore>,
    /// When each began, the oldest first, and how to end it. Those that have ended are dropped by and by.
    begun: VecDeque<(Instant, Weak<Notify>)>,
}

impl Handshakes {
    /// A place, if need be that of the oldest. `None` if there never will be one.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        let mut place = std::pin::pin!(Arc::clone(&self.places).acquire_owned());
        loop {
            while self.begun.front().is_some_and(|(_, ended)| ended.strong_count() == 0) {
                self.begun.pop_front();
            }
            let oldest = self.begun.front().map(|(began, _)| *began + FAIR);
            tokio::select! {
                biased;
                place = &mut place => return place.ok(),
                () = sleep_until(oldest.unwrap_or_else(Instant::now)), if oldest.is_some() => {
                    // It may have ended by itself just now.
                    if let Some(give_way) = self.begun.pop_front().and_then(|(_, oldest)| oldest.upgrade()) {
                        give_way.notify_one();
                    }
                }
            }
        }
    }

    /// One begins now: it ends when this tells it to, and is done when this is dropped.
    fn begin(&mut self) -> Arc<Notify> {
        if self.begun.len() >= 2 * HANDSHAKES {
            self.begun.retain(|(_, handshake)| handshake.strong_count() > 0);
        }
        let give_way = Arc::new(Notify::new());
        self.begun.push_back((Instant::now(), Arc::downgrade(&give_way)));
        give_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn while_all_places_are_taken_the_oldest_gives_way_and_no_young_one() {
        let mut handshakes = Handshakes { places: Arc::new(Semaphore::new(2)), begun: VecDeque::new() };
        let began = Instant::now();
        let mut ended = Vec::new();
        for _ in 0..4 {
            let place = timeout(FAIR * 2, handshakes.place()).await.expect("the oldest gives way").unwrap();
            let give_way = handshakes.begin();
            ended.push(tokio::spawn(async move {
                give_way.notified().await;
                drop(place);
                began.elapsed()
            }));
            tokio::time::sleep(FAIR / 4).await;
        }
        // The third waits until the first has had its time, and the fourth for the second.
        assert_eq!(began.elapsed(), FAIR * 3 / 2);
        for (handshake, expect) in ended.drain(..2).zip([FAIR, FAIR * 5 / 4]) {
            assert_eq!(handshake.await.unwrap(), expect);
        }
        tokio::time::sleep(FAIR * 10).await;
        assert!(ended.iter().all(|handshake| !handshake.is_finished()), "nobody waits");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_is_not_told_to_end_and_does_not_pile_up() {
        let mut handshakes = Handshakes { places: Arc::new(Semaphore::new(2)), begun: VecDeque::new() };
        let (_place, stuck) = (handshakes.place().await.unwrap(), handshakes.begin());
        for _ in 0..10 * HANDSHAKES {
            let _place = handshakes.place().await.unwrap();
            drop(handshakes.begin());
        }
        assert!(handshakes.begun.len() <= 2 * HANDSHAKES);
        tokio::time::sleep(FAIR * 10).await;
        assert!(futures_util::FutureExt::now_or_never(stuck.notified()).is_none());
    }
}
