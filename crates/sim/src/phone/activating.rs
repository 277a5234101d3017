//! Activation: both halves of the code, and the device's public key. Repeated with the same key it gives the same device, so the
//! key is kept before it is sent.

use ramz_api::app::{ACTIVATIONS, Activate, Activated as View, ReceiveKey};
use ramz_domain::{DeviceId, Moment, Pin};

use super::asking::{read, unsigned};
use super::state::Activated;
use super::{Phone, PhoneError};

const WHAT: &str = "the activation";

impl Phone {
    /// Activates the phone as a device of the bank. `receipt` is on the terminal's receipt, `sms` came by SMS, `name` is what the
    /// holder calls it. Without an answer: once more, with the same halves.
    ///
    /// # Errors
    /// [`PhoneError::AlreadyActivated`]; the bank's problems; no answer.
    pub async fn activate(&mut self, receipt: &Pin, sms: &Pin, name: &str) -> Result<&Activated, PhoneError> {
        if self.state.activated.is_some() {
            return Err(PhoneError::AlreadyActivated);
        }
        self.kept()?;
        let body = Activate {
            receipt_code: receipt.clone(),
            sms_code: sms.clone(),
            device_key: self.state.signer()?.public(),
            device_name: name.to_owned(),
        };
        let asked = self.clock.now();
        let answer = self.ask(unsigned(ACTIVATIONS), body.to_json()).await?;
        let view: View = read(&answer, WHAT)?;
        let is_heard = self.learn_time(asked, view.now_ms);
        self.state.activated = Some(activated(view)?);
        self.kept()?;
        if !is_heard {
            self.sync_time().await?;
        }
        self.state.activated()
    }
}

fn activated(view: View) -> Result<Activated, PhoneError> {
    let no = || PhoneError::Answer(WHAT);
    let (receive_version, receive_key) = point_of(&view.receive_key).ok_or_else(no)?;
    Ok(Activated {
        device: DeviceId::parse(&view.device).ok_or_else(no)?,
        receive_version,
        receive_key,
        bank: view.bank.id,
        name_fa: view.bank.name_fa,
        name_en: view.bank.name_en,
        add_cards_until: Moment::parse_rfc3339(&view.add_cards_until).ok_or_else(no)?,
    })
}

/// Version and point of a receive key; `None`: it is none.
pub(super) fn point_of(told: &ReceiveKey) -> Option<(u32, Vec<u8>)> {
    told.jwk.to_sec1().ok().map(|point| (told.version, point.to_vec()))
}
