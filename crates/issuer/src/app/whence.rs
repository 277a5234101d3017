//! Where a request to the app's door is from: what the proxy in front says, if that is an address; the proxy itself otherwise, so that
//! nobody is somebody new with each request because of a header that is not what it should be. It is counted then, and logged.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use ramz_api::address;
use ramz_domain::Moment;

use crate::counts::Counts;

/// Between two warnings: each request could be the reason for one, and whoever asks makes as many as they like.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The header that is believed, and when it was complained about.
pub(crate) struct Whence {
    header: String,
    warned_ms: AtomicU64,
}

impl Whence {
    /// By this header; with an empty one nothing stands in front, and who connects is who asks.
    pub(crate) fn new(header: String) -> Whence {
        Whence { header, warned_ms: AtomicU64::new(0) }
    }

    /// The address that a request counts as from.
    pub(super) fn of(&self, peer: IpAddr, headers: &HeaderMap, counts: &Counts, now: Moment) -> IpAddr {
        let peer = peer.to_canonical();
        if self.header.is_empty() {
            return peer;
        }
        if let Some(told) = address::told(&self.header, headers) {
            counts.address("told");
            return told;
        }
        let what = if headers.contains_key(&self.header) { "unusable" } else { "missing" };
        counts.address(what);
        if self.may_warn(now) {
            // Never its value: it is what a stranger wrote.
            tracing::warn!(
                header = self.header,
                %peer,
                "bank.app.address_header is {what} in a request: let the proxy in front set it anew to the one address that the \
                 request is from. Until then all such requests count as the proxy's own, and share its tries"
            );
        }
        peer
    }

    /// Of those that come at once, one may.
    fn may_warn(&self, now: Moment) -> bool {
        let (now, warned) = (now.unix_ms(), self.warned_ms.load(Ordering::Relaxed));
        let due = warned == 0 || u128::from(now.saturating_sub(warned)) >= WARN_EVERY.as_millis();
        due && self
            .warned_ms
            .compare_exchange(warned, now.max(1), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_is_no_address_counts_as_the_proxys_own() {
        let (whence, counts) = (Whence::new("X-Real-IP".into()), Counts::default());
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        let of = |values: &[&'static str]| {
            let name = HeaderName::from_static("x-real-ip");
            let headers =
                values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect();
            whence.of(peer, &headers, &counts, Moment::from_unix_ms(1)).to_string()
        };
        for (value, expect) in [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7 ", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            // What the asker wrote, and what the proxy added to it.
            ("198.51.100.4, 203.0.113.7", "127.0.0.1"),
            ("203.0.113.7:4711", "127.0.0.1"),
            ("edge 7", "127.0.0.1"),
            ("", "127.0.0.1"),
        ] {
            assert_eq!(of(&[value]), expect, "{value:?}");
        }
        assert_eq!((of(&[]), of(&["203.0.113.7", "203.0.113.8"])), ("127.0.0.1".into(), "127.0.0.1".into()));
        let direct = Whence::new(String::new());
        assert_eq!(direct.of(peer, &HeaderMap::new(), &counts, Moment::default()), peer);
    }

    #[test]
    fn it_is_complained_about_once_a_minute() {
        let whence = Whence::new("X-Real-IP".into());
        let at = |s: u64| whence.may_warn(Moment::from_unix_ms(1_700_000_000_000 + s * 1000));
        assert_eq!([at(0), at(0), at(59), at(60), at(61)], [true, false, false, true, false]);
    }
}
