//! What is told to the tap: who, to whom, a title in plain words, the fields masked.

use ramz_api::tap::Fact;
use ramz_iso8583::{Message, MtiClass, masked, name};

use crate::network;

/// Who stands at the two ends of a wire, as a trace calls them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// This end: `bank mellat`.
    pub ours: String,
    /// The other end: `card host`.
    pub theirs: String,
}

impl Names {
    /// A message that goes out.
    pub(crate) fn sent(&self, message: &Message) -> Fact {
        fact(&self.ours, &self.theirs, message, "")
    }

    /// A message that came in.
    pub(crate) fn received(&self, message: &Message) -> Fact {
        fact(&self.theirs, &self.ours, message, "")
    }

    /// A message that came in and goes nowhere.
    pub(crate) fn dropped(&self, message: &Message, why: &str) -> Fact {
        fact(&self.theirs, &self.ours, message, why)
    }

    /// A frame that is no message: where it went wrong, without content.
    pub(crate) fn garbled(&self, error: &ramz_iso8583::DecodeError) -> Fact {
        Fact {
            from: self.theirs.clone(),
            to: self.ours.clone(),
            wire: "ISO 8583",
            title: "unreadable message".to_owned(),
            fields: vec![("error".to_owned(), error.to_string())],
        }
    }
}

fn fact(from: &str, to: &str, message: &Message, note: &str) -> Fact {
    let mut title = title(message);
    if !note.is_empty() {
        title = format!("{title} ({note})");
    }
    let fields =
        masked(message).into_iter().map(|(field, value)| (format!("{field} {}", name(field)), value));
    Fact { from: from.to_owned(), to: to.to_owned(), wire: "ISO 8583", title, fields: fields.collect() }
}

/// Type, what it is in words, and an answer's response code: `0210 purchase 55`.
pub(crate) fn title(message: &Message) -> String {
    let mti = message.mti();
    let kind = message.get(3).and_then(|code| code.get(..2));
    let words = match (mti.class(), kind) {
        (MtiClass::Network, _) => match message.get(70) {
            Some(network::SIGN_ON) => "sign-on",
            Some(network::SIGN_OFF) => "sign-off",
            Some(network::ECHO) => "echo",
            _ => "network",
        },
        (MtiClass::Reversal, _) => "reversal",
        (MtiClass::Administrative, _) => "terminal service",
        (MtiClass::Authorisation | MtiClass::Financial, Some(kind)) => match kind {
            "00" => "purchase",
            "01" => "withdrawal",
            "31" => "balance",
            "40" => "transfer",
            "50" => "bill",
            "51" => "top-up",
            _ => "transaction",
        },
        (MtiClass::Authorisation, None) => "authorisation",
        (MtiClass::Financial, None) => "transaction",
        _ => "message",
    };
    let repeat = if mti.is_repeat() { " repeat" } else { "" };
    match message.get(39).filter(|_| mti.is_response()) {
        Some(code) if code.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("{mti} {words}{repeat} {code}")
        }
        _ => format!("{mti} {words}{repeat}"),
    }
}

#[cfg(test)]
mod tests {
    use ramz_iso8583::Mti;

    use super::*;

    fn check(mti: &str, fields: &[(u8, &str)], expect: &str) {
        let mut message = Message::new(Mti::new(mti).unwrap());
        for (field, value) in fields {
            message.set(*field, *value);
        }
        assert_eq!(title(&message), expect);
    }

    #[test]
    fn a_title_says_in_words_what_goes_over_the_wire() {
        check("0200", &[(3, "000000")], "0200 purchase");
        check("0201", &[(3, "400000")], "0201 transfer repeat");
        check("0210", &[(3, "000000"), (39, "55")], "0210 purchase 55");
        check("0210", &[(39, "\n\n")], "0210 transaction");
        check("0420", &[(3, "000000")], "0420 reversal");
        check("0800", &[(70, "301")], "0800 echo");
        check("0810", &[(70, "001"), (39, "00")], "0810 sign-on 00");
        check("0600", &[(3, "900000")], "0600 terminal service");
        check("0999", &[], "0999 message repeat");
    }

    #[test]
    fn a_fact_is_masked() {
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(2, "6104337000000016");
        message.set(52, [0xAB; 8]);
        let names = Names { ours: "switch".into(), theirs: "bank".into() };
        let fact = names.sent(&message);
        assert_eq!((fact.from.as_str(), fact.to.as_str()), ("switch", "bank"));
        assert_eq!(
            fact.fields,
            [
                ("2 primary account number".to_owned(), "610433****0016".to_owned()),
                ("52 PIN data".to_owned(), "****".to_owned())
            ]
        );
    }
}
