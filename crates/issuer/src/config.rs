//! An issuer's configuration, as in the `[issuer]` table of `ramz.default.toml`. Unknown keys are refused.

use std::time::Duration;

use ramz_domain::card::{Policy, PolicyError};
use serde::Deserialize;

/// One bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Short name, for logs and the trace: `mellat`.
    pub id: String,
    /// The bank as its Persian SMS calls it.
    pub name_fa: String,
    /// The bank as its English SMS calls it.
    pub name_en: String,
    /// First six digits of its cards.
    pub iins: Vec<String>,
    /// Certificate names of the routers whose `Ramz-Asker` is believed.
    pub routers: Vec<String>,
    /// Askers that come without a router.
    #[serde(default)]
    pub askers: Vec<AskerConfig>,
    /// Certificate names that may use the back office.
    pub operators: Vec<String>,
    /// What the bank chooses about PINs.
    pub policy: PolicyConfig,
    /// The door for the switch.
    pub switch: SwitchConfig,
    /// The way to the card host.
    pub host: HostConfig,
}

/// An asker and what it may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskerConfig {
    /// The name in its certificate.
    pub name: String,
    /// Acquirer codes (DE32) it may name.
    pub acquirers: Vec<String>,
    /// Kinds of payment.
    pub kinds: Vec<String>,
    /// Pages where its PINs are typed.
    pub origins: Vec<String>,
}

/// What the bank chooses, in whole seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Digits of a PIN.
    pub digits: u8,
    /// How long a PIN is good.
    pub valid_for_s: u32,
    /// What the page counts down.
    pub ask_again_after_s: u32,
    /// Between two SMS with the same PIN.
    pub resend_after_s: u32,
    /// How often the same PIN goes out again.
    pub resends: u8,
    /// Wrong PINs in a row that lock.
    pub failures_until_locked: u32,
    /// The first lock.
    pub lock_first_s: u32,
    /// The longest lock.
    pub lock_longest_s: u32,
    /// Wrong PINs in a row after which only an ATM or the bank unlocks.
    pub failures_until_closed: u32,
}

/// How the switch speaks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchConfig {
    /// `ascii`, `bcd`, or the path of a layout file.
    pub layout: String,
    /// Hexadecimal bytes between length and message; mostly empty.
    #[serde(default)]
    pub header: String,
    /// The zone PIN key that PIN blocks come under.
    pub zone: String,
    /// 0 or 3 (TDEA), or 4 (AES).
    pub pin_block_format: u8,
}

/// How the card host is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// `host:port`.
    pub address: String,
    /// `ascii`, `bcd`, or the path of a layout file.
    pub layout: String,
    /// Hexadecimal bytes between length and message; mostly empty.
    #[serde(default)]
    pub header: String,
    /// Whether it wants a sign-on.
    pub sign_on: bool,
    /// The zone PIN key that PIN blocks go on under.
    pub zone: String,
    /// 0 or 3 (TDEA), or 4 (AES).
    pub pin_block_format: u8,
}

impl PolicyConfig {
    /// The policy, checked.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        let policy = Policy {
            digits: self.digits,
            valid_for: seconds(self.valid_for_s),
            ask_again_after: seconds(self.ask_again_after_s),
            resend_after: seconds(self.resend_after_s),
            resends: self.resends,
            failures_until_locked: self.failures_until_locked,
            lock_first: seconds(self.lock_first_s),
            lock_longest: seconds(self.lock_longest_s),
            failures_until_closed: self.failures_until_closed,
        };
        policy.check().map(|()| policy)
    }
}
