//! A card in a test's hands: commands by short names, and keys that are a table of names.

use std::time::Duration;

use ramz_domain::card::*;
use ramz_domain::{
    ActivationId, AdmissionId, ChallengeId, Digest, Language, Moment, PayeeName, PaymentKind, Refusal, Rial,
};

const EXPIRY: ExpiryTag = ExpiryTag { version: 1, bytes: [7; 32] };

/// That many seconds after the test began.
pub(crate) fn second(s: u64) -> Moment {
    Moment::from_unix_ms(1_700_000_000_000 + s * 1000)
}

/// The mark of a transaction's short name.
pub(crate) fn mark(name: &str) -> Mark {
    Mark::of(&[name.as_bytes()])
}

/// What its reversal is found by.
pub(crate) fn reversal(transaction: &str) -> Mark {
    Mark::of(&[b"reversal", transaction.as_bytes()])
}

/// `A` and `A+1` have the same payee and another amount. `A@x` is A asked for at door x; without one the payee is the door.
fn payment(name: &str) -> Digest {
    Digest::of(&[b"payment", name.split('@').next().unwrap_or("").as_bytes()])
}

fn payee(name: &str) -> Digest {
    Digest::of(&[b"payee", name.split(['+', '@']).next().unwrap_or("").as_bytes()])
}

fn door(name: &str) -> Mark {
    let payee = name.split('+').next().unwrap_or("");
    mark(name.split_once('@').map_or(payee, |(_, door)| door))
}

/// The name of the PIN that a text of this name is answered with.
fn texted(name: &str) -> ChallengeId {
    ChallengeId(Mark::of(&[b"texted", name.as_bytes()]).0)
}

/// A payment with a PIN.
#[derive(Clone, Debug)]
pub(crate) struct Pay {
    payment: String,
    transaction: String,
    /// The payment whose PIN is typed; `None`: a wrong PIN.
    pin_of: Option<String>,
    expiry_matches: bool,
    door: String,
    rial: u64,
    kind: PaymentKind,
}

impl Pay {
    pub(crate) fn with(payment: &str, transaction: &str, pin_of: &str) -> Pay {
        let door = "door".to_owned();
        let (payment, transaction) = (payment.to_owned(), transaction.to_owned());
        let (rial, kind) = (1000, PaymentKind::Purchase);
        Pay { payment, transaction, pin_of: Some(pin_of.to_owned()), expiry_matches: true, door, rial, kind }
    }

    pub(crate) fn right(payment: &str, transaction: &str) -> Pay {
        Pay::with(payment, transaction, payment)
    }

    pub(crate) fn wrong(payment: &str, transaction: &str) -> Pay {
        Pay { pin_of: None, ..Pay::right(payment, transaction) }
    }

    pub(crate) fn with_wrong_expiry(self) -> Pay {
        Pay { expiry_matches: false, ..self }
    }

    /// With the PIN that was texted back to a text of this name.
    pub(crate) fn texted(text: &str, transaction: &str) -> Pay {
        Pay::with("A", transaction, &format!("text {text}"))
    }

    pub(crate) fn of_rial(self, rial: u64) -> Pay {
        Pay { rial, ..self }
    }

    pub(crate) fn for_a(self, kind: PaymentKind) -> Pay {
        Pay { kind, ..self }
    }

    pub(crate) fn at_door(self, door: &str) -> Pay {
        Pay { door: door.to_owned(), ..self }
    }

    fn command(&self) -> Command {
        Command::Authorise(Authorisation {
            identity: mark(&self.transaction),
            contents: vec![Mark::of(&[b"content", self.payment.as_bytes()])],
            reversal: reversal(&self.transaction),
            reference: Some(Mark::of(&[b"rrn", self.transaction.as_bytes()])),
            payments: vec![payment(&self.payment)],
            kind: self.kind,
            amount: Rial::new(self.rial).unwrap(),
            door: Mark::of(&[self.door.as_bytes()]),
            transmitted: Some(1_124_015_244),
        })
    }
}

#[derive(Clone)]
pub(crate) struct Card {
    state: CardState,
    pub(crate) policy: Policy,
    now: Moment,
    requests: u32,
    compared: u32,
    pub(crate) entries: Vec<Entry>,
    pub(crate) notices: Vec<Notice>,
}

/// What the bank knows of a card of the tests.
pub(crate) fn details(status: CardStatus, has_phone: bool) -> CardDetails {
    CardDetails {
        status,
        language: Language::Persian,
        expiry: EXPIRY,
        has_phone,
        product: None,
        consent: None,
        limits: CardLimits::default(),
    }
}

impl Card {
    pub(crate) fn new(status: CardStatus, has_phone: bool) -> Card {
        let (state, _) = CardState::create(details(status, has_phone), second(0));
        Card {
            state,
            policy: Policy::default(),
            now: second(0),
            requests: 0,
            compared: 0,
            entries: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// A card as a row says.
    pub(crate) fn of(state: CardState) -> Card {
        Card { state, ..Card::active() }
    }

    pub(crate) fn active() -> Card {
        Card::new(CardStatus::Active, true)
    }

    pub(crate) fn state(&self) -> &CardState {
        &self.state
    }

    pub(crate) fn failures(&self) -> u32 {
        self.state.failures()
    }

    pub(crate) fn compared(&self) -> u32 {
        self.compared
    }

    pub(crate) fn now(&self) -> u64 {
        self.state.at(Moment::default()).now().unix_ms()
    }

    pub(crate) fn clock(&self) -> Moment {
        self.now
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.state.locked(&self.policy, self.now).is_some()
    }

    pub(crate) fn advance(&mut self, s: u64) {
        self.now = second(s);
    }

    pub(crate) fn advance_by(&mut self, s: u64) {
        self.now = self.now.plus(Duration::from_secs(s));
    }

    pub(crate) fn ask(&mut self, name: &str, s: u64) -> String {
        self.now = second(s);
        self.ask_now(name)
    }

    pub(crate) fn ask_now(&mut self, name: &str) -> String {
        self.requests += 1;
        let admission = format!("request {}", self.requests);
        self.request(name, &admission)
    }

    pub(crate) fn ask_as(&mut self, name: &str, admission: &str, s: u64) -> String {
        self.now = second(s);
        self.request(name, admission)
    }

    fn request(&mut self, name: &str, admission: &str) -> String {
        let fresh = Mark::of(&[b"challenge", name.as_bytes(), admission.as_bytes()]);
        self.tell(&Command::Request(PinRequest {
            admission: AdmissionId(mark(admission).0),
            payment: payment(name),
            payee: payee(name),
            kind: PaymentKind::Purchase,
            amount: Rial::new(1000).unwrap(),
            payee_name: Some(PayeeName::parse("shop").unwrap()),
            origin: None,
            fresh: ChallengeId(fresh.0),
            key_version: 1,
            not_after: self.now.plus(Duration::from_secs(120)),
            door: door(name),
            withheld: None,
        }))
    }

    pub(crate) fn text(&mut self, name: &str, s: u64) -> String {
        self.now = second(s);
        self.text_now(name)
    }

    pub(crate) fn text_now(&mut self, name: &str) -> String {
        self.tell(&Command::Text(TextRequest {
            admission: AdmissionId(mark(name).0),
            fresh: texted(name),
            key_version: 1,
            not_after: self.now.plus(Duration::from_secs(120)),
        }))
    }

    pub(crate) fn switch(&mut self, service: Service) -> String {
        self.tell(&Command::Switch { service, fresh: ActivationId([3; 16]), key_version: 1 })
    }

    pub(crate) fn update(&mut self, details: CardDetails, phone_changed: bool) -> String {
        self.tell(&Command::Update { details, phone_changed })
    }

    pub(crate) fn pay(&mut self, pay: Pay, s: u64) -> String {
        self.now = second(s);
        self.pay_now(pay)
    }

    pub(crate) fn pay_now(&mut self, pay: Pay) -> String {
        let command = pay.command();
        let at = self.state.at(self.now);
        let candidates = at.candidates(&command, pay.expiry_matches, &self.policy);
        self.compared += u32::from(!candidates.is_empty());
        let right = pay.pin_of.as_deref().map(payment);
        let texted = pay.pin_of.as_deref().and_then(|pin| pin.strip_prefix("text ")).map(texted);
        let right = |c: &&Candidate| Some(c.payment) == right || Some(c.id) == texted;
        let matched = candidates.iter().filter(right).map(|c| c.id).collect();
        self.decide(&command, &Evidence { expiry_matches: pay.expiry_matches, matched })
    }

    pub(crate) fn host(&mut self, transaction: &str, code: &str) {
        let answer = HostAnswer { response_code: code.into(), authorisation_code: None, reference: None };
        self.tell(&Command::HostAnswered { identity: mark(transaction), answer });
    }

    pub(crate) fn host_with_references(&mut self, transaction: &str) {
        let answer = HostAnswer {
            response_code: "00".into(),
            authorisation_code: Some("123456".into()),
            reference: Some("123456789012".into()),
        };
        self.tell(&Command::HostAnswered { identity: mark(transaction), answer });
    }

    pub(crate) fn host_says(&mut self, transaction: &str, code: &str) -> String {
        let answer = HostAnswer { response_code: code.into(), authorisation_code: None, reference: None };
        self.tell(&Command::HostAnswered { identity: mark(transaction), answer })
    }

    pub(crate) fn give_up(&mut self, transaction: &str) -> String {
        self.tell(&Command::GiveUp { identity: mark(transaction) })
    }

    /// The PIN that is open for a payment is not handed over.
    pub(crate) fn withhold(&mut self, name: &str) -> String {
        let open = self.state.open(self.now).find(|open| open.payment == payment(name)).map(|open| open.id);
        let challenge = open.unwrap_or(ChallengeId([0; 16]));
        self.tell(&Command::Withhold { challenge, why: NotSent::PhoneLimit })
    }

    pub(crate) fn withhold_texted(&mut self, name: &str) -> String {
        self.tell(&Command::Withhold { challenge: texted(name), why: NotSent::PhoneLimit })
    }

    pub(crate) fn reverse(&mut self, transaction: &str, s: u64) -> String {
        self.now = second(s);
        self.reverse_now(transaction)
    }

    pub(crate) fn reverse_now(&mut self, transaction: &str) -> String {
        self.tell(&Command::Reverse { reversal: reversal(transaction), reference: None })
    }

    pub(crate) fn set_status(&mut self, status: CardStatus, phone_changed: bool) -> String {
        self.tell(&Command::Update { details: details(status, true), phone_changed })
    }

    pub(crate) fn fail_until_closed(&mut self) {
        for n in 0..20 {
            self.advance_by(25 * 3600);
            self.ask_now("A");
            self.pay_now(Pay::wrong("A", &format!("x{n}")));
        }
        self.advance_by(25 * 3600);
    }

    pub(crate) fn tell(&mut self, command: &Command) -> String {
        self.decide(command, &Evidence::default())
    }

    fn decide(&mut self, command: &Command, evidence: &Evidence) -> String {
        let decided = self.state.at(self.now).decide(command, evidence, &self.policy);
        if let Some(next) = &decided.next {
            let bytes = next.encode().unwrap();
            self.state = CardState::decode(&bytes).unwrap();
            assert_eq!(&self.state, next, "a row reads back as it was written");
        } else {
            assert!(decided.entries.is_empty(), "nothing is journalled that is not committed");
        }
        self.entries.extend(decided.entries.clone());
        self.notices.extend(decided.notices.clone());
        said(&decided)
    }
}

/// What was decided, in a few words.
fn said(decided: &Decided) -> String {
    let refused = |r: Refusal| format!("{} {}", r.response_code(), r.code());
    match &decided.answer {
        Answer::Requested(Requested::Sent(id)) => format!("sent {}", &id.to_string()[..8]),
        Answer::Requested(Requested::AlreadyServed) => "already served".into(),
        Answer::Requested(Requested::NotSent(why)) => format!("not sent: {why:?}"),
        Answer::AskHost { repeat: false, pin: PinKind::Static, .. } => "ask host, static".into(),
        Answer::AskHost { repeat: true, pin: PinKind::Static, .. } => "ask host again, static".into(),
        Answer::AskHost { repeat: false, .. } => "ask host".into(),
        Answer::AskHost { repeat: true, .. } => "ask host again".into(),
        Answer::Again(answer) if decided.undo.is_some() => {
            format!("{}, ours to reverse", answer.response_code)
        }
        Answer::Again(answer) => format!("{} as before", answer.response_code),
        Answer::Refused(refusal) => refused(*refusal),
        Answer::ReversedByUs => "reversed by us".into(),
        Answer::Reversed { known } => {
            format!("reversed, original {}", if *known { "known" } else { "unknown" })
        }
        Answer::Done => "done".into(),
        Answer::NotAwaited if decided.undo.is_some() => "not awaited, ours to reverse".into(),
        Answer::NotAwaited => "not awaited".into(),
    }
}
