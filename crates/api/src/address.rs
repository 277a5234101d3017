//! Where a request is from, as the proxy in front of a public door says. Not here: whether the header may be believed. Only the
//! operator knows what stands in front, so none is named by default.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::HeaderMap;

/// What the header that is named says, if that is one address; spaces around it do no harm. None if no header is named. A list begins with
/// what whoever asks has written, and is none; nor are two headers the proxy's alone.
pub fn told(header: &str, headers: &HeaderMap) -> Option<IpAddr> {
    if header.is_empty() {
        return None;
    }
    let mut values = headers.get_all(header).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let address: IpAddr = only.to_str().ok()?.trim().parse().ok()?;
    Some(address.to_canonical())
}

/// Of an IPv6 address the network: who has one has 2⁶⁴ addresses, and is one all the same. Of an IPv4 address itself.
pub fn network(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
        IpAddr::V4(address) => address.to_string(),
    }
}

/// Of an IPv6 address what one subscriber mostly has, 2¹⁶ networks; of an IPv4 address its 256 neighbours.
pub fn surroundings(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V6(address) => format!("{}/48", Ipv6Addr::from(u128::from(address) >> 80 << 80)),
        IpAddr::V4(address) => format!("{}/24", Ipv4Addr::from(u32::from(address) >> 8 << 8)),
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
    fn one_address_in_the_named_header_is_believed() {
        let heard =
            |header: &str, values: &[&[u8]]| told(header, &headers(values)).map(|from| from.to_string());
        assert_eq!(heard("X-Real-IP", &[b" 203.0.113.7 "]).as_deref(), Some("203.0.113.7"));
        assert_eq!(heard("x-real-ip", &[b"2001:DB8::7"]).as_deref(), Some("2001:db8::7"));
        let refused: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b" "],
            &["نشانی".as_bytes()],
            &[b"unknown"],
            &[b"203.0.113.7:80"],
            &[b"203.0.113.0/24"],
            &[b"198.51.100.4, 203.0.113.7"],
            &[b"203.0.113.7", b"203.0.113.8"],
        ];
        for values in refused {
            assert_eq!(heard("X-Real-IP", values), None, "{values:?}");
        }
        assert_eq!(heard("", &[b"203.0.113.7"]), None);
        assert_eq!(heard("X-Client-IP", &[b"203.0.113.7"]), None);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let network = |from: &str| network(from.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:0DB8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.7"), network("203.0.113.7"));
        assert_ne!(network("203.0.113.7"), network("203.0.113.8"));
    }

    #[test]
    fn surroundings_are_a_subscribers_networks_and_a_servers_neighbours() {
        let surroundings = |from: &str| surroundings(from.parse().unwrap());
        assert_eq!(surroundings("2001:db8:1:2:3:4:5:6"), surroundings("2001:db8:1:ffff::1"));
        assert_ne!(surroundings("2001:db8:1::1"), surroundings("2001:db8:2::1"));
        assert_eq!(surroundings("203.0.113.7"), "203.0.113.0/24");
    }
}
