//! The devices of the cardholder: this one, and the others that its cards are on.

use axum::http::Method;
use ramz_api::app::{DEVICES, DeviceView, DevicesView, Rename, of_device};
use ramz_domain::DeviceId;
use zeroize::Zeroizing;

use super::asking::read;
use super::{Phone, PhoneError};

impl Phone {
    /// Lists them.
    ///
    /// # Errors
    /// The bank's problems; no answer.
    pub async fn devices(&mut self) -> Result<DevicesView, PhoneError> {
        let answer = self.send(Method::GET, DEVICES, Zeroizing::default()).await?;
        read(&answer, "the question for devices")
    }

    /// Gives one another name.
    ///
    /// # Errors
    /// The bank's problems; no answer.
    pub async fn rename(&mut self, device: DeviceId, name: &str) -> Result<DeviceView, PhoneError> {
        let body = Rename { name: name.to_owned() }.to_json();
        let answer = self.send(Method::PUT, &of_device(device), body).await?;
        read(&answer, "another name")
    }

    /// Takes one away, with its cards. If it is this one, nothing that it computes or sends is good any more.
    ///
    /// # Errors
    /// The bank's problems; no answer.
    pub async fn revoke(&mut self, device: DeviceId) -> Result<(), PhoneError> {
        self.send(Method::DELETE, &of_device(device), Zeroizing::default()).await.map(drop)
    }
}
