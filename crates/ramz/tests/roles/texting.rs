//! PINs by texting with a process: activated over ISO 8583, texted over SMPP, paid. What was taken outlives `kill -9`.

use ramz_domain::Phone;
use ramz_sms::port::SmsText;

use crate::processes::bank::{Bank, EXPIRY, FIRST_PIN, IIN, OPERATOR, SHORT_CODE, card, payee};
use crate::processes::until;
use crate::processes::wires::pan;

const PHONE: &str = "09120001101";

/// The PINs that have come to the phone, oldest first.
fn pins(bank: &Bank) -> Vec<String> {
    let messages = bank.handsets.messages(&Phone::parse(PHONE).unwrap());
    let line = |text: &str| text.lines().find_map(|line| line.strip_prefix("رمز:")).map(str::to_owned);
    messages.iter().filter_map(|message| line(message.text.expose())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_was_taken_outlives_kill_9() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let pan = pan(IIN, 1);
    bank.account(&pan);
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let switch = bank.switch();
    switch.link.came_up().await;
    let service = payee().service(pan.expose(), "911000", 1);
    assert_eq!(switch.pay(switch.with_pin(service, FIRST_PIN)).await, "00");

    let text = || {
        let words = SmsText::new(pan.last_four().to_owned());
        bank.smsc.text(&Phone::parse(PHONE).unwrap(), SHORT_CODE, &words).unwrap();
    };
    text();
    let first = until("a PIN comes", async || pins(&bank).pop()).await;
    let payment = payee().payment(pan.expose(), EXPIRY, 900_000, 2);
    assert_eq!(switch.pay(switch.with_pin(payment, &first)).await, "00");

    // The operator takes the PIN's SMS in and does not answer it: the text was taken, and its PIN is on its way.
    bank.smsc.hold();
    let taken = bank.smsc.texts_told().0;
    text();
    until("the text is taken", async || (bank.smsc.texts_told().0 > taken).then_some(())).await;
    issuer.kill();
    bank.smsc.release();
    let _again = bank.start();
    bank.ready().await;
    bank.smsc.deliver_again();
    let second = until("a PIN comes", async || pins(&bank).pop().filter(|pin| *pin != first)).await;
    switch.link.came_up().await;
    let payment = payee().payment(pan.expose(), EXPIRY, 900_000, 3);
    assert_eq!(switch.pay(switch.with_pin(payment, &second)).await, "00");
}
