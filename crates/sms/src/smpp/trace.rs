//! What the tap is told: commands, statuses, lengths. Never a text, and a phone only masked.

use std::time::Duration;

use ramz_api::tap::Fact;
use ramz_domain::Phone;
use rusmpp::{CommandStatus, pdus::DeliverSm};

use super::{Context, pdu};
use crate::coding::{Alphabet, Part};

/// What may be told about a part.
#[derive(Clone)]
pub(super) struct Told {
    phone: String,
    alphabet: Alphabet,
    place: String,
    characters: usize,
    good_for: Duration,
}

impl Told {
    pub(super) fn new(to: &Phone, alphabet: Alphabet, part: &Part, of: usize, good_for: Duration) -> Told {
        let place = format!("{}/{of}", part.index);
        Told { phone: to.masked(), alphabet, place, characters: part.characters, good_for }
    }

    pub(super) fn submit(&self, context: &Context) {
        let fields = [
            ("destination_addr", self.phone.clone()),
            ("data_coding", self.alphabet.name().to_owned()),
            ("parts", self.place.clone()),
            ("validity_period", format!("{} s", self.good_for.as_secs())),
            ("short_message", format!("… {} characters", self.characters)),
        ];
        tell(context, From::Bank, "submit_sm", &fields);
    }

    pub(super) fn answer(&self, context: &Context, status: CommandStatus) {
        let fields = [("command_status", pdu::status_name(status)), ("parts", self.place.clone())];
        tell(context, From::Smsc, "submit_sm_resp", &fields);
    }
}

/// A delivery receipt.
pub(super) fn receipt(context: &Context, deliver: &DeliverSm) {
    let text = deliver.short_message();
    let state = std::str::from_utf8(text).ok().and_then(receipt_state).unwrap_or("unknown");
    let fields = [("source_addr", masked(deliver)), ("receipt", state.to_owned())];
    tell(context, From::Smsc, "deliver_sm", &fields);
}

/// A text from a phone.
pub(super) fn texted(context: &Context, deliver: &DeliverSm) {
    let length = format!("… {} octets", deliver.sm_length());
    tell(context, From::Smsc, "deliver_sm", &[("source_addr", masked(deliver)), ("short_message", length)]);
}

/// The state in a receipt (SMPP 3.4, appendix B), if it is one of the standard's: anything else might be text.
fn receipt_state(text: &str) -> Option<&'static str> {
    let (_, after) = text.split_once("stat:")?;
    let states = ["DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "ENROUTE"];
    states.into_iter().find(|state| after.starts_with(state))
}

fn masked(deliver: &DeliverSm) -> String {
    let address = deliver.source_addr.as_str().trim_end_matches('\0');
    Phone::parse(address).map_or_else(|_| "***".to_owned(), |phone| phone.masked())
}

#[derive(Clone, Copy)]
enum From {
    Bank,
    Smsc,
}

fn tell(context: &Context, from: From, title: &str, fields: &[(&str, String)]) {
    let (bank, smsc) = (context.config.name.clone(), "smsc".to_owned());
    let (from, to) = match from {
        From::Bank => (bank, smsc),
        From::Smsc => (smsc, bank),
    };
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    context.tap.tell(Fact { from, to, wire: "SMPP", title: title.to_owned(), fields });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_states_are_told() {
        let text = |stat| {
            format!(
                "id:7 sub:001 dlvrd:001 submit date:2311141431 done date:2311141431 stat:{stat} err:000 text:رمز"
            )
        };
        assert_eq!(receipt_state(&text("DELIVRD")), Some("DELIVRD"));
        assert_eq!(receipt_state(&text("0472013")), None);
        assert_eq!(receipt_state("رمز:0472013"), None);
    }
}
