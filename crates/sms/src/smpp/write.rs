//! The writing half of a line: what waits is gathered into one write.
//!
//! Gathering must not weaken what is promised of each submit: that its PIN had not run out when its bytes went, and that
//! whoever is told "not sent" is told the truth. So the clock is read for each PDU as it is gathered, and when the line does not
//! take all of a write there and then, the PDUs of which it took nothing are not kept for later: they go back to their
//! senders as not sent, who look at the clock, and for a bind, again.

use futures_util::FutureExt as _;
use ramz_api::net::BoxStream;
use ramz_domain::limits;
use tokio::{
    io::{AsyncWriteExt as _, WriteHalf},
    sync::{mpsc, oneshot},
    task::{unconstrained, yield_now},
    time::sleep,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    AGAIN_AFTER,
    line::{Line, Pending, Queued},
    session::{Job, Jobs, Part, Submitted},
};

/// What goes out in one write.
struct Gathered {
    /// Wiped after each write.
    bytes: Zeroizing<Vec<u8>>,
    /// The line has taken so many of them.
    taken: usize,
    /// The submits among them of which the line has taken nothing yet, in order. The answers of ours come before them.
    ahead: Vec<Ahead>,
    /// Why the session ends with this write, if it does.
    end: Option<&'static str>,
}

/// A submit that is gathered and not begun.
struct Ahead {
    start: usize,
    end: usize,
    sequence: u32,
    part: Part,
    answer: oneshot::Sender<Submitted>,
}

/// Writes until the line fails, or an answer of ours ends the session. Says why.
pub(super) async fn write(
    line: &Line<'_>,
    mut to: WriteHalf<BoxStream>,
    mut answers: mpsc::Receiver<Queued>,
    mut jobs: Jobs,
) -> String {
    let mut gathered = Gathered::new();
    loop {
        let job = tokio::select! {
            biased;
            Some(queued) = answers.recv() => {
                gathered.answer(queued);
                None
            }
            Some(job) = jobs.recv() => {
                // Whoever is about to queue as well comes into the same write.
                yield_now().await;
                Some(job)
            }
            else => return "nobody sends any more".into(),
        };
        while let Ok(queued) = answers.try_recv() {
            gathered.answer(queued);
        }
        if let Some(job) = job {
            gathered.submit(line, job);
        }
        while gathered.bytes.len() < limits::SMPP_WRITE_BYTES {
            let Ok(job) = jobs.try_recv() else { break };
            gathered.submit(line, job);
        }
        if let Err(error) = gathered.put(line, &mut to).await {
            gathered.give_back();
            return format!("writing failed: {error}");
        }
        if let Some(reason) = gathered.end {
            return reason.into();
        }
    }
}

impl Gathered {
    fn new() -> Gathered {
        // A PDU more than the bound, so that the bytes are never moved while they hold texts.
        let bytes = Zeroizing::new(Vec::with_capacity(limits::SMPP_WRITE_BYTES + super::pdu::PDU_BYTES_MAX));
        Gathered { bytes, taken: 0, ahead: Vec::new(), end: None }
    }

    fn answer(&mut self, (bytes, end): Queued) {
        self.bytes.extend_from_slice(&bytes);
        self.end = self.end.or(end);
    }

    /// The clock is read here, and the bytes go with the next write or not at all.
    fn submit(&mut self, line: &Line<'_>, job: Job) {
        let Job { mut part, handed, answer } = job;
        let sequence = line.fresh_sequence();
        let Some(bytes) = part.submit.aim(sequence, line.now(), part.not_after) else {
            // Nobody hears it if the caller has given up; that is fine.
            let _ = answer.send(Submitted::Expired);
            return;
        };
        if handed.send(()).is_err() {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.ahead.push(Ahead { start, end: self.bytes.len(), sequence, part, answer });
    }

    async fn put(&mut self, line: &Line<'_>, to: &mut WriteHalf<BoxStream>) -> std::io::Result<()> {
        let mut begun_to = self.ahead.first().map_or(self.bytes.len(), |first| first.start);
        while self.taken < self.bytes.len() {
            let rest = &self.bytes[self.taken..];
            let taken = if self.ahead.is_empty() {
                to.write(rest).await?
            } else if let Some(taken) = unconstrained(to.write(rest)).now_or_never() {
                taken?
            } else {
                // The line is full. What it has begun to take goes on; the rest goes back and does not wait here, where its
                // clock would not be read again.
                self.bytes[begun_to..].zeroize();
                self.bytes.truncate(begun_to);
                self.give_back();
                if self.taken == self.bytes.len() {
                    sleep(AGAIN_AFTER).await;
                }
                continue;
            };
            if taken == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            // Nothing is awaited before those that are begun are registered: their answers cannot be missed.
            self.taken += taken;
            let begun = self.ahead.iter().take_while(|ahead| ahead.start < self.taken).count();
            for Ahead { end, sequence, part, answer, .. } in self.ahead.drain(..begun) {
                begun_to = end;
                if let Some(told) = &part.told {
                    told.submit(line.context);
                }
                line.expect(sequence, Pending::Submit(answer, part.told));
            }
        }
        to.flush().await?;
        // What was gathered, and not all that there is room for: everything behind it was wiped before.
        self.bytes[..].zeroize();
        self.bytes.clear();
        self.taken = 0;
        Ok(())
    }

    fn give_back(&mut self) {
        for ahead in self.ahead.drain(..) {
            let _ = ahead.answer.send(Submitted::NotSent);
        }
    }
}
