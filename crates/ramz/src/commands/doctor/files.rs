//! What lies on the disk: certificates, keys, secrets; and the clock, as far as files tell it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use ramz_domain::{Clock as _, Moment};
use ramz_keys::{Keys as _, PinBlockFormat};

use super::{Findings, Verdict};
use crate::config::KeysConfig;
use crate::roles::open_keys;
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;
use crate::system::files::read_secret;
use crate::system::tls::ends::{Ends, NotVersion3};
use crate::system::tls::{Tls, TlsConfig, files::Loaded};

/// A certificate that runs out sooner wants to be renewed.
const EXPIRES_SOON_S: i64 = 14 * 86_400;
/// This release was made after it: a clock that is earlier is wrong.
const RELEASED_S: i64 = 1_735_689_600;

pub(super) fn now_s() -> i64 {
    i64::try_from(SystemClock.now().unix_ms() / 1000).unwrap_or(i64::MAX)
}

fn day(unix_s: i64) -> String {
    let ms = u64::try_from(unix_s).unwrap_or(0).saturating_mul(1000);
    Moment::from_unix_ms(ms).rfc3339().chars().take(10).collect()
}

pub(super) fn clock(findings: &mut Findings) {
    let now = now_s();
    if now < RELEASED_S {
        findings.bad(
            "clock",
            format!("says {}", day(now)),
            "set it: PINs, certificates and locks depend on it",
        );
    } else {
        findings.good("clock", format!("says {}", SystemClock.now().rfc3339()));
    }
}

/// The ends of connections at which a role shows its certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It has doors with TLS, and goes to nobody with it.
    Door,
    /// It only goes to others.
    Client,
    /// Both.
    Both,
}

/// Certificate, key and authority; what connections can be made with, if they are good.
pub(super) fn tls(role: &str, shown: Shown, config: &TlsConfig, findings: &mut Findings) -> Option<Arc<Tls>> {
    let what = format!("{role} certificate");
    private(role, "private key", &config.key_file, findings);
    let loaded = match Loaded::read(config) {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.bad(what, format!("{error:#}"), unreadable(&error));
            return None;
        }
    };
    let taken = ends(&what, shown, config, &loaded.ends, findings);
    let (from, to) = loaded.valid_s;
    let file = config.cert_file.display();
    let name = loaded.name.as_deref().unwrap_or("nobody");
    let now = now_s();
    let at =
        if shown == Shown::Client { String::new() } else { format!(" at {}", loaded.ends.hosts.join(", ")) };
    let found = format!("{file}: {name}{at}, until {}; its key fits", day(to));
    if now > to {
        findings.bad(what, format!("{file}: {name}, ran out on {}", day(to)), "renew it");
    } else if now < from {
        let found = format!("{file}: {name}, not valid before {}", day(from));
        findings.bad(what, found, "is the clock right? Peers will not take it");
    } else if to - now < EXPIRES_SOON_S {
        findings.warn(what, found, "renew it; a running role takes the new files by itself");
    } else if taken {
        findings.good(what, found);
    }
    let (what, to) = (format!("{role} authority"), loaded.ca_expires_s);
    let found = format!("{}: until {}", config.ca_file.display(), day(to));
    match to - now {
        ..0 => findings.bad(what, found, "nobody who shows a certificate of it is let in: renew it"),
        0..EXPIRES_SOON_S => findings.warn(what, found, "renew it, in good time for everyone"),
        _ => findings.good(what, found),
    }
    Tls::load(config).ok()
}

/// What to do about files that a role does not start with.
fn unreadable(error: &anyhow::Error) -> &'static str {
    if error.is::<NotVersion3>() {
        "make it anew, as version 3: docs/operate/certificates.md"
    } else {
        "put certificate, key and authority there, as PEM"
    }
}

/// Whether peers take a certificate, whatever its dates are, at the ends where it is shown.
fn ends(what: &str, shown: Shown, config: &TlsConfig, ends: &Ends, findings: &mut Findings) -> bool {
    let (file, before) = (config.cert_file.display(), findings.count(Verdict::Bad));
    if shown != Shown::Client && ends.hosts.is_empty() {
        let found =
            format!("{file}: names no host (subjectAltName), and a common name is none: no client takes it");
        findings.bad(
            what,
            found,
            "make it anew, with the host of this role's URL: docs/operate/certificates.md",
        );
    }
    for (needed, may, end) in [
        (shown != Shown::Client, ends.server, "serverAuth, which its doors need"),
        (shown != Shown::Door, ends.client, "clientAuth, which it needs to go to others"),
    ] {
        if needed && !may {
            let found = format!("{file}: its extendedKeyUsage lacks {end}");
            findings.bad(
                what,
                found,
                "make it anew, with serverAuth and clientAuth: docs/operate/certificates.md",
            );
        }
    }
    findings.count(Verdict::Bad) == before
}

/// A file whose content nobody else may read. Whether it can be read here.
fn private(role: &str, which: &str, file: &Path, findings: &mut Findings) -> bool {
    let what = format!("{role} {which}");
    let read = std::fs::File::open(file).and_then(|file| file.metadata());
    match read {
        Err(error) => {
            findings.bad(
                what,
                format!("{}: {error}", file.display()),
                "make the file, readable by the role's user",
            );
            false
        }
        Ok(data) if data.mode() & 0o077 != 0 => {
            let found = format!("{}: others may read it ({:o})", file.display(), data.mode() & 0o777);
            findings.warn(what, found, "chmod 600");
            true
        }
        Ok(_) => {
            findings.good(what, format!("{}: its owner's alone", file.display()));
            true
        }
    }
}

/// A file that holds one secret.
pub(super) fn secret(role: &str, which: &str, file: &Path, findings: &mut Findings) {
    if private(role, which, file, findings)
        && let Err(error) = read_secret(file)
    {
        findings.bad(format!("{role} {which}"), format!("{error:#}"), "write the secret into its first line");
    }
}

/// The file that a router uses instead of the compiled-in directory of banks.
pub(super) fn directory(role: &str, config: &ramz_router::Config, findings: &mut Findings) {
    let Some(path) = &config.directory else { return };
    let (what, shown) = (format!("{role} directory"), path.display());
    let read = std::fs::read(path).map_err(|error| error.to_string());
    match read.and_then(|bytes| config.check_directory(&bytes).map_err(|error| error.to_string())) {
        Ok(()) => findings.good(what, format!("{shown}: has every bank that there is a way to")),
        Err(error) => {
            findings.bad(what, format!("{shown}: {error}"), "mend the file, or leave `directory` out")
        }
    }
}

/// The key file, whether its passphrase opens it, and whether it has the zones that are used, and a key that phones seal to.
pub(super) fn keys(
    role: &str,
    config: &KeysConfig,
    zones: &[(&str, u8)],
    has_app: bool,
    findings: &mut Findings,
) {
    secret(role, "passphrase", &config.passphrase_file, findings);
    if !private(role, "key file", &config.file, findings) {
        return;
    }
    let entropy: Arc<dyn ramz_domain::Entropy> = Arc::new(SystemEntropy);
    let keys = match open_keys(config, &entropy) {
        Ok(keys) => keys,
        Err(error) => {
            let todo = "look at the passphrase; a key file that is lost cannot be made again";
            findings.bad(format!("{role} keys"), format!("{error:#}"), todo);
            return;
        }
    };
    findings.good(format!("{role} keys"), "open with the passphrase");
    if has_app {
        let what = format!("{role} receive key");
        match keys.receive_key() {
            Ok(_) => findings.good(what, "is there for the app"),
            Err(fault) => findings.bad(what, fault.to_string(), "add it with `ramz keys rotate receive`"),
        }
    }
    for (zone, format) in zones {
        let what = format!("{role} zone {zone}");
        let takes = PinBlockFormat::numbered(*format).is_some_and(|format| keys.zone_takes(zone, format));
        if takes {
            findings.good(what, format!("has a key for PIN block format {format}"));
        } else {
            findings.bad(
                what,
                format!("has no key for PIN block format {format}"),
                "add it with `ramz keys zone`",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_certificate_is_made_anew_and_not_put_there_again() {
        let old = anyhow::Error::new(NotVersion3).context("issuer.pem");
        assert!(unreadable(&old).contains("as version 3"));
        assert!(unreadable(&anyhow::anyhow!("issuer.pem holds no certificate")).contains("as PEM"));
    }
}
