//! Addresses that roles listen on: whether they are some, who reaches them, and whether two of them can be opened together.

use std::net::IpAddr;

use toml::{Table, Value};

use super::Remarks;

/// Two doors at one address: the second one cannot be opened. Roles of one file may run on machines of their own.
pub(super) fn apart(over: &Table, whole: &Table, remarks: &mut Remarks) {
    let mut doors: Vec<(String, &str)> = Vec::new();
    for role in ["issuer", "router", "gateway"].into_iter().filter(|role| over.contains_key(*role)) {
        let listen = whole.get(role).and_then(|role| role.get("listen")).and_then(Value::as_table);
        for (key, address) in listen.into_iter().flatten() {
            let Some(address) = address.as_str() else { continue };
            let at = format!("{role}.listen.{key}");
            for (other, _) in doors.iter().filter(|(_, other)| meet(other, address)) {
                if other.starts_with(&format!("{role}.")) {
                    remarks.error(&at, format!("{address:?} is the address of {other} too"));
                } else {
                    let what =
                        format!("{address:?} is the address of {other} too: they cannot run on one machine");
                    remarks.warn(&at, what);
                }
            }
            doors.push((at, address));
        }
    }
}

/// Doors that others come to, on loopback by default: whoever writes an address means it, whoever writes none may not know.
pub(super) fn unwritten(over: &Table, whole: &Table, remarks: &mut Remarks) {
    for (role, key) in [("issuer", "api"), ("issuer", "switch"), ("router", "api")] {
        let listen = |table: &'_ Table| table.get(role)?.get("listen")?.get(key)?.as_str().map(str::to_owned);
        if let (true, None, Some(address)) = (over.contains_key(role), listen(over), listen(whole)) {
            let what = format!("is not written: only this machine reaches {address}");
            remarks.warn(format!("{role}.listen.{key}"), what);
        }
    }
}

/// Whether two listeners would want the same port of the same address.
fn meet(one: &str, other: &str) -> bool {
    let (Some((one, port)), Some((other, same))) = (host_and_port(one), host_and_port(other)) else {
        return false;
    };
    let ip = |host: &str| {
        if host == "localhost" { Ok(IpAddr::from([127, 0, 0, 1])) } else { host.parse::<IpAddr>() }
    };
    let hosts_meet = match (ip(one), ip(other)) {
        (Ok(one), Ok(other)) => {
            one == other
                || (one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified()))
        }
        _ => one == other,
    };
    // The system gives each a port of its own for 0.
    port == same && port != 0 && hosts_meet
}

pub(super) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok()?;
    (!host.is_empty() && !host.contains(char::is_whitespace)).then_some((host, port))
}

/// Whether others than this machine reach a door.
pub(super) fn is_open(address: &str) -> bool {
    match host_and_port(address) {
        Some((host, _)) => host != "localhost" && host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use crate::config::defaults;

    #[test]
    fn a_door_that_is_on_loopback_by_default_is_told_and_one_that_was_written_is_meant() {
        let doors = |text: &str| {
            let warnings = look(&defaults().unwrap(), &text.parse().unwrap()).warnings;
            let told = warnings
                .iter()
                .filter(|warning| warning.what.contains("only this machine reaches 127.0.0.1:87"));
            told.map(|warning| warning.at.clone()).collect::<Vec<_>>()
        };
        let of_router = "[router.harim]\nin_flight = 7\n";
        assert_eq!(doors("[issuer.bank]\nid = \"a\"\n"), ["issuer.listen.api", "issuer.listen.switch"]);
        assert_eq!(doors(of_router), ["router.listen.api"]);
        assert_eq!(doors("[issuer.listen]\napi = \"127.0.0.1:8720\"\n"), ["issuer.listen.switch"]);
        assert!(
            doors("[operator]\n").is_empty() && doors("[router.listen]\napi = \"0.0.0.0:8710\"\n").is_empty()
        );
    }
}
