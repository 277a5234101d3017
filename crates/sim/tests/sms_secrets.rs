//! What is logged and told by a bank's SMPP bind and the simulated operator, searched for what must not be in it.
//! A process of its own: the log is the whole process's.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "sms_end_to_end/lab.rs"]
mod lab;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use ramz_domain::{Language, Phone};
use ramz_sms::{
    port::{Sender as _, SmsText},
    texts::asked,
};
use rusmpp::CommandStatus;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

use lab::{Lab, PASSWORD, PHONE, purchase, until};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

/// Every crate at its most talkative, the codec's too: it must have nothing to say.
#[tokio::test]
async fn neither_log_nor_tap_nor_error_holds_text_phone_or_password() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (lab, smsc, bank) = Lab::bound().await;
    let mut said = Vec::new();
    for text in [purchase(Language::Persian), purchase(Language::English)] {
        said.push(format!("{:?}", bank.send(&text).await));
        smsc.refuse_next(CommandStatus::EsmeRinvdstadr);
        said.push(format!("{:?}", bank.send(&text).await));
        smsc.throttle_next(1);
        said.push(format!("{:?}", bank.send(&text).await));
        smsc.hold();
        let sending = tokio::spawn({
            let (bank, text) = (bank.clone(), text.clone());
            async move { bank.send(&text).await }
        });
        let before = smsc.submits_seen();
        until("it was seen", || smsc.submits_seen() > before).await;
        smsc.drop_connections();
        smsc.release();
        said.push(format!("{:?}", sending.await.unwrap()));
        until("the bank is bound again", || bank.sender.is_up()).await;
    }
    let phone = Phone::parse(PHONE).unwrap();
    let mut texts = bank.sender.texts().unwrap();
    smsc.text(&phone, "30003303", &SmsText::new("سلام 6104337000000016".into())).unwrap();
    let texted = texts.recv().await.unwrap();
    said.push(format!("{texted:?} {:?}", asked(&texted.words)));
    texted.taken.accept();
    until("the text from the phone was taken", || smsc.texts_told() == (1, 0)).await;
    until("the text from the phone was told", || {
        lab.tap.values("deliver_sm", "short_message").iter().any(|length| length.ends_with("octets"))
    })
    .await;
    assert!(lab.shown().len() >= 4, "texts did arrive");
    let stranger = lab.bank(lab.config_with("wr0ngpw"));
    until("a wrong password was refused", || smsc.binds_refused() > 0).await;
    until("and told", || format!("{:?}", stranger.sender.state()).contains("password")).await;
    said.push(format!("{:?} {:?}", stranger.sender.state(), stranger.send("رمز:0472013").await));
    said.push(format!("{:?} {:?}", lab.config(), lab.tap.facts()));

    let late = tokio::spawn({
        let bank = bank.clone();
        async move { bank.send("رمز:0472013").await }
    });
    lab.clock.advance(Duration::from_secs(120));
    said.push(format!("{:?}", late.await.unwrap()));
    bank.shutdown.cancel();
    until("it unbound", || smsc.bound() == 0).await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("bound to the SMSC") && log.contains("refused the password"), "{log}");
    let everything = log + &said.join("\n");
    for secret in
        ["0472013", "1,250,000", "ملت", "Sample", "رمز", "سلام", "610433", "1234567", PASSWORD, "wr0ngpw"]
    {
        assert!(!everything.contains(secret), "{secret}:\n{everything}");
    }
    // As bytes, the way codecs print them: "0472" as GSM-7, "رمز" as UCS-2, and the password.
    for bytes in [&b"0472"[..], &[0x06, 0x31, 0x06, 0x45], PASSWORD.as_bytes()] {
        let decimal = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>();
        for form in [decimal, hex.concat(), hex.join(", "), hex.join(" ")] {
            assert!(!everything.to_lowercase().contains(&form), "{form}:\n{everything}");
        }
    }
}
