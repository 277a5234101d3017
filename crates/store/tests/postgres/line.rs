//! The line between a node and its database: cut in the middle of whatever is on it, or dead without saying so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a line does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole(u64),
    /// Nothing goes through, and nobody is told.
    Hangs(u64),
}

/// A line, taken at a port of its own.
pub(crate) struct Line {
    pub(crate) port: u16,
    state: watch::Sender<State>,
    to: AtomicU16,
}

impl Line {
    pub(crate) async fn to(port: u16) -> Arc<Line> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = watch::Sender::new(State::Whole(0));
        let own = listener.local_addr().unwrap().port();
        let line = Arc::new(Line { port: own, state, to: AtomicU16::new(port) });
        let this = Arc::downgrade(&line);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Some(line) = this.upgrade() else { return };
                let to = line.to.load(Ordering::SeqCst);
                let state = line.state.subscribe();
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await {
                        carry(near, far, state).await;
                    }
                });
            }
        });
        line
    }

    /// Cuts every connection that there is.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| match *state {
            State::Whole(times) | State::Hangs(times) => *state = State::Whole(times + 1),
        });
    }

    /// From now on nothing goes through, until it is cut.
    pub(crate) fn hang(&self) {
        self.state.send_modify(|state| match *state {
            State::Whole(times) | State::Hangs(times) => *state = State::Hangs(times),
        });
    }
}

async fn carry(near: TcpStream, far: TcpStream, mut state: watch::Receiver<State>) {
    let began = *state.borrow_and_update();
    let (State::Whole(times) | State::Hangs(times)) = began;
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (one, other) = (state.clone(), state.clone());
    let cut = state.wait_for(|now| {
        let (State::Whole(now) | State::Hangs(now)) = *now;
        now != times
    });
    tokio::select! {
        () = pump(near_read, far_write, one) => {}
        () = pump(far_read, near_write, other) => {}
        _ = cut => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if state.wait_for(|now| matches!(now, State::Whole(_))).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
