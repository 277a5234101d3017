//! What kind of machine it is, and what it says of itself in every message. Pure.

/// What kind of machine it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Machine {
    /// A cash machine: category 6011 (ISO 18245).
    Atm,
    /// A branch's terminal without cash, «ترمینال بدون وجه»: 6010, at the counter.
    Cashless,
    /// A shop's terminal, «پایانه‌ی فروش»: 5411, a grocery.
    Pos,
}

impl Machine {
    /// All of them.
    pub const ALL: [Machine; 3] = [Machine::Atm, Machine::Cashless, Machine::Pos];

    /// The word in configuration and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Machine::Atm => "atm",
            Machine::Cashless => "cashless",
            Machine::Pos => "pos",
        }
    }

    /// Reads the word.
    pub fn of(word: &str) -> Option<Machine> {
        Machine::ALL.into_iter().find(|machine| machine.word() == word)
    }

    /// Whether it has the menu «تغییر رمز و خدمات رمز پویا»: a shop's terminal has not.
    pub const fn has_services(self) -> bool {
        !matches!(self, Machine::Pos)
    }

    /// Field 18.
    pub(super) const fn category(self) -> &'static str {
        match self {
            Machine::Atm => "6011",
            Machine::Cashless => "6010",
            Machine::Pos => "5411",
        }
    }
}

/// Which machine it is, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// What kind.
    pub machine: Machine,
    /// Its bank, as acquirer: field 32.
    pub acquirer: String,
    /// Its number, at most 8 characters: field 41.
    pub terminal: String,
    /// Its branch or shop, at most 15 characters: field 42.
    pub merchant: String,
}
