//! What the payer is called towards the bank: a keyed hash of the address that the proxy in front has seen, so that one
//! payer is told from another and nobody is told where they are.
//!
//! Not here: whether the header may be believed. Only the operator knows what stands in front, so none is named by default.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use ramz_domain::{Digest, Moment, limits};
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
    let Some(from) = told(header, headers) else { return Ok(None) };
    let day = (now.unix_ms() / DAY_MS).to_be_bytes();
    let tag = keys.index(IndexPurpose::Payer, &[&day, place(from).as_bytes()])?;
    Ok(Some(Digest(tag.bytes)))
}

/// The header's value. Two of them are not the proxy's alone: neither is believed.
fn told<'a>(header: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    if header.is_empty() {
        return None;
    }
    let mut values = headers.get_all(header).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let fits = (1..=limits::PAYER_HEADER_CHARS_MAX).contains(&only.len())
        && only.as_bytes().iter().all(|b| matches!(b, b' '..=b'~'));
    only.to_str().ok().filter(|_| fits)
}

/// Of an IPv6 address the network: who has one has 2⁶⁴ addresses, and is one payer all the same. Anything else as it stands.
fn place(from: &str) -> String {
    match from.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => from.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let name = HeaderName::from_static("x-real-ip");
        values.iter().map(|value| (name.clone(), HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn only_one_printable_value_of_the_named_header_is_believed() {
        let heard = |header: &str, values: &[&[u8]]| told(header, &headers(values)).map(str::to_owned);
        assert_eq!(heard("X-Real-IP", &[b"203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        let longest = [b'a'; limits::PAYER_HEADER_CHARS_MAX];
        assert!(heard("x-real-ip", &[&longest]).is_some());
        let too_long = [longest.as_slice(), b"a"].concat();
        let refused: [&[&[u8]]; 6] =
            [&[], &[b""], &[b"a\tb"], &["نشانی".as_bytes()], &[&too_long], &[b"203.0.113.7", b"203.0.113.8"]];
        for values in refused {
            assert_eq!(heard("X-Real-IP", values), None, "{values:?}");
        }
        assert_eq!(heard("", &[b"203.0.113.7"]), None);
        assert_eq!(heard("X-Client-IP", &[b"203.0.113.7"]), None);
    }

    #[test]
    fn an_ipv6_network_is_one_payer() {
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), place("2001:0DB8:1:2::9"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:203.0.113.7"), place("203.0.113.7"));
        assert_ne!(place("203.0.113.7"), place("203.0.113.8"));
        assert_eq!(place("edge 7"), "edge 7");
    }
}
