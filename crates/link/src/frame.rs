//! Frames: two bytes of big-endian length, an optional fixed header, the message. The length counts header and message;
//! a length of zero is a keep-alive and is passed over.
//!
//! The header's bytes are not compared on input (networks put addresses there that differ by direction), only its
//! length is. Not here: what a message says.

use std::borrow::Cow;
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
    #[error("no first message came in time")]
    NoMessage,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads frames. What came in is wiped when the reader is dropped.
pub(crate) struct FrameReader<R> {
    from: R,
    header: usize,
    idle: Option<Duration>,
    /// When the first message must be there.
    first_by: Option<Instant>,
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
            first_by: None,
            patience: FRAME_TIMEOUT,
            buffer: Zeroizing::new(vec![0; 2 * most]),
            start: 0,
            end: 0,
            begun: None,
        }
    }

    /// The first message must be whole after so long, whatever keep-alives come.
    pub(crate) fn first_within(mut self, patience: Duration) -> Self {
        self.first_by = Some(Instant::now() + patience);
        self
    }

    /// The next message, without length and header; empty if the frame is shorter than its header. `None` is the end
    /// of the connection between two frames. May be dropped and called again: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        loop {
            if let Some(message) = self.take()? {
                self.begun = None;
                self.first_by = None;
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
            let (deadline, late) = match self.first_by {
                Some(first_by) if deadline.is_none_or(|at| first_by < at) => {
                    (Some(first_by), FrameError::NoMessage)
                }
                _ => (deadline, late),
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

/// Fields that hold a message authentication code (ISO 8583:1987, 4.4.17): over everything before them.
const MACS: [u8; 2] = [64, 128];

/// The message without a code that came in with it and is not over the bytes that go out: somebody else's word for what was
/// never said. A code goes on with its bytes only; one that was set here is ours.
fn with_true_macs<'a>(layout: &Layout, message: &'a Message) -> Cow<'a, Message> {
    let carried = |field: &u8| message.span(*field).is_some();
    if !MACS.iter().any(carried) || message.is_as_read(layout) {
        return Cow::Borrowed(message);
    }
    let mut without = message.clone();
    for field in MACS.iter().filter(|field| carried(field)) {
        without.remove(*field);
    }
    Cow::Owned(without)
}

/// A message as a frame.
pub(crate) fn write(
    layout: &Layout,
    header: &[u8],
    message: &Message,
) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let message = Zeroizing::new(encode(layout, &with_true_macs(layout, message))?);
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
    use ramz_iso8583::{Mti, decode};

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

    #[tokio::test(start_paused = true)]
    async fn keep_alives_are_no_first_message() {
        // Whole ones, and such that one is always begun.
        for (at_first, again) in [(&b"\0\0"[..], b"\0\0"), (b"\0\0\0", b"\0\0")] {
            let minute = Duration::from_secs(60);
            let (near, mut far) = tokio::io::duplex(64);
            let mut reader = FrameReader::new(near, 0, Some(10 * minute)).first_within(minute);
            let alive = async {
                tokio::io::AsyncWriteExt::write_all(&mut far, at_first).await.unwrap();
                loop {
                    tokio::time::sleep(minute / 12).await;
                    tokio::io::AsyncWriteExt::write_all(&mut far, again).await.unwrap();
                }
            };
            tokio::select! {
                read = reader.next() => assert!(matches!(read, Err(FrameError::NoMessage))),
                () = alive => {}
                () = tokio::time::sleep(2 * minute) => panic!("it is read on"),
            }
        }
        // After it they are.
        let (near, mut far) = tokio::io::duplex(64);
        let mut reader =
            FrameReader::new(near, 0, Some(Duration::from_secs(90))).first_within(Duration::from_secs(60));
        tokio::io::AsyncWriteExt::write_all(&mut far, b"\0\x01a").await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        let later = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(80)).await;
                tokio::io::AsyncWriteExt::write_all(&mut far, b"\0\0").await.unwrap();
            }
            tokio::io::AsyncWriteExt::write_all(&mut far, b"\0\x01b").await.unwrap();
        };
        let (read, ()) = tokio::join!(reader.next(), later);
        assert!(read.unwrap().is_some());
    }

    #[test]
    fn a_message_is_written_behind_length_and_header() {
        let layout = Layout::named("ascii").unwrap();
        let frame = write(&layout, b"HD", &Message::new(Mti::NETWORK)).unwrap();
        assert_eq!(frame.as_slice(), b"\0\x16HD08000000000000000000");
        let error = write(&layout, &[0; 65_530], &Message::new(Mti::NETWORK)).unwrap_err();
        assert_eq!(error.place, Place::Message);
    }

    /// The fields of what is sent of a message that came in and was changed in this way.
    fn sent(layouts: [&str; 2], change: impl FnOnce(&mut Message)) -> (Vec<u8>, bool) {
        let [from, to] = layouts.map(|name| Layout::named(name).unwrap());
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(2, "6104337000000016");
        message.set(11, "000417");
        message.set(52, [7; 8]);
        message.set(64, [1; 8]);
        message.set(70, "301");
        message.set(128, [2; 8]);
        let mut read = decode(&from, &encode(&from, &message).unwrap()).unwrap();
        change(&mut read);
        let frame = write(&to, b"", &read).unwrap();
        let sent = decode(&to, &frame[2..]).unwrap();
        (sent.fields().collect(), frame[2..] == *read.raw())
    }

    #[test]
    fn a_mac_goes_on_with_its_bytes_only() {
        let whole = vec![2, 11, 52, 64, 70, 128];
        assert_eq!(sent(["bcd", "bcd"], |_| {}), (whole.clone(), true));
        assert_eq!(sent(["bcd", "bcd"], |message| message.set_mti(message.mti())), (whole, true));
        let without = |fields: &[u8]| (fields.to_vec(), false);
        assert_eq!(sent(["ascii", "bcd"], |_| {}), without(&[2, 11, 52, 70]));
        assert_eq!(sent(["ascii", "ascii"], |message| _ = message.remove(52)), without(&[2, 11, 70]));
        assert_eq!(sent(["bcd", "bcd"], |message| message.set(48, "02001D")), without(&[2, 11, 48, 52, 70]));
        assert_eq!(
            sent(["bcd", "bcd"], |message| message.set_mti(message.mti().repeat())),
            without(&[2, 11, 52, 70])
        );
        // The same content, set anew: nobody can tell that it is what the code was made over.
        assert_eq!(sent(["bcd", "bcd"], |message| message.set(52, [7; 8])), without(&[2, 11, 52, 70]));
        // A code of our own.
        let ours = sent(["bcd", "bcd"], |message| {
            message.remove(52);
            message.remove(128);
            message.set(64, [3; 8]);
        });
        assert_eq!(ours, without(&[2, 11, 64, 70]));
    }
}
