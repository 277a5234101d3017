//! How to reach an SMSC.

use std::{fmt, num::NonZeroU32, time::Duration};

use ramz_domain::limits;
use rusmpp::types::COctetString;
use tokio_util::bytes::Bytes;
use zeroize::Zeroizing;

use super::submit::Source;

/// The usual pace of enquire_link; operators cut silent binds after a minute or so.
const ENQUIRE_EVERY: Duration = Duration::from_secs(30);
/// How long an SMSC may take for an answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a send waits for bind, window and throttling altogether. With the time-out of the answers it stays below
/// `limits::LEASE`, after which another node would send the same SMS.
const PATIENCE: Duration = Duration::from_secs(5);

/// How to reach an SMSC, checked. The tuning may be changed after [`SmppConfig::new`].
#[derive(Clone)]
pub struct SmppConfig {
    /// The name of the bank's service in traces and logs: `bank mellat`.
    pub name: String,
    /// The name of this bind in logs and metrics; at first its address.
    pub bind: String,
    /// Submitted and unanswered short messages; at least 1.
    pub window: usize,
    /// Short messages a second that the operator agreed to, if it counts them.
    pub rate_per_s: Option<NonZeroU32>,
    /// Whether delivery receipts are asked for.
    pub receipts: bool,
    /// How often a silent SMSC is asked whether it is there.
    pub enquire_every: Duration,
    /// How long it may take for any answer, and for a connection.
    pub response_timeout: Duration,
    /// How long a send waits for a bind, for room in the window and while the SMSC throttles, altogether.
    pub patience: Duration,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) source: Source,
    system_id: COctetString<1, 16>,
    password: Zeroizing<String>,
}

/// A value that SMPP cannot carry, or that names no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SmppConfigError {
    /// The address.
    #[error("address: write host:port, such as smsc.operator.example:2775")]
    Address,
    /// The system id.
    #[error("system_id: 1 to 15 ASCII characters")]
    SystemId,
    /// The password. Carries nothing of it.
    #[error("password: at most 8 ASCII characters (SMPP 3.4)")]
    Password,
    /// The sender.
    #[error(
        "sender: a name of 1 to 11 Latin letters, digits, spaces, '-', '.' or '&'; or a line of the operator's, 3 to 20 digits"
    )]
    Sender,
}

impl SmppConfig {
    /// Where to bind (`host:port`), as whom, and the sender that phones show: a name such as `Bank Mellat`, or a short
    /// code. `name` is what the service is called in traces. Tuning is set to the house's defaults.
    pub fn new(
        name: &str,
        address: &str,
        system_id: &str,
        password: Zeroizing<String>,
        sender: &str,
    ) -> Result<SmppConfig, SmppConfigError> {
        let (host, port) = address.rsplit_once(':').ok_or(SmppConfigError::Address)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(SmppConfigError::Address)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(SmppConfigError::Address);
        }
        let graphic = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        let system_id = c_octets(system_id)
            .filter(|_| !system_id.is_empty() && graphic(system_id))
            .ok_or(SmppConfigError::SystemId)?;
        if password.len() > 8 || !graphic(&password) {
            return Err(SmppConfigError::Password);
        }
        let source = Source::parse(sender).ok_or(SmppConfigError::Sender)?;
        Ok(SmppConfig {
            name: name.to_owned(),
            bind: address.to_owned(),
            window: limits::SMPP_WINDOW,
            rate_per_s: None,
            receipts: true,
            enquire_every: ENQUIRE_EVERY,
            response_timeout: RESPONSE_TIMEOUT,
            patience: PATIENCE,
            host: host.to_owned(),
            port,
            source,
            system_id,
            password,
        })
    }

    pub(super) fn system_id(&self) -> COctetString<1, 16> {
        self.system_id.clone()
    }

    pub(super) fn password(&self) -> COctetString<1, 9> {
        // `new` has checked that it fits.
        c_octets(&self.password).unwrap_or_default()
    }
}

/// The bytes with their NUL, if they fit. Wiped on drop.
fn c_octets<const MAX: usize>(text: &str) -> Option<COctetString<1, MAX>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    COctetString::from_bytes(Bytes::from_owner(bytes)).ok()
}

impl fmt::Debug for SmppConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmppConfig")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("bind", &self.bind)
            .field("window", &self.window)
            .field("rate_per_s", &self.rate_per_s)
            .field("receipts", &self.receipts)
            .field("enquire_every", &self.enquire_every)
            .field("response_timeout", &self.response_timeout)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, system_id: &str, password: &str, sender: &str) -> Option<SmppConfigError> {
        SmppConfig::new("bank", address, system_id, Zeroizing::new(password.into()), sender).err()
    }

    #[test]
    fn what_smpp_cannot_carry_is_refused_with_its_name() {
        assert_eq!(check("localhost:2775", "mellat", "secret", "Bank Mellat"), None);
        assert_eq!(check("[::1]:2775", "mellat", "", "30003303"), None);
        for address in ["localhost", "localhost:", ":2775", "localhost:0", "a b:1"] {
            assert_eq!(
                check(address, "mellat", "secret", "Bank"),
                Some(SmppConfigError::Address),
                "{address}"
            );
        }
        assert_eq!(check("h:1", "", "secret", "Bank"), Some(SmppConfigError::SystemId));
        assert_eq!(check("h:1", "sixteen-letters!", "secret", "Bank"), Some(SmppConfigError::SystemId));
        assert_eq!(check("h:1", "mellat", "ninechars", "Bank"), Some(SmppConfigError::Password));
        assert_eq!(check("h:1", "mellat", "secret", "Bank of Mellat"), Some(SmppConfigError::Sender));
    }

    #[test]
    fn debug_shows_no_password() {
        let config =
            SmppConfig::new("bank", "h:1", "mellat", Zeroizing::new("s3cr3t".into()), "Bank").unwrap();
        assert!(!format!("{config:?}").contains("s3cr3t"));
    }
}
