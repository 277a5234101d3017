//! A line that is connected and does not work: who does not read, who signed off and stays away.

use std::time::Duration;

use ramz_iso8583::{Message, Mti};
use ramz_link::{AskError, LinkConfig};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use crate::loopback::{Hand, PATIENCE, Pipes, approved, ask_over, config, nowhere, purchase};

const ECHO_EVERY: Duration = Duration::from_secs(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

fn watched(sign_on: bool) -> LinkConfig {
    LinkConfig { sign_on, echo_every: ECHO_EVERY, answer_timeout: ANSWER_TIMEOUT, ..config(nowhere()) }
}

async fn next(hosts: &mut UnboundedReceiver<DuplexStream>) -> Hand<DuplexStream> {
    Hand(timeout(2 * PATIENCE, hosts.recv()).await.expect("no new connection").unwrap())
}

fn of_the_network(kind: &str, trace: &str) -> Message {
    let mut message = Message::new(Mti::NETWORK);
    message.set(11, trace);
    message.set(70, kind);
    message
}

/// Its reader hangs, and the thread that echoes goes on.
#[tokio::test(start_paused = true)]
async fn who_speaks_and_does_not_listen_is_not_up() {
    let (pipes, mut hosts) = Pipes::new();
    let asked = ask_over(pipes, watched(false));
    let mut host = next(&mut hosts).await;
    host.agrees_to("301").await;
    asked.link.came_up().await;
    let speaking = tokio::spawn(async move {
        for trace in 1..=30 {
            sleep(Duration::from_secs(2)).await;
            host.write(&of_the_network("301", &format!("{trace:06}"))).await;
            // Answers that nobody waits for say nothing either.
            host.write(&approved(&purchase(trace))).await;
        }
        sleep(10 * PATIENCE).await;
    });
    let mut again = next(&mut hosts).await;
    assert!(!asked.link.is_up());
    again.agrees_to("301").await;
    asked.link.came_up().await;
    speaking.abort();
}

/// It has said that it is there, and takes no more bytes: no echo could tell for hours.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_connected_to_anew() {
    let far = Duration::from_secs(3600);
    let (pipes, mut hosts) = Pipes::new();
    let asked = ask_over(pipes, LinkConfig { echo_every: far, answer_timeout: far, ..watched(false) });
    let mut host = next(&mut hosts).await;
    host.agrees_to("301").await;
    asked.link.came_up().await;
    let mut long = purchase(1);
    for field in 60..=63 {
        long.set(field, [b'x'; 999]);
    }
    let second = Message::clone(&long);
    let _ = asked.link.ask(long, Duration::from_secs(1)).await;
    let lost = asked.link.ask(second, far).await;
    assert_eq!(lost, Err(AskError::Down), "it was never begun");
    let mut again = next(&mut hosts).await;
    again.agrees_to("301").await;
    asked.link.came_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_sign_off_right_behind_the_answer_to_a_sign_on_stands() {
    let (pipes, mut hosts) = Pipes::new();
    let asked = ask_over(pipes, watched(true));
    let mut host = next(&mut hosts).await;
    host.agrees_to("001").await;
    asked.link.came_up().await;
    assert_eq!(host.says("002").await.as_deref(), Some("00"));
    let sign_on = host.read().await;
    assert_eq!(sign_on.get(70), Some("001"));
    let frames = [approved(&sign_on), of_the_network("002", "000010")].map(|message| framed(&message));
    host.write_bytes(&frames.concat()).await;
    assert_eq!(host.read().await.get(11), Some("000010"));
    assert!(!asked.link.is_up());
    assert_eq!(asked.link.ask(purchase(1), PATIENCE).await, Err(AskError::Down));
    // And is asked about once more.
    host.agrees_to("001").await;
    asked.link.came_up().await;
}

/// Where nobody signs on, a new connection is what a sign-on is elsewhere.
#[tokio::test(start_paused = true)]
async fn who_signed_off_for_good_is_connected_to_anew() {
    let (pipes, mut hosts) = Pipes::new();
    let asked = ask_over(pipes, watched(false));
    let mut host = next(&mut hosts).await;
    host.agrees_to("301").await;
    asked.link.came_up().await;
    // One that comes back in time is let be.
    assert_eq!(host.says("002").await.as_deref(), Some("00"));
    sleep(ECHO_EVERY / 2).await;
    assert!(!asked.link.is_up());
    assert_eq!(host.says("001").await.as_deref(), Some("00"));
    assert!(asked.link.is_up());
    assert_eq!(host.says("002").await.as_deref(), Some("00"));
    let answering = tokio::spawn(async move {
        // It answers every echo meanwhile.
        while let Some(frame) = host.read_frame().await {
            let echo = ramz_iso8583::decode(&crate::loopback::ascii(), &frame).unwrap();
            host.write(&approved(&echo)).await;
        }
    });
    let mut again = next(&mut hosts).await;
    again.agrees_to("301").await;
    asked.link.came_up().await;
    answering.await.unwrap();
}

fn framed(message: &Message) -> Vec<u8> {
    let content = ramz_iso8583::encode(&crate::loopback::ascii(), message).unwrap();
    [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], &content].concat()
}
