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

/// A delivery receipt; `None` for one that is not the end.
pub(super) fn receipt(context: &Context, deliver: &DeliverSm, state: Option<&'static str>) {
    if !context.tap.watches() {
        return;
    }
    let fields = [("source_addr", masked(deliver)), ("receipt", state.unwrap_or("on the way").to_owned())];
    tell(context, From::Smsc, "deliver_sm", &fields);
}

/// A text from a phone.
pub(super) fn texted(context: &Context, deliver: &DeliverSm) {
    if !context.tap.watches() {
        return;
    }
    let length = format!("… {} octets", deliver.sm_length());
    tell(context, From::Smsc, "deliver_sm", &[("source_addr", masked(deliver)), ("short_message", length)]);
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
