//! A card as `ramz cards` shows it: a line for each thing, its name before it.

use ramz_api::back_office::{CardView, ServicesView, StaticPinView};
use ramz_domain::Rial;

pub(super) fn lines(card: &CardView) -> Vec<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let locked = match (card.locked, &card.locked_until) {
        (false, _) => "no".to_owned(),
        (true, Some(until)) => format!("until {until}"),
        (true, None) => "until it is unlocked".to_owned(),
    };
    let mut lines = vec![
        format!("card        {}", card.card),
        format!("number      {}", card.pan),
        format!("phone       {}", or_none(&card.phone)),
        format!("status      {}", card.status),
        format!("language    {}", card.language),
        format!("customer    {}", or_none(&card.customer)),
        format!("product     {}", or_none(&card.product)),
        format!("locked      {locked}"),
        format!("wrong PINs  {} in a row", card.failures),
        format!("open PINs   {}", card.open_pins),
        format!("SMS         {}", sms(card)),
        format!("services    {}", services(&card.services)),
        format!("texted PIN  {}", at_most(card.sms_pin_max)),
        format!("static PIN  {}", static_pin(&card.static_pin)),
    ];
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
