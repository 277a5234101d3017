//! What the payer is called towards the bank: a keyed hash of the address that the proxy in front has seen, so that one
//! payer is told from another and nobody is told where they are.
//!
//! Not here: whether the header may be believed. Only the operator knows what stands in front, so none is named by default.

use axum::http::HeaderMap;
use ramz_api::address;
use ramz_domain::{Digest, Moment};
use ramz_keys::{IndexPurpose, KeyFault, Keys};

/// The bank knows a payer again for a day, and no longer.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// The payer of a request. `None` if no header is named, or it does not say where the request is from.
pub(crate) fn payer(
    keys: &dyn Keys,
    header: &str,
    headers: &HeaderMap,
    now: Moment,
) -> Result<Option<Digest>, KeyFault> {
    let Some(from) = address::told(header, headers) else { return Ok(None) };
    let day = (now.unix_ms() / DAY_MS).to_be_bytes();
    let tag = keys.index(IndexPurpose::Payer, &[&day, address::network(from).as_bytes()])?;
    Ok(Some(Digest(tag.bytes)))
}
