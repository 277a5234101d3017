//! A card as `ramz cards` shows it: a line for each thing, its name before it.

use ramz_api::back_office::{CardView, ServicesView, StaticPinView, TriesView};
use ramz_domain::Rial;

pub(super) fn lines(card: &CardView) -> Vec<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![
        format!("card        {}", card.card),
        format!("number      {}", card.pan),
        format!("phone       {}", or_none(&card.phone)),
        format!("status      {}", card.status),
        format!("language    {}", card.language),
        format!("customer    {}", or_none(&card.customer)),
        format!("product     {}", or_none(&card.product)),
        format!("locked      {}", locked(card)),
        format!("wrong PINs  {}", wrong(card)),
    ];
    lines.extend(other_tries(card));
    lines.extend([
        format!("open PINs   {}", card.open_pins),
        format!("SMS         {}", sms(card)),
        format!("services    {}", services(&card.services)),
        format!("texted PIN  {}", at_most(card.sms_pin_max)),
        format!("static PIN  {}", static_pin(&card.static_pin)),
    ]);
    if card.devices.is_empty() {
        lines.push("devices     none".to_owned());
    }
    for device in &card.devices {
        // Its holder's word: it must not speak to the terminal.
        let name: String = device.name.chars().filter(|c| !c.is_control()).collect();
        lines.push(format!("device      {} since {}: {name}", device.id, device.since));
    }
    lines
}

/// The second PIN: a lock of another use of a PIN must not read as none.
fn locked(card: &CardView) -> String {
    let first = card.first_pin_tries.as_ref().filter(|_| card.services.first_pin);
    let mut others = first.into_iter().chain(&card.control_tries);
    match card.locked {
        true if card.locked_by_bank => "by the bank, until it is unlocked".to_owned(),
        true => until(&card.locked_until),
        false if others.any(|tries| tries.locked) => "not the second PIN".to_owned(),
        false => "no".to_owned(),
    }
}

/// What the bank's lock puts in the count's place is no guess of anybody's.
fn wrong(card: &CardView) -> String {
    match card.locked_by_bank {
        true => "not counted while the bank's lock lasts".to_owned(),
        false => format!("{} in a row", card.failures),
    }
}

fn until(locked_until: &Option<String>) -> String {
    locked_until.as_ref().map_or("until it is unlocked".to_owned(), |until| format!("until {until}"))
}

/// Nothing of an issuer that does not tell them.
fn other_tries(card: &CardView) -> Vec<String> {
    // A static first PIN is the card host's, whatever was counted before it was switched off.
    let first = card.first_pin_tries.as_ref().map(|counted| match card.services.first_pin {
        true => tries(counted),
        false => "static".to_owned(),
    });
    let first = first.map(|first| format!("first PIN   {first}"));
    let control = card.control_tries.as_ref().map(|counted| format!("control     {}", tries(counted)));
    [first, control].into_iter().flatten().collect()
}

fn tries(tries: &TriesView) -> String {
    if tries.locked_by_bank {
        return "locked by the bank".to_owned();
    }
    let locked = match tries.locked {
        true => format!("locked {}", until(&tries.locked_until)),
        false => "not locked".to_owned(),
    };
    format!("{locked}, {} wrong in a row", tries.failures)
}

fn sms(card: &CardView) -> String {
    let mut told = format!("{} in 24 hours whose PINs were not spent", card.unspent_sms);
    for (until, whose) in [(&card.sms_held_until, "card"), (&card.phone_held_until, "phone")] {
        if let Some(until) = until {
            told.push_str(&format!(", the {whose}'s limit is reached until {until}"));
        }
    }
    told
}

fn services(services: &ServicesView) -> String {
    let app = services.app_activation.as_ref().map(|since| format!("app activation open since {since}"));
    let sms = services.sms.then(|| "PINs by texting".to_owned());
    let first_pin = services.first_pin.then(|| "dynamic first PIN".to_owned());
    let on: Vec<String> = [sms, first_pin, app].into_iter().flatten().collect();
    if on.is_empty() { "none".to_owned() } else { on.join(", ") }
}

fn static_pin(pin: &StaticPinView) -> String {
    let consent = pin.consent.as_ref().map(|since| format!("accepted since {since}"));
    let consent = consent.unwrap_or_else(|| "not accepted".to_owned());
    format!("{consent}; {}, {} paid in 24 hours", at_most(pin.max), rial(pin.used_24h))
}

fn at_most(max: Option<u64>) -> String {
    max.map_or_else(|| "as much as the bank's rule is".to_owned(), |max| format!("at most {}", rial(max)))
}

fn rial(amount: u64) -> String {
    let words = Rial::new(amount).map_or_else(|_| amount.to_string(), Rial::with_commas);
    format!("{words} rial")
}

#[cfg(test)]
mod tests {
    use ramz_api::back_office::DeviceView;

    use super::*;

    fn card() -> CardView {
        CardView {
            card: "9f1c2ab04d6e4f7f8a1b2c3d4e5f6071".into(),
            pan: "610433******0016".into(),
            phone: None,
            status: "active".into(),
            language: "fa".into(),
            customer: Some("4711".into()),
            product: None,
            failures: 0,
            locked: false,
            locked_until: None,
            locked_by_bank: false,
            first_pin_tries: Some(TriesView::default()),
            control_tries: Some(TriesView::default()),
            open_pins: 0,
            unspent_sms: 0,
            sms_held_until: None,
            phone_held_until: None,
            services: ServicesView::default(),
            devices: Vec::new(),
            static_pin: StaticPinView::default(),
            sms_pin_max: None,
        }
    }

    #[test]
    fn what_is_not_there_is_said_to_be_none() {
        let told = lines(&card()).join("\n");
        for line in ["phone       none", "customer    4711", "services    none", "devices     none"] {
            assert!(told.contains(line), "{line}: {told}");
        }
        assert!(
            told.contains("static PIN  not accepted; as much as the bank's rule is, 0 rial paid in 24 hours")
        );
    }

    #[test]
    fn a_lock_of_another_use_of_a_pin_is_shown() {
        let until = Some("2026-11-24T02:07:44Z".to_owned());
        let first = TriesView { failures: 3, locked: true, locked_until: until, locked_by_bank: false };
        let services = ServicesView { first_pin: true, ..ServicesView::default() };
        let shown = CardView { services, first_pin_tries: Some(first), ..card() };
        let told = lines(&shown).join("\n");
        for line in [
            "locked      not the second PIN",
            "wrong PINs  0 in a row",
            "first PIN   locked until 2026-11-24T02:07:44Z, 3 wrong in a row",
            "control     not locked, 0 wrong in a row",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        // Its count stays when the last device goes, and locks nothing any more.
        let off = CardView { services: ServicesView::default(), ..shown };
        let told = lines(&off).join("\n");
        assert!(told.contains("locked      no\n") && told.contains("first PIN   static\n"), "{told}");
        let earlier = CardView { first_pin_tries: None, control_tries: None, ..card() };
        let told = lines(&earlier).join("\n");
        assert!(!told.contains("first PIN ") && !told.contains("control "), "what is not told: {told}");
    }

    #[test]
    fn the_banks_lock_does_not_read_like_guesses() {
        let tries = TriesView { failures: 20, locked: true, locked_until: None, locked_by_bank: true };
        let guessed = CardView {
            failures: 20,
            locked: true,
            services: ServicesView { first_pin: true, ..ServicesView::default() },
            ..card()
        };
        let told = lines(&guessed).join("\n");
        assert!(told.contains("locked      until it is unlocked\nwrong PINs  20 in a row"), "{told}");
        let shown = CardView {
            locked_by_bank: true,
            first_pin_tries: Some(tries.clone()),
            control_tries: Some(tries),
            ..guessed
        };
        let told = lines(&shown).join("\n");
        for line in [
            "locked      by the bank, until it is unlocked",
            "wrong PINs  not counted while the bank's lock lasts",
            "first PIN   locked by the bank",
            "control     locked by the bank",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        assert!(!told.contains("20"), "{told}");
    }

    #[test]
    fn services_limits_and_devices_are_shown() {
        let since = "2026-11-24T01:52:44Z".to_owned();
        let device = DeviceView { id: "d1".into(), name: "گوشی\u{1b}[2J".into(), since: since.clone() };
        let shown = CardView {
            services: ServicesView { sms: true, first_pin: true, app_activation: Some(since.clone()) },
            devices: vec![device],
            static_pin: StaticPinView { consent: Some(since), used_24h: 250_000, max: Some(500_000) },
            sms_pin_max: Some(2_000_000),
            ..card()
        };
        let told = lines(&shown).join("\n");
        for line in [
            "services    PINs by texting, dynamic first PIN, app activation open since 2026-11-24T01:52:44Z",
            "texted PIN  at most 2,000,000 rial",
            "static PIN  accepted since 2026-11-24T01:52:44Z; at most 500,000 rial, 250,000 rial paid in 24 hours",
            "device      d1 since 2026-11-24T01:52:44Z: گوشی[2J",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        assert!(!told.contains('\u{1b}') && !told.contains("devices"), "{told}");
    }
}
