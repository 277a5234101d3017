//! `[terminal]`: one machine, and the one bank that it asks.

use ramz_keys::PinBlockFormat;
use ramz_link::Shape;
use ramz_sim::terminal::{CARRIED, CARRIED_BY_PAYMENTS, Identity, Machine};
use serde::Deserialize;

use super::KeysConfig;
use super::check::Remark;

/// `[terminal]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TerminalConfig {
    pub(crate) machine: String,
    pub(crate) address: String,
    pub(crate) layout: String,
    pub(crate) header: String,
    pub(crate) sign_on: bool,
    pub(crate) zone: String,
    pub(crate) pin_block_format: u8,
    pub(crate) acquirer: String,
    pub(crate) terminal: String,
    pub(crate) merchant: String,
    pub(crate) keys: KeysConfig,
}

fn unfit(key: &str, what: impl Into<String>) -> Remark {
    Remark { at: format!("terminal.{key}"), what: what.into() }
}

impl TerminalConfig {
    /// Which machine it is.
    pub(crate) fn identity(&self) -> Result<Identity, Remark> {
        let machine =
            Machine::of(&self.machine).ok_or_else(|| unfit("machine", "write atm, cashless or pos"))?;
        let is_plain = |text: &str, max: usize| {
            (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !is_plain(&self.acquirer, 11) || !self.acquirer.bytes().all(|b| b.is_ascii_digit()) {
            return Err(unfit("acquirer", "write 1 to 11 digits (field 32)"));
        }
        if !is_plain(&self.terminal, 8) {
            return Err(unfit("terminal", "write 1 to 8 letters or digits (field 41)"));
        }
        if !is_plain(&self.merchant, 15) {
            return Err(unfit("merchant", "write 1 to 15 letters or digits (field 42)"));
        }
        Ok(Identity {
            machine,
            acquirer: self.acquirer.clone(),
            terminal: self.terminal.clone(),
            merchant: self.merchant.clone(),
        })
    }

    /// How messages look, and that they can carry a terminal service.
    pub(crate) fn shape(&self) -> Result<(Shape, PinBlockFormat), Remark> {
        let format = PinBlockFormat::numbered(self.pin_block_format)
            .ok_or_else(|| unfit("pin_block_format", "write 0, 3 (TDEA) or 4 (AES)"))?;
        let wrong = |error: ramz_link::ShapeError| unfit("layout", error.to_string());
        let shape = Shape::read(&self.layout, &self.header).map_err(wrong)?;
        shape.takes("a terminal service", CARRIED).map_err(wrong)?;
        let block = vec![0; format.bytes()];
        shape.takes(&format!("PIN blocks of format {format}"), &[(52, &block)]).map_err(wrong)?;
        Ok((shape, format))
    }

    /// That messages can carry a payment and its reversal, too.
    pub(crate) fn takes_payments(&self) -> Result<(), Remark> {
        let takes = |(shape, _): (Shape, _)| shape.takes("a payment", CARRIED_BY_PAYMENTS);
        takes(self.shape()?).map_err(|error| unfit("layout", error.to_string()))
    }
}
