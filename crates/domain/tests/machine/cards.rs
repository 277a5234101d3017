//! A card in a test's hands: commands by short names, and keys that are a table of names.

use std::time::Duration;

use ramz_domain::card::*;
use ramz_domain::{
    ActivationId, AdmissionId, ChallengeId, DeviceId, Digest, Language, Moment, PayeeName, PaymentKind,
    Refusal, Rial, TokenId,
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

/// The same without its transmission time.
fn trace(transaction: &str) -> Mark {
    Mark::of(&[b"trace", transaction.as_bytes()])
}

/// The mark of a retrieval reference.
fn reference_mark(name: &str) -> Mark {
    Mark::of(&[b"rrn", name.as_bytes()])
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
    /// As its transaction, if it has none of its own.
    reference: Option<String>,
    /// A repeat with a transmission time of its own.
    sent_at: Option<String>,
    /// The payment whose PIN is typed; `None`: a wrong PIN.
    pin_of: Option<String>,
    expiry_matches: bool,
    door: String,
    rial: u64,
    kind: PaymentKind,
    slot: Slot,
    code: Option<Code>,
}

/// A code that a token computes: of the minute that many after the first, with a step of the ceiling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Code {
    pub(crate) token: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) minute: i64,
    pub(crate) ceiling: u8,
}

impl Code {
    pub(crate) fn control(token: &'static str, minute: i64) -> Code {
        Code { token, purpose: Purpose::Control, minute, ceiling: 0 }
    }

    fn is(self, found: &CodeFound) -> bool {
        let step = step_at(second(0)).checked_add_signed(self.minute).unwrap();
        *found == CodeFound { token: token(self.token), purpose: self.purpose, step, ceiling: self.ceiling }
    }

    /// Where it is among ranges.
    fn among(self, ranges: &[CodeRange]) -> Vec<CodeFound> {
        let each = |range: &CodeRange| {
            let (token, purpose, ceilings) = (range.token, range.purpose, range.ceilings);
            let at =
                move |step| (0..=ceilings).map(move |ceiling| CodeFound { token, purpose, step, ceiling });
            range.steps.clone().flat_map(at).collect::<Vec<_>>()
        };
        ranges.iter().flat_map(each).filter(|found| self.is(found)).collect()
    }
}

/// A token of that name.
pub(crate) fn token(name: &str) -> TokenId {
    TokenId(mark(name).0)
}

/// The device that a token of that name is on.
pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId(Mark::of(&[b"device", name.as_bytes()]).0)
}

impl Pay {
    pub(crate) fn with(payment: &str, transaction: &str, pin_of: &str) -> Pay {
        let door = "door".to_owned();
        let (payment, transaction) = (payment.to_owned(), transaction.to_owned());
        let (rial, kind) = (1000, PaymentKind::Purchase);
        Pay {
            payment,
            transaction,
            reference: None,
            sent_at: None,
            pin_of: Some(pin_of.to_owned()),
            expiry_matches: true,
            door,
            rial,
            kind,
            slot: Slot::Second,
            code: None,
        }
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

    /// With a code of the token "phone", at the second PIN's slot.
    pub(crate) fn code(transaction: &str, minute: i64, ceiling: u8) -> Pay {
        let code = Code { token: "phone", purpose: Purpose::SecondPin, minute, ceiling };
        Pay { code: Some(code), ..Pay::wrong("A", transaction) }
    }

    pub(crate) fn first(self) -> Pay {
        let code = self.code.map(|code| Code { purpose: Purpose::FirstPin, ..code });
        Pay { slot: Slot::First, code, ..self }
    }

    pub(crate) fn with_code(self, code: Code) -> Pay {
        Pay { code: Some(code), ..self }
    }

    pub(crate) fn at_door(self, door: &str) -> Pay {
        Pay { door: door.to_owned(), ..self }
    }

    pub(crate) fn sent_at(self, time: &str) -> Pay {
        Pay { sent_at: Some(format!("{} at {time}", self.transaction)), ..self }
    }

    pub(crate) fn of_reference(self, reference: &str) -> Pay {
        Pay { reference: Some(reference.to_owned()), ..self }
    }

    fn command(&self) -> Command {
        Command::Authorise(self.authorisation())
    }

    fn authorisation(&self) -> Authorisation {
        Authorisation {
            identity: mark(&self.transaction),
            contents: vec![Mark::of(&[b"content", self.payment.as_bytes()])],
            reversal: self.sent_at.as_deref().map_or_else(|| reversal(&self.transaction), reversal),
            trace: Some(trace(&self.transaction)),
            reference: Some(reference_mark(self.reference.as_ref().unwrap_or(&self.transaction))),
            payments: vec![payment(&self.payment)],
            slot: self.slot,
            kind: Some(self.kind),
            amount: Rial::new(self.rial).unwrap(),
            door: Mark::of(&[self.door.as_bytes()]),
            transmitted: Some(1_124_015_244),
        }
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

    /// The node's clock is set back.
    pub(crate) fn set_back_by(&mut self, s: u64) {
        self.now = self.now.minus(Duration::from_secs(s));
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
        self.present(&pay, &command)
    }

    /// A first PIN at a terminal, for a service.
    pub(crate) fn prove(&mut self, pay: Pay, static_too: bool, s: u64) -> String {
        self.now = second(s);
        self.prove_now(pay, static_too)
    }

    pub(crate) fn prove_now(&mut self, pay: Pay, static_too: bool) -> String {
        let authorisation = Authorisation { amount: Rial::ZERO, ..pay.authorisation() };
        self.present(&pay, &Command::Prove { authorisation, static_too })
    }

    fn present(&mut self, pay: &Pay, command: &Command) -> String {
        let at = self.state.at(self.now);
        let expiry_matches = pay.expiry_matches;
        let candidates = at.candidates(command, expiry_matches, &self.policy);
        let ranges = at.codes(command, expiry_matches, &self.policy);
        self.compared += u32::from(!candidates.is_empty() || !ranges.is_empty());
        let codes = pay.code.map_or(Vec::new(), |code| code.among(&ranges));
        let right = pay.pin_of.as_deref().map(payment);
        let texted = pay.pin_of.as_deref().and_then(|pin| pin.strip_prefix("text ")).map(texted);
        let right = |c: &&Candidate| Some(c.payment) == right || Some(c.id) == texted;
        let matched: Vec<_> = candidates.iter().filter(right).map(|c| c.id).collect();
        let far = match pay.code.filter(|_| matched.is_empty() && codes.is_empty()) {
            Some(code) => code.among(&at.far_codes(command, expiry_matches, &self.policy)),
            None => Vec::new(),
        };
        self.decide(command, &Evidence { expiry_matches, matched, codes, far, ..Evidence::default() })
    }

    /// Puts the card on a device of that name.
    pub(crate) fn add_token(&mut self, name: &str) -> String {
        self.add_token_with(name, name)
    }

    pub(crate) fn add_token_with(&mut self, name: &str, seed: &str) -> String {
        let column = self.state.free_seed_column().unwrap_or(0);
        let new = NewToken { id: token(name), device: device(name), column, seed: mark(seed) };
        self.app(AppCommand::Add(new), &[])
    }

    /// Something of the app, with control codes.
    pub(crate) fn app(&mut self, app: AppCommand, codes: &[Code]) -> String {
        let command = Command::App(app);
        let ranges = self.state.at(self.now).codes(&command, true, &self.policy);
        let among = |at: usize| codes.get(at).map_or(Vec::new(), |code: &Code| code.among(&ranges));
        let (codes, next, presented) = (among(0), among(1), !codes.is_empty());
        self.decide(&command, &Evidence { codes, next, presented, ..Evidence::default() })
    }

    pub(crate) fn host(&mut self, transaction: &str, code: &str) {
        let answer = HostAnswer::of(code);
        self.tell(&Command::HostAnswered { identity: mark(transaction), answer });
    }

    /// An answer with all that is kept of one.
    pub(crate) fn host_with_all(&mut self, transaction: &str) {
        let answer = HostAnswer {
            response_code: "10".into(),
            authorisation_code: Some("123456".into()),
            reference: Some("123456789012".into()),
            amount: Some(Rial::new(999_999_999_999).unwrap()),
            more: true,
        };
        self.tell(&Command::HostAnswered { identity: mark(transaction), answer });
    }

    pub(crate) fn host_says(&mut self, transaction: &str, code: &str) -> String {
        let answer = HostAnswer::of(code);
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
        let (original, trace) = (reversal(transaction), Some(trace(transaction)));
        self.tell(&Command::Reverse(Reversal { original, trace, reference: None, itself: None }))
    }

    /// By its reference alone, with a reversal of that name.
    pub(crate) fn reverse_by_reference(&mut self, reference: &str, itself: &str, s: u64) -> String {
        self.now = second(s);
        let original = reference_mark(reference);
        self.tell(&Command::Reverse(Reversal {
            original,
            trace: None,
            reference: Some(original),
            itself: Some(mark(itself)),
        }))
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
        Answer::Reversed { known: true, asked: true } => "reversed, original asked about".into(),
        Answer::Reversed { known, .. } => {
            format!("reversed, original {}", if *known { "known" } else { "unknown" })
        }
        Answer::NotDynamic => "the host's matter".into(),
        Answer::Done => "done".into(),
        Answer::NotAwaited if decided.undo.is_some() => "not awaited, ours to reverse".into(),
        Answer::NotAwaited => "not awaited".into(),
    }
}
