//! What the shop sells, at prices on both sides of the static PIN's 1,000,000 rial.

use ramz_domain::{Language, Rial, digits};

/// One product. Its picture is the symbol of the same id in `goods.svg`.
#[derive(Debug)]
pub(super) struct Good {
    pub(super) id: &'static str,
    names: [&'static str; 2],
    details: [&'static str; 2],
    /// Rial.
    pub(super) price: u64,
}

impl Good {
    pub(super) fn name(&self, language: Language) -> &'static str {
        self.names[language as usize]
    }

    pub(super) fn detail(&self, language: Language) -> &'static str {
        self.details[language as usize]
    }
}

const fn good(id: &'static str, price: u64, names: [&'static str; 2], details: [&'static str; 2]) -> Good {
    Good { id, names, details, price }
}

/// All of them, in the order of the window.
pub(super) static GOODS: [Good; 6] = [
    good(
        "saffron",
        1_250_000,
        ["زعفران قائنات", "Qaenat saffron"],
        ["یک مثقال، سرگل", "One mesghal, all red threads"],
    ),
    good("tea", 250_000, ["چای لاهیجان", "Lahijan tea"], ["بسته‌ی ۱۰۰ گرمی", "100 g, spring harvest"]),
    good(
        "hafez",
        680_000,
        ["دیوان حافظ", "Divan of Hafez"],
        ["جلد پارچه‌ای، قطع جیبی", "Cloth binding, pocket size"],
    ),
    good(
        "pistachio",
        1_900_000,
        ["پسته‌ی رفسنجان", "Rafsanjan pistachios"],
        ["احمدآقایی، ۵۰۰ گرم", "Ahmad-Aghaei, 500 g"],
    ),
    good(
        "bowl",
        3_400_000,
        ["کاسه‌ی سفال میبد", "Meybod bowl"],
        ["لعاب فیروزه‌ای، دست‌ساز", "Turquoise glaze, made by hand"],
    ),
    good(
        "gabbeh",
        12_000_000,
        ["گبه‌ی شیراز", "Shiraz gabbeh"],
        ["پشم دست‌ریس، ۶۰ × ۹۰", "Hand-spun wool, 60 × 90 cm"],
    ),
];

/// The product with this id.
pub(super) fn find(id: &str) -> Option<&'static Good> {
    GOODS.iter().find(|good| good.id == id)
}

/// An amount as people write it: any digits, thousands apart in any way. Not zero.
pub(super) fn typed_amount(text: &str) -> Option<Rial> {
    if text.len() > 64 {
        return None;
    }
    let typed: String = digits::fold(text)
        .chars()
        .filter(|c| !matches!(c, ',' | '٬' | '،' | '.' | '_') && !c.is_whitespace())
        .collect();
    if typed.is_empty() || !typed.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Rial::new(typed.parse().ok()?).ok().filter(|rial| *rial != Rial::ZERO)
}

/// An amount as people read it, without its unit: `۱٬۲۵۰٬۰۰۰`, `1,250,000`.
pub(super) fn shown(rial: Rial, language: Language) -> String {
    match language {
        Language::Persian => digits::persian(&rial.with_commas().replace(',', "٬")),
        Language::English => rial.with_commas(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_reach_from_a_static_pin_to_a_dynamic_one() {
        let prices: Vec<u64> = GOODS.iter().map(|g| g.price).collect();
        assert_eq!((prices.iter().min(), prices.iter().max()), (Some(&250_000), Some(&12_000_000)));
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, expect) in [
            ("1250000", Some(1_250_000)),
            ("۱٬۲۵۰٬۰۰۰", Some(1_250_000)),
            (" 1,250,000 ", Some(1_250_000)),
            ("999999999999", Some(999_999_999_999)),
            ("1000000000000", None),
            ("0", None),
            ("", None),
            ("-5", None),
            ("1e6", None),
            ("99999999999999999999999999", None),
        ] {
            assert_eq!(typed_amount(text).map(Rial::get), expect, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_in_the_readers_digits() {
        let rial = Rial::new(1_250_000).unwrap();
        assert_eq!(shown(rial, Language::Persian), "۱٬۲۵۰٬۰۰۰");
        assert_eq!(shown(rial, Language::English), "1,250,000");
    }
}
