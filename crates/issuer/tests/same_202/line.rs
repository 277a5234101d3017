//! PIN requests as bytes over a connection that is kept.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A PIN request with a key of its own, as bytes.
pub(crate) fn request(body: &str) -> Vec<u8> {
    static KEY: AtomicU64 = AtomicU64::new(1);
    let key = KEY.fetch_add(1, Ordering::SeqCst);
    format!(
        "POST /v1/pin-requests HTTP/1.1\r\nhost: bank\r\ncontent-type: application/json\r\nramz-asker: page one\r\n\
         idempotency-key: 8e03978e-40d5-43dd-bc94-{key:012x}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection that is kept: what is timed is the answer, not the way to it.
pub(crate) struct Line(pub(crate) TcpStream);

impl Line {
    pub(crate) async fn to(door: SocketAddr) -> Line {
        let stream = TcpStream::connect(door).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Line(stream)
    }

    /// Asks, reads the whole answer, and says its status.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<u16, String> {
        self.0.write_all(request).await.map_err(|error| error.to_string())?;
        let answer = message(&mut self.0).await?.ok_or("the door hung up")?;
        let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        status.ok_or_else(|| "an answer without a status".into())
    }
}

/// One HTTP message with a length, as it came; nothing: the other side is done.
pub(crate) async fn message(stream: &mut TcpStream) -> Result<Option<Vec<u8>>, String> {
    let (mut bytes, mut whole) = (Vec::with_capacity(2048), None);
    while whole.is_none_or(|length| bytes.len() < length) {
        let read = stream.read_buf(&mut bytes).await.map_err(|error| error.to_string())?;
        if read == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err("half a message".into()) };
        }
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        whole = head.map(|end| end + 4 + length(&bytes[..end]));
    }
    Ok(Some(bytes))
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |digits| digits.trim().parse().unwrap())
}
