//! What a configuration comes to before keys and sockets: the policy, and how the messages of each link look.
//!
//! A start uses it, and `ramz config check` finds the same faults. Not here: whether the key file has the zones.

use ramz_domain::Iin;
use ramz_domain::card::Policy;
use ramz_keys::PinBlockFormat;
use ramz_link::Shape;

use crate::StartError;
use crate::config::{Config, OnSilence};
use crate::limits::Rates;

/// What a configuration comes to without keys and sockets.
pub(crate) struct Checked {
    pub(crate) policy: Policy,
    pub(crate) rates: Rates,
    pub(crate) switch: (Shape, PinBlockFormat),
    pub(crate) host: (Shape, PinBlockFormat),
}

impl Config {
    /// Checks everything that can be checked without a socket or a key; layout files are read.
    ///
    /// # Errors
    /// What a start would refuse.
    pub fn check(&self) -> Result<(), StartError> {
        check(self).map(|_| ())
    }
}

pub(crate) fn check(config: &Config) -> Result<Checked, StartError> {
    if let Some(error) = config.errors().into_iter().next() {
        return Err(StartError::Config(error));
    }
    let policy = config.policy()?;
    let rates = config.limits.rates()?;
    for iin in &config.iins {
        Iin::parse(iin).ok_or_else(|| StartError::Iin(iin.clone()))?;
    }
    let (switch, host) = (&config.switch, &config.host);
    let to_host = shape("host", &host.layout, &host.header, host.pin_block_format)?;
    if host.on_silence == OnSilence::Reverse {
        let taken = to_host.0.takes("a reversal of our own (on_silence = \"reverse\")", REVERSED);
        taken.map_err(|error| StartError::Shape { place: "host", error })?;
    }
    Ok(Checked {
        policy,
        rates,
        switch: shape("switch", &switch.layout, &switch.header, switch.pin_block_format)?,
        host: to_host,
    })
}

/// What an authorisation with a second PIN and its answer carry besides the PIN block. What else comes passes through, and
/// needs nothing but the layout's word.
const CARRIED: &[(u8, &[u8])] = &[
    (2, b"6104337000000016"),
    (3, b"000000"),
    (4, b"000001250000"),
    (11, b"000417"),
    (12, b"052509"),
    (13, b"1124"),
    (14, b"9912"),
    (22, b"812"),
    (32, b"581672061"),
    (37, b"632805000417"),
    (41, b"14033212"),
    (42, b"000000140332124"),
    (48, b"0100377702001D"),
    (49, b"364"),
];

/// What our own reversal carries beside fields of its payment, which the host took: without it 91 would be said of what nobody undoes.
const REVERSED: &[(u8, &[u8])] =
    &[(7, b"1124015244"), (11, b"000417"), (90, b"020000041711240152440058167206100000000000")];

/// How one link's messages look, and that they can carry what a payment needs. `place` is what an error calls the link.
///
/// # Errors
/// What a start would refuse.
pub fn shape(
    place: &'static str,
    layout: &str,
    header: &str,
    format: u8,
) -> Result<(Shape, PinBlockFormat), StartError> {
    let format = PinBlockFormat::numbered(format).ok_or(StartError::Format { place, format })?;
    let wrong = |error| StartError::Shape { place, error };
    let shape = Shape::read(layout, header).map_err(wrong)?;
    shape.takes("an authorisation", CARRIED).map_err(wrong)?;
    shape
        .takes(&format!("PIN blocks of format {format}"), &[(52, &vec![0; format.bytes()])])
        .map_err(wrong)?;
    Ok((shape, format))
}
