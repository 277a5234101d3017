//! Every wait of the server has an end. Streams in memory and tokio's clock moved by tokio: nothing here sleeps.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, routing::get};
use ramz_api::{
    net::{BoxStream, Door, Peer},
    serve::{DRAIN_TIMEOUT, HEAD_BYTES_MAX, REQUEST_TIMEOUT, serve},
};
use ramz_domain::{Entropy, limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::{Mutex, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// Connections are handed in.
struct Handed(Mutex<mpsc::Receiver<DuplexStream>>);

#[async_trait]
impl Door for Handed {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        match self.0.lock().await.recv().await {
            Some(stream) => Ok((Box::pin(stream), Peer { address: ADDRESS, name: None })),
            None => pending().await,
        }
    }

    fn address(&self) -> SocketAddr {
        ADDRESS
    }
}

/// Bytes of an answer that fits no buffer on its way.
const LONG: usize = 1024 * 1024;

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

struct Service {
    hand: mpsc::Sender<DuplexStream>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn service() -> Service {
    let app = Router::new()
        .route("/never", get(async || pending::<&str>().await))
        .route("/now", get(async || "now"))
        .route("/long", get(async || "x".repeat(LONG)));
    let (hand, handed) = mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let door = Arc::new(Handed(Mutex::new(handed)));
    let task = tokio::spawn(serve(door, app, Arc::new(Sevens), shutdown.clone()));
    Service { hand, shutdown, task }
}

impl Service {
    async fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(4096);
        self.hand.send(theirs).await.unwrap();
        ours
    }
}

/// What comes back until the server hangs up.
async fn rest(stream: &mut DuplexStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn check_took(began: Instant, expect: Duration) {
    let took = began.elapsed();
    assert!(took >= expect && took < expect + Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut() {
    let service = service();
    for begun in ["", "GET /now HTTP/1.1\r\nHost: x\r\nX: "] {
        let mut stream = service.connect().await;
        let began = Instant::now();
        stream.write_all(begun.as_bytes()).await.unwrap();
        rest(&mut stream).await;
        check_took(began, limits::HTTP_HEAD_TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_is_refused() {
    let service = service();
    let mut stream = service.connect().await;
    let head = format!("GET /now HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(2 * HEAD_BYTES_MAX));
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let writing = async { drop(write.write_all(head.as_bytes()).await) };
    let mut answer = Vec::new();
    let (_, read) = tokio::join!(writing, read.read_to_end(&mut answer));
    read.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_answer_is_a_fault() {
    let service = service();
    let mut stream = service.connect().await;
    let began = Instant::now();
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("/problems/fault"), "{answer}");
    check_took(began, REQUEST_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_is_cut_and_one_that_is_read_slowly_is_not() {
    let service = service();
    for (waits, cut) in [(limits::HTTP_WRITE_TIMEOUT * 9 / 10, false), (limits::HTTP_WRITE_TIMEOUT * 2, true)]
    {
        let mut stream = service.connect().await;
        stream.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut read = 0;
        for _ in 0..3 {
            tokio::time::sleep(waits).await;
            read += stream.read(&mut [0; 4096]).await.unwrap();
        }
        let read = read + rest(&mut stream).await.len();
        assert_eq!(read < LONG, cut, "{read} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_even_if_a_request_does_not() {
    let service = service();
    let mut stream = service.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // Until the request is read, there is nothing to drain.
    tokio::time::advance(Duration::from_secs(1)).await;
    let began = Instant::now();
    service.shutdown.cancel();
    service.task.await.unwrap();
    check_took(began, DRAIN_TIMEOUT);
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_connections_are_open() {
    let service = service();
    let mut open = Vec::new();
    for _ in 0..limits::HTTP_CONNECTIONS_MAX {
        open.push(service.connect().await);
    }
    // One more waits in the channel, as it would in the kernel's queue, and is not read.
    let mut waiting = service.connect().await;
    waiting.write_all(b"GET /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut byte = [0];
    let early = futures_util::FutureExt::now_or_never(waiting.read(&mut byte));
    assert!(early.is_none(), "nobody answers it");
    drop(open.pop());
    assert!(rest(&mut waiting).await.starts_with("HTTP/1.1 200 "), "until a place is free");
}
