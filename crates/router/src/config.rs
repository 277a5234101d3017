//! What an operator says of a router: the ways to the banks, and who may ask for what.
//!
//! Only read here; whether it makes sense is told where it is used ([`crate::StartError`]).

use ramz_domain::Moment;
use serde::Deserialize;

use crate::{
    StartError,
    askers::Askers,
    directory::{Directory, SHIPPED},
    known_once,
};

/// A router's configuration. Unknown members are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Ways to the banks' issuers. A bank without a way is known, and unavailable.
    pub banks: Vec<BankConfig>,
    /// Who may ask.
    pub askers: Vec<AskerConfig>,
    /// A file to use instead of the compiled-in directory of banks (same form: `banks.json`).
    #[serde(default)]
    pub directory: Option<std::path::PathBuf>,
    /// PIN requests in hand at once, for all banks; what is beyond is turned away.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// Seconds between "not ready" and the door's closing, at a shutdown: as long as a load balancer takes to notice.
    #[serde(default = "leave_after_s")]
    pub leave_after_s: u16,
}

impl Config {
    /// What is wrong with it, as far as it shows without files: what [`crate::start`] would refuse.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn check(&self) -> Result<(), StartError> {
        Askers::new(&self.askers, Moment::from_unix_ms(0))?;
        if self.directory.is_none() {
            known_once(&self.banks, &Directory::parse(SHIPPED)?)?;
        }
        Ok(())
    }

    /// The same of a file to use instead of the compiled-in directory.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn check_directory(&self, bytes: &[u8]) -> Result<(), StartError> {
        known_once(&self.banks, &Directory::parse(bytes)?)
    }
}

fn leave_after_s() -> u16 {
    2
}

fn in_flight() -> usize {
    ramz_domain::limits::ROUTER_IN_FLIGHT_MAX
}

/// The way to a bank's issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankConfig {
    /// The bank's id in the directory.
    pub id: String,
    /// Scheme, host and port of its issuer: `https://pin.bank.example:8720`.
    pub url: String,
}

/// A payment company that may ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskerConfig {
    /// The name in its client certificate.
    pub name: String,
    /// Institution codes (DE32) it may ask for. Leading zeros do not count.
    pub acquirers: Vec<String>,
    /// Kinds of payment it may ask for: `purchase`, `transfer`, `bill`, `top_up`, `balance`.
    pub kinds: Vec<String>,
    /// Host names of its pages.
    pub origins: Vec<String>,
    /// Requests a second that it may keep up, at this copy of the router.
    #[serde(default = "rate_per_s")]
    pub rate_per_s: u32,
    /// Requests it may send at once after a pause.
    #[serde(default = "burst")]
    pub burst: u32,
}

/// A large payment company at its peak, on one copy.
fn rate_per_s() -> u32 {
    500
}

/// Two seconds of that.
fn burst() -> u32 {
    1000
}
