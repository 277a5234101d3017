//! A fault proxy between the router and a bank: what a network does on its bad days, byte by byte and by order.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What happens to connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Each is closed before a byte is read: the bank's machine is there, its service is not.
    Refuse,
    /// Each is taken and nothing is ever said: a half-open connection, a process that hangs.
    Silence,
    /// The request goes through; when the answer comes, the connection is cut instead.
    CutAnswer,
    /// The same, but only once: the next connection is well.
    CutAnswerOnce,
}

/// A listener before a bank.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    taken: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn before(bank: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            fault: Arc::new(watch::Sender::new(Fault::None)),
            taken: Arc::default(),
        };
        let own = proxy.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                own.taken.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(own.clone().carry(stream, bank));
            }
        });
        proxy
    }

    /// From now on. Connections that are open are cut: a fault does not wait for a pool to be empty.
    pub(crate) fn is(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Connections taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    async fn carry(self, mut near: TcpStream, bank: SocketAddr) {
        let mut changes = self.fault.subscribe();
        let fault = *changes.borrow_and_update();
        let carried = async {
            match fault {
                Fault::None => {
                    let mut far = TcpStream::connect(bank).await.unwrap();
                    _ = copy_bidirectional(&mut near, &mut far).await;
                }
                Fault::Refuse => {}
                Fault::Silence => std::future::pending().await,
                Fault::CutAnswer | Fault::CutAnswerOnce => {
                    let mut far = TcpStream::connect(bank).await.unwrap();
                    let (mut from_near, _to_near) = near.split();
                    let (mut from_far, mut to_far) = far.split();
                    let mut first = [0; 1];
                    tokio::select! {
                        _ = from_far.read(&mut first) => {}
                        _ = async {
                            let mut bytes = vec![0; 4096];
                            while let Ok(n @ 1..) = from_near.read(&mut bytes).await {
                                if to_far.write_all(&bytes[..n]).await.is_err() {
                                    break;
                                }
                            }
                            std::future::pending::<()>().await;
                        } => {}
                    }
                    if fault == Fault::CutAnswerOnce {
                        self.is(Fault::None);
                    }
                }
            }
        };
        tokio::select! {
            () = carried => {}
            _ = changes.changed() => {}
        }
    }
}
