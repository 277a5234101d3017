//! What an operator says of a router: the ways to the banks, and who may ask for what.
//!
//! Only read here; whether it makes sense is told where it is used ([`crate::StartError`]).

use ramz_domain::{Moment, limits};
use serde::Deserialize;

use crate::{
    StartError,
    askers::Askers,
    directory::{Directory, SHIPPED},
    known_once,
};

/// No more can connect.
pub(crate) const IN_FLIGHT_MAX: usize = limits::HTTP_CONNECTIONS_MAX;
/// A process has [`limits::STOP_WITHIN`] to stop; what is in flight when the door closes needs its time of that.
pub(crate) const LEAVE_AFTER_S_MAX: u16 = 15;

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
        self.check_numbers()?;
        Askers::new(&self.askers, Moment::from_unix_ms(0))?;
        if self.directory.is_none() {
            known_once(&self.banks, &Directory::parse(SHIPPED)?)?;
        }
        Ok(())
    }

    /// What [`crate::start`] would not run with, whatever the directory.
    pub(crate) fn check_numbers(&self) -> Result<(), StartError> {
        if !(1..=IN_FLIGHT_MAX).contains(&self.in_flight) {
            return Err(StartError::InFlight);
        }
        if self.leave_after_s > LEAVE_AFTER_S_MAX {
            return Err(StartError::LeaveAfter);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_router_can_run_with_are_refused() {
        let config =
            |line: &str| toml::from_str::<Config>(&format!("banks=[]\naskers=[]\n{line}")).unwrap().check();
        for good in ["", "in_flight=1", "in_flight=4096", "leave_after_s=0", "leave_after_s=15"] {
            assert!(config(good).is_ok(), "{good}");
        }
        for in_flight in ["0", "4097", "4611686018427387904"] {
            assert!(
                matches!(config(&format!("in_flight={in_flight}")), Err(StartError::InFlight)),
                "{in_flight}"
            );
        }
        assert!(matches!(config("leave_after_s=16"), Err(StartError::LeaveAfter)));
    }
}
