#![doc = include_str!("../README.md")]

pub mod activation;
pub mod ambient;
mod bill;
pub mod card;
pub mod device;
pub mod digits;
mod ids;
mod language;
pub mod limits;
pub mod mobile;
mod moment;
mod money;
pub mod oath;
mod pan;
mod payment;
mod phone;
mod pin;
mod refusal;

pub use ambient::{Clock, Entropy};
pub use bill::{Bill, BillError, Service, masked_bill_id};
pub use ids::{ActivationId, AdmissionId, CardId, ChallengeId, DeviceId, PaymentId, TokenId};
pub use language::Language;
pub use moment::{Moment, civil};
pub use money::{AmountError, RIAL_NUMERIC_CODE, Rial};
pub use pan::{Iin, Pan, PanError, check_digit};
pub use payment::{Digest, Payee, PayeeName, PayeeNameError, Payment, PaymentKind, bill_ids, may_be_shown};
pub use phone::{Phone, PhoneError};
pub use pin::{Pin, PinError};
pub use refusal::{Refusal, is_approval};
