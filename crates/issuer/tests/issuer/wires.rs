//! Sockets on the loopback interface: doors whose peers are named by the test, and HTTP as raw bytes, so that answers
//! can be compared to the byte.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Loopback whose peers all have the certificate name that is set.
pub(crate) struct Loopback {
    listener: TcpListener,
    name: Mutex<Option<String>>,
}

impl Loopback {
    pub(crate) async fn bind(name: Option<&str>) -> Arc<Loopback> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Arc::new(Loopback { listener, name: Mutex::new(name.map(str::to_owned)) })
    }

    /// From the next connection on.
    pub(crate) fn peers_are(&self, name: Option<&str>) {
        *self.name.lock().unwrap() = name.map(str::to_owned);
    }
}

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::pin(stream), Peer { address, name: self.name.lock().unwrap().clone() }))
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

/// Connects over loopback, unless it is cut off.
#[derive(Default)]
pub(crate) struct Dial {
    cut_off: AtomicBool,
}

impl Dial {
    /// From now on there is no way, or there is again.
    pub(crate) fn cut_off(&self, cut_off: bool) {
        self.cut_off.store(cut_off, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connector for Dial {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        if self.cut_off.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::pin(stream))
    }
}

/// An HTTP answer as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Status line and headers, in their order, without the `date` header: it is the wall clock's.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The last part of a problem's type.
    pub(crate) fn problem(&self) -> String {
        self.json()["type"].as_str().unwrap_or("").trim_start_matches("/problems/").to_owned()
    }

    /// The JSON pointers of a problem's errors.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

/// One request on a connection of its own.
pub(crate) async fn http(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let (head, body) = bytes(to, method, path, headers, body).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: String::from_utf8(body).unwrap() }
}

/// The same with an answer that is no text.
pub(crate) async fn bytes(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (String, Vec<u8>) {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: bank\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
    (kept.collect::<Vec<_>>().join("\n"), answer[end + 4..].to_vec())
}
