//! Frames: two bytes of big-endian length, an optional fixed header, the message. The length counts header and message;
//! a length of zero is a keep-alive and is passed over.
//!
//! The header's bytes are not compared on input (networks put addresses there that differ by direction), only its
//! length is. Not here: what a message says.

use std::io;
use std::time::Duration;

use ramz_domain::limits;
use ramz_iso8583::{EncodeError, Layout, Message, Place, encode};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// A frame that was begun is whole by then, or its sender is stalled. Like `limits::HTTP_HEAD_TIMEOUT`.
const FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no more frames can be read from a connection. Without content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of {length} bytes, where at most {max} are taken")]
    TooLong { length: usize, max: usize },
    #[error("the connection ended inside a frame")]
    Cut,
    #[error("a frame was begun and not finished within {0:?}")]
    Stalled(Duration),
    #[error("nothing came for {0:?}")]
    Idle(Duration),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads frames. What came in is wiped when the reader is dropped.
pub(crate) struct FrameReader<R> {
    from: R,
    header: usize,
    idle: Option<Duration>,
    patience: Duration,
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
    /// When the frame that is not whole yet was begun.
    begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader of frames whose header has that many bytes. With `idle`, silence for so long is an error.
    pub(crate) fn new(from: R, header: usize, idle: Option<Duration>) -> Self {
        let most = 2 + header + limits::ISO_MESSAGE_BYTES_MAX;
        Self {
            from,
            header,
            idle,
            patience: FRAME_TIMEOUT,
            buffer: Zeroizing::new(vec![0; 2 * most]),
            start: 0,
            end: 0,
            begun: None,
        }
    }

    /// The next message, without length and header; empty if the frame is shorter than its header. `None` is the end
    /// of the connection between two frames. May be dropped and called again: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        loop {
            if let Some(message) = self.take()? {
                self.begun = None;
                return Ok(Some(message));
            }
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let (deadline, late) = if self.end > 0 {
                let begun = *self.begun.get_or_insert_with(Instant::now);
                (Some(begun + self.patience), FrameError::Stalled(self.patience))
            } else {
                self.begun = None;
                (self.idle.map(|idle| Instant::now() + idle), FrameError::Idle(self.idle.unwrap_or_default()))
            };
            let read = self.from.read(&mut self.buffer[self.end..]);
            let count = match deadline {
                Some(deadline) => timeout_at(deadline, read).await.map_err(|_| late)??,
                None => read.await?,
            };
            if count == 0 {
                return if self.end == 0 { Ok(None) } else { Err(FrameError::Cut) };
            }
            self.end += count;
        }
    }

    /// A whole frame from the buffer, past keep-alives.
    fn take(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        loop {
            let [high, low, rest @ ..] = &self.buffer[self.start..self.end] else { return Ok(None) };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let max = self.header + limits::ISO_MESSAGE_BYTES_MAX;
            if length > max {
                return Err(FrameError::TooLong { length, max });
            }
            let Some(content) = rest.get(..length) else { return Ok(None) };
            let message = content.get(self.header..).unwrap_or_default();
            let message = (length > 0).then(|| Zeroizing::new(message.to_vec()));
            self.start += 2 + length;
            self.begun = None;
            if message.is_some() {
                return Ok(message);
            }
        }
    }
}

/// A message as a frame.
pub(crate) fn write(
    layout: &Layout,
    header: &[u8],
    message: &Message,
) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let message = Zeroizing::new(encode(layout, message)?);
    let length = header.len() + message.len();
    let prefix = u16::try_from(length).map_err(|_| EncodeError {
        place: Place::Message,
        expected: format!("at most {} bytes with its header", u16::MAX),
        found: length.to_string(),
    })?;
    let mut frame = Zeroizing::new(Vec::with_capacity(2 + length));
    frame.extend_from_slice(&prefix.to_be_bytes());
    frame.extend_from_slice(header);
    frame.extend_from_slice(&message);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use ramz_iso8583::Mti;

    use super::*;

    async fn check(input: &[u8], header: usize, messages: &[&[u8]], end: &str) {
        let mut reader = FrameReader::new(input, header, None);
        for message in messages {
            assert_eq!(reader.next().await.unwrap().unwrap().as_slice(), *message);
        }
        let found = match reader.next().await {
            Ok(None) => "end".to_owned(),
            Ok(Some(more)) => panic!("one more message of {} bytes", more.len()),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, end);
    }

    #[tokio::test]
    async fn frames_are_told_apart_and_keep_alives_passed_over() {
        check(b"", 0, &[], "end").await;
        check(b"\0\0\0\0", 0, &[], "end").await;
        check(b"\0\x02ab\0\0\0\x01c", 0, &[b"ab", b"c"], "end").await;
        check(b"\0\x04HHab\0\x01H", 2, &[b"ab", b""], "end").await;
        check(b"\0\x04ab", 0, &[], "the connection ended inside a frame").await;
        check(b"\0", 0, &[], "the connection ended inside a frame").await;
        check(b"\0\x01a\x20\x01", 0, &[b"a"], "a frame of 8193 bytes, where at most 8192 are taken").await;
    }

    #[tokio::test]
    async fn the_longest_frame_fits_however_it_arrives() {
        let mut wire = Vec::new();
        for _ in 0..3 {
            wire.extend_from_slice(&8194_u16.to_be_bytes());
            wire.extend_from_slice(&[7; 8194]);
        }
        let longest: &[u8] = &[7; 8192];
        check(&wire, 2, &[longest, longest, longest], "end").await;

        let (near, mut far) = tokio::io::duplex(1);
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut far, &wire).await });
        let mut reader = FrameReader::new(near, 2, None);
        for _ in 0..3 {
            assert_eq!(reader.next().await.unwrap().unwrap().as_slice(), longest);
        }
        assert!(reader.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_frame_that_is_begun_must_be_finished_but_silence_may_be_allowed() {
        let (near, mut far) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut far, b"\0\x01a\0\x05ab").await.unwrap();
        let mut reader = FrameReader::new(near, 0, None);
        reader.patience = Duration::from_millis(20);
        assert!(reader.next().await.unwrap().is_some());
        assert!(matches!(reader.next().await, Err(FrameError::Stalled(_))));

        let (near, _far) = tokio::io::duplex(64);
        let mut reader = FrameReader::new(near, 0, Some(Duration::from_millis(20)));
        assert!(matches!(reader.next().await, Err(FrameError::Idle(_))));
    }

    #[test]
    fn a_message_is_written_behind_length_and_header() {
        let layout = Layout::named("ascii").unwrap();
        let frame = write(&layout, b"HD", &Message::new(Mti::NETWORK)).unwrap();
        assert_eq!(frame.as_slice(), b"\0\x16HD08000000000000000000");
        let error = write(&layout, &[0; 65_530], &Message::new(Mti::NETWORK)).unwrap_err();
        assert_eq!(error.place, Place::Message);
    }
}
