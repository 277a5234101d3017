//! The mistake that all of this is about, on purpose: a door that does the card's work, as far as the SMS, before it answers. The measurement
//! must find it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ramz_domain::card::{Answer, Command, Mark, PinRequest as Ask, Requested};
use ramz_domain::{AdmissionId, ChallengeId, Digest, Moment, Pan, PaymentKind, Rial};
use ramz_issuer::engine::Engine;
use ramz_keys::{KeyVersion, Keys as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::bank::Bank;
use crate::line::{Line, message};

/// A door in front of the issuer's. It ends with the test.
pub(crate) async fn door(bank: &Bank, engine: Arc<Engine>, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (now, key_version, operator) = (bank.now(), bank.soft.pin_version(), Arc::clone(&bank.operator));
    tokio::spawn(async move {
        loop {
            let (mut asker, _) = listener.accept().await.unwrap();
            let (engine, operator) = (Arc::clone(&engine), Arc::clone(&operator));
            let mut line = Line::to(to).await;
            asker.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                while let Ok(Some(request)) = message(&mut asker).await {
                    let text = String::from_utf8_lossy(&request);
                    let digits = text.split(r#""pan":""#).nth(1).and_then(|rest| rest.split('"').next());
                    let pan = Pan::parse(digits.unwrap()).unwrap();
                    if let Some(found) = engine.find(&pan).await.unwrap() {
                        let before = operator.attempts();
                        let answer = engine.tell(found.card, work(now, key_version)).await.unwrap();
                        if matches!(answer, Answer::Requested(Requested::Sent(_))) {
                            while operator.attempts() == before {
                                sleep(Duration::from_millis(1)).await;
                            }
                        }
                    }
                    line.0.write_all(&request).await.unwrap();
                    let answer = message(&mut line.0).await.unwrap().unwrap();
                    asker.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    address
}

/// The card's work of a request.
fn work(now: Moment, key_version: KeyVersion) -> Command {
    static NTH: AtomicU64 = AtomicU64::new(1);
    let nth = NTH.fetch_add(1, Ordering::SeqCst);
    let mut name = [0; 16];
    name[8..].copy_from_slice(&nth.to_be_bytes());
    let payee = Digest::of(&[b"the leaky door's"]);
    Command::Request(Ask {
        admission: AdmissionId(name),
        payment: Digest::of(&[&name]),
        payee,
        kind: PaymentKind::Purchase,
        amount: Rial::new(1_000).unwrap(),
        payee_name: None,
        origin: None,
        fresh: ChallengeId(name),
        key_version,
        not_after: now.plus(Duration::from_secs(120)),
        door: Mark::of(&[b"payee", &payee.0]),
        withheld: None,
    })
}
