//! What is wrong with a configuration, all of it at once, each with its table and key; and what is risky though right.
//!
//! A file is laid over the defaults one setting at a time, so that a setting that does not fit is told by its own place however
//! many there are. What only fits together (policy, gateway, names) is looked at afterwards, for the roles that the file
//! is about; what needs files, keys or sockets is `ramz doctor`'s.

mod doors;

use std::collections::BTreeSet;
use std::fmt;

use ramz_domain::Iin;
use ramz_gateway::ApiKey;
use ramz_keys::PinBlockFormat;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use self::doors::{apart, host_and_port, is_open, unwritten};
use super::{
    Config, GatewayConfig, IssuerConfig, LogConfig, OperatorConfig, RouterConfig, TerminalConfig, lay_over,
    read_table,
};
use crate::system::log;

/// Digits of a PIN below which a shoulder-surfer's chance grows.
const DIGITS_USUAL: u8 = 7;
/// Longer than this a PIN waits for whoever finds the phone.
const VALID_USUAL_S: u32 = 180;

/// Something about one setting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Remark {
    /// The setting, as a path: `issuer.bank.policy.digits`.
    pub(crate) at: String,
    /// What about it, and what to do.
    pub(crate) what: String,
}

impl std::error::Error for Remark {}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.rsplit_once('.') {
            Some((table, key)) => write!(f, "[{table}] {key}: {}", self.what),
            None => write!(f, "[{}]: {}", self.at, self.what),
        }
    }
}

/// All that there is to say.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// Nothing runs with these.
    pub(crate) errors: Vec<Remark>,
    /// It runs, and somebody should have meant it.
    pub(crate) warnings: Vec<Remark>,
}

impl Remarks {
    fn error(&mut self, at: impl Into<String>, what: impl Into<String>) {
        self.errors.push(Remark { at: at.into(), what: what.into() });
    }

    fn errors_of(&mut self, at: &str, checked: Result<(), String>) {
        if let Err(what) = checked {
            self.error(at, what);
        }
    }

    fn warn(&mut self, at: impl Into<String>, what: impl Into<String>) {
        self.warnings.push(Remark { at: at.into(), what: what.into() });
    }
}

/// Looks at what `over` changes of `defaults`.
pub(super) fn look(defaults: &Table, over: &Table) -> Remarks {
    let mut remarks = Remarks::default();
    for (path, value) in settings(over) {
        if let Some(what) = misfit(defaults, &path, value) {
            remarks.error(path.join("."), what);
        }
    }
    if remarks.errors.is_empty() {
        let mut whole = defaults.clone();
        lay_over(&mut whole, over.clone());
        let whole = Config { table: whole, over: None };
        together(&whole, over, &mut remarks);
        remarks.warnings.sort();
    }
    remarks.errors.sort();
    remarks
}

/// Every setting with its path. Arrays are settings as a whole: so they are replaced.
fn settings(table: &Table) -> Vec<(Vec<&str>, &Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) if !inner.is_empty() => {
                for (mut path, value) in settings(inner) {
                    path.insert(0, key);
                    found.push((path, value));
                }
            }
            _ => found.push((vec![key], value)),
        }
    }
    found
}

/// Why this one setting does not fit.
fn misfit(defaults: &Table, path: &[&str], value: &Value) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let Some(table) = defaults.get(*first) else {
        let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
        return Some(format!("unknown table; there are {}", known.join(", ")));
    };
    let mut alone = value.clone();
    for key in rest.iter().rev() {
        alone = Value::Table([((*key).to_owned(), alone)].into_iter().collect());
    }
    let (Value::Table(mut table), Value::Table(alone)) = (table.clone(), alone) else {
        return Some("write a table".to_owned());
    };
    lay_over(&mut table, alone);
    fn tried<T: DeserializeOwned>(table: Table) -> Option<String> {
        read_table::<T>(table).err()
    }
    match *first {
        "log" => tried::<LogConfig>(table),
        "issuer" => tried::<IssuerConfig>(table),
        "router" => tried::<RouterConfig>(table),
        "gateway" => tried::<GatewayConfig>(table),
        "operator" => tried::<OperatorConfig>(table),
        "terminal" => tried::<TerminalConfig>(table),
        _ => None,
    }
}

/// What only shows when all of it is there.
fn together(whole: &Config, over: &Table, remarks: &mut Remarks) {
    if let Ok(log) = whole.table::<LogConfig>("log") {
        remarks.errors_of("log.filter", log::check(&log.filter));
        let loud = ["trace", "debug"].iter().any(|level| log.filter.contains(level));
        if loud {
            remarks.warn("log.filter", "writes much; for a search, not for every day");
        }
    }
    apart(over, &whole.table, remarks);
    unwritten(over, &whole.table, remarks);
    // A file that says nothing of a role is not about it; a policy is checked even so, for its defaults are compiled in.
    if let Ok(config) = whole.table::<IssuerConfig>("issuer") {
        if let Err(error) = config.bank.policy() {
            remarks.error("issuer.bank.policy", error.to_string().trim_start_matches("policy: "));
        }
        if over.contains_key("issuer") {
            issuer(&config, remarks);
        }
    }
    if let (true, Ok(config)) = (over.contains_key("router"), whole.table::<RouterConfig>("router")) {
        router(&config, remarks);
    }
    if let (true, Ok(config)) = (over.contains_key("gateway"), whole.table::<GatewayConfig>("gateway")) {
        gateway(&config, remarks);
    }
    if let (true, Ok(config)) = (over.contains_key("operator"), whole.table::<OperatorConfig>("operator")) {
        url("operator.url", &config.url, remarks);
    }
    if let (true, Ok(config)) = (over.contains_key("terminal"), whole.table::<TerminalConfig>("terminal")) {
        peer("terminal.address", &config.address, remarks);
        remarks.errors.extend(config.identity().err());
        remarks.errors.extend(config.shape().err());
    }
}

fn issuer(config: &IssuerConfig, remarks: &mut Remarks) {
    let (listen, bank) = (&config.listen, &config.bank);
    for (key, at) in [("api", &listen.api), ("switch", &listen.switch), ("admin", &listen.admin)] {
        door(&format!("issuer.listen.{key}"), at, remarks);
    }
    if listen.app.is_empty() == bank.app.public_url.is_empty() {
        if !listen.app.is_empty() {
            door("issuer.listen.app", &listen.app, remarks);
        }
        if bank.app.public_url.starts_with("https://") && bank.app.address_header.is_empty() {
            let what = "is empty: behind a proxy every phone has the proxy's address, and a few tries at activation shut out the others";
            remarks.warn("issuer.bank.app.address_header", what);
        }
        if !bank.app.framed_by.is_empty() {
            let what =
                "these pages can lay something over the app: name only the bank's own portal (or a lab's)";
            remarks.warn("issuer.bank.app.framed_by", what);
        }
    } else {
        let what = "listen.app and bank.app.public_url belong together: write both, or none";
        remarks.error("issuer.listen.app", what);
    }
    if is_open(&listen.switch) {
        let what = "ISO 8583 has no TLS: let only the switch's network reach this address";
        remarks.warn("issuer.listen.switch", what);
    }
    metrics("issuer.listen.metrics", &listen.metrics, remarks);
    remarks.errors_of("issuer.store.url", config.store.check());
    peer("issuer.bank.host.address", &bank.host.address, remarks);
    for address in config.sms.addresses() {
        peer("issuer.sms.address", address, remarks);
    }
    if let Err(error) = config.sms.check() {
        remarks.error("issuer.sms.binds", format!("{error:#}"));
    }
    if let Err(error) = bank.limits.rates() {
        remarks.error("issuer.bank.limits", error.to_string());
    }
    iins("issuer.bank.iins", &bank.iins, remarks);
    wire("switch", &bank.switch.layout, &bank.switch.header, bank.switch.pin_block_format, remarks);
    wire("host", &bank.host.layout, &bank.host.header, bank.host.pin_block_format, remarks);
    for error in bank.errors() {
        remarks.error(format!("issuer.bank.{}", error.place), error.what);
    }
    if bank.iins.is_empty() {
        remarks.warn("issuer.bank.iins", "is empty: every card is another bank's");
    }
    if bank.routers.is_empty() && bank.askers.is_empty() {
        remarks.warn("issuer.bank.routers", "is empty, and so is askers: nobody can ask for a PIN");
    }
    if bank.operators.is_empty() {
        remarks.warn("issuer.bank.operators", "is empty: nobody can add or unlock a card");
    }
    let asking: BTreeSet<&String> =
        bank.routers.iter().chain(bank.askers.iter().map(|asker| &asker.name)).collect();
    for name in bank.operators.iter().filter(|name| asking.contains(name)) {
        let what = format!("{name:?} may also ask for PINs: give the back office certificates of its own");
        remarks.warn("issuer.bank.operators", what);
    }
    let policy = &bank.policy;
    if policy.digits < DIGITS_USUAL {
        remarks.warn(
            "issuer.bank.policy.digits",
            format!("{DIGITS_USUAL} are usual: fewer are easier to guess"),
        );
    }
    if policy.valid_for_s > VALID_USUAL_S {
        remarks.warn("issuer.bank.policy.valid_for_s", "120 are usual: a PIN that waits can be found");
    }
}

/// How one link's messages look; a layout file is read.
fn wire(place: &'static str, layout: &str, header: &str, format: u8, remarks: &mut Remarks) {
    let at = |key: &str| format!("issuer.bank.{place}.{key}");
    let known = PinBlockFormat::numbered(format).is_some();
    if !known {
        remarks.error(at("pin_block_format"), "write 0, 3 (TDEA) or 4 (AES)");
    }
    let bytes = hex::decode(header).is_ok();
    if !bytes {
        remarks.error(at("header"), format!("header {header:?}: write bytes in hexadecimal"));
    }
    if known
        && bytes
        && let Err(error) = ramz_issuer::shape(place, layout, header, format)
    {
        remarks.error(at("layout"), error.to_string());
    }
}

fn router(config: &RouterConfig, remarks: &mut Remarks) {
    door("router.listen.api", &config.listen.api, remarks);
    metrics("router.listen.metrics", &config.listen.metrics, remarks);
    for bank in &config.harim.banks {
        url("router.harim.banks", &bank.url, remarks);
    }
    if !config.listen.directory.is_empty() {
        door("router.listen.directory", &config.listen.directory, remarks);
    }
    if let Err(error) = config.harim.check() {
        let place = match error {
            ramz_router::StartError::Asker(_) => "router.harim.askers",
            _ => "router.harim.banks",
        };
        remarks.error(place, error.to_string());
    }
    if config.harim.banks.is_empty() {
        remarks.warn("router.harim.banks", "is empty: every bank is unavailable");
    }
    if config.harim.askers.is_empty() {
        remarks.warn("router.harim.askers", "is empty: nobody can ask");
    }
}

fn gateway(config: &GatewayConfig, remarks: &mut Remarks) {
    let page = &config.page;
    door("gateway.listen.page", &config.listen.page, remarks);
    metrics("gateway.listen.metrics", &config.listen.metrics, remarks);
    remarks.errors_of("gateway.store.url", config.store.check());
    let mut with_keys = page.clone();
    for merchant in with_keys.merchants.iter_mut().filter(|merchant| merchant.api_key_file.is_some()) {
        // The key is in its file: that is for `ramz doctor` to look at.
        merchant.api_key = ApiKey::new("in a file, looked at by the doctor");
    }
    if let Err(error) = with_keys.check() {
        remarks.error(format!("gateway.page.{}", error.place), error.what);
    }
    url("gateway.page.router", &page.router, remarks);
    for link in &page.links {
        peer("gateway.page.links", &link.address, remarks);
    }
    if is_open(&config.listen.page) {
        let what = "plain HTTP, and not on loopback: PINs are typed here; put TLS before it";
        remarks.warn("gateway.listen.page", what);
    }
    let local = ["http://localhost", "http://127.0.0.1"].iter().any(|at| page.public_url.starts_with(at));
    if page.public_url.starts_with("http://") && !local {
        remarks.warn(
            "gateway.page.public_url",
            "payers reach the page without TLS: PINs can be read on the way",
        );
    }
    if !page.frame_ancestors.is_empty() {
        let what = "a frame hides from payers where they type a PIN, and in one of another site nobody can pay: \
                    browsers keep the page's cookie from it";
        remarks.warn("gateway.page.frame_ancestors", what);
    }
    if !page.payer_header.is_empty() && is_open(&config.listen.page) {
        remarks.warn(
            "gateway.page.payer_header",
            "is believed: let nobody but the proxy that sets it reach listen.page",
        );
    }
    if page.merchants.is_empty() {
        remarks.warn("gateway.page.merchants", "is empty: nobody can open a payment");
    }
    if page.links.is_empty() {
        remarks.warn("gateway.page.links", "is empty: no card can pay");
    }
}

fn door(at: &str, address: &str, remarks: &mut Remarks) {
    if host_and_port(address).is_none() {
        remarks.error(at, format!("{address:?} is no address to listen on: write host:port"));
    }
}

fn metrics(at: &str, address: &str, remarks: &mut Remarks) {
    if address.is_empty() {
        remarks.warn(at, "is empty: nobody can see how the role is");
        return;
    }
    door(at, address, remarks);
    if is_open(address) {
        remarks.warn(at, "plain HTTP, and not on loopback: let only the operators' network reach it");
    }
}

fn peer(at: &str, address: &str, remarks: &mut Remarks) {
    if host_and_port(address).is_none_or(|(_, port)| port == 0) {
        remarks.error(at, format!("{address:?} is no address: write host:port"));
    }
}

/// Where there is a service of ours. All of them are spoken to under mutual TLS, whatever a URL says.
fn url(at: &str, url: &str, remarks: &mut Remarks) {
    let bare = url.strip_prefix("https://");
    if bare.is_none_or(|rest| rest.is_empty() || rest.contains(['/', '@', '?', ' '])) {
        remarks.error(at, format!("{url:?} is no base URL: write https://host:port, without a path"));
    }
}

fn iins(at: &str, iins: &[String], remarks: &mut Remarks) {
    for iin in iins.iter().filter(|iin| Iin::parse(iin).is_none()) {
        remarks.error(at, format!("{iin:?} is not an IIN of six digits"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(text: &str) -> Remarks {
        look(&super::super::defaults().unwrap(), &text.parse().unwrap())
    }

    fn places(remarks: &[Remark]) -> Vec<&str> {
        remarks.iter().map(|remark| remark.at.as_str()).collect()
    }

    #[test]
    fn every_error_is_told_with_its_place() {
        let text = "[isuer]\n[issuer.bank]\ncolour = \"blue\"\n[issuer.bank.policy]\ndigit = 7\nvalid_for_s = \"long\"\n\
                    [router.listen]\napi = 8710\n[gateway.page]\nmerchants = [{ id = 1 }]\n";
        let errors = looked(text).errors;
        let expected = [
            "gateway.page.merchants",
            "issuer.bank.colour",
            "issuer.bank.policy.digit",
            "issuer.bank.policy.valid_for_s",
            "isuer",
            "router.listen.api",
        ];
        assert_eq!(places(&errors), expected, "{errors:#?}");
        assert_eq!(errors[0].to_string().lines().count(), 1);
        assert!(errors[2].to_string().starts_with("[issuer.bank.policy] digit: "), "{}", errors[2]);
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let text = "[issuer.bank]\niins = [\"61043\"]\n[issuer.bank.policy]\ndigits = 5\n[issuer.bank.host]\naddress = \"host\"\n\
                    pin_block_format = 7\nheader = \"zz\"\n[gateway.page]\norigin = \"https://x\"\nrouter = \"router\"\n\
                    [operator]\nurl = \"https://x/y\"\n[router.listen]\napi = \"nowhere\"\n";
        let errors = looked(text).errors;
        let expected = [
            "gateway.page.origin",
            "gateway.page.router",
            "issuer.bank.host.address",
            "issuer.bank.host.header",
            "issuer.bank.host.pin_block_format",
            "issuer.bank.iins",
            "issuer.bank.policy",
            "operator.url",
            "router.listen.api",
        ];
        assert_eq!(places(&errors), expected, "{errors:#?}");
    }

    #[test]
    fn a_service_that_is_spoken_to_under_tls_has_an_https_url() {
        let bank = |url: &str| format!("[[router.harim.banks]]\nid = \"mellat\"\nurl = \"{url}\"\n");
        let at = |text: &str| looked(text).errors;
        for (text, place) in [
            ("[operator]\nurl = \"https://b.example:1\"\n".to_owned(), "operator.url"),
            ("[gateway.page]\nrouter = \"https://b.example:1\"\n".to_owned(), "gateway.page.router"),
            (bank("https://b.example:1"), "router.harim.banks"),
        ] {
            assert_eq!(at(&text), []);
            let errors = at(&text.replace("https:", "http:"));
            assert_eq!(places(&errors), [place], "{text}");
            assert!(errors[0].to_string().contains("write https://host:port"), "{errors:?}");
        }
        // Pages may be on this machine.
        let page = "[gateway.page]\npublic_url = \"http://localhost:8730\"\n";
        assert_eq!(at(page), []);
    }

    #[test]
    fn what_a_router_would_not_start_with_is_told() {
        let asker = "name = \"a\"\nacquirers = [\"1\"]\nkinds = [\"purchase\"]\norigins = [\"pay.example\"]";
        let bank =
            |id: &str| format!("[[router.harim.banks]]\nid = \"{id}\"\nurl = \"https://b.example:1\"\n");
        let with = |more: &str| looked(&format!("{}{more}", bank("mellat"))).errors;
        let asked = |asker: &str| with(&format!("[[router.harim.askers]]\n{asker}\n"));
        assert_eq!(asked(asker), []);
        for (errors, place, what) in [
            (asked(&asker.replace("pay.", "https://pay.")), "router.harim.askers", "origin"),
            (asked(&asker.replace("purchase", "gift")), "router.harim.askers", "kind"),
            (asked(&format!("{asker}\nburst = 0")), "router.harim.askers", "burst"),
            (with(&bank("mellat")), "router.harim.banks", "twice"),
            (with(&bank("nobodys")), "router.harim.banks", "has no bank"),
            (with("[router.listen]\ndirectory = \"nowhere\"\n"), "router.listen.directory", "host:port"),
        ] {
            assert_eq!(places(&errors), [place], "{errors:?}");
            assert!(errors[0].to_string().contains(what), "{errors:?}");
        }
    }

    #[test]
    fn what_an_issuer_would_not_start_with_is_told() {
        let asker = "[[issuer.bank.askers]]\nname = \"a\"\nacquirers = [\"1\"]\nkinds = [\"purchase\"]\norigins = [\"pay.example\"]\n";
        assert_eq!(looked(asker).errors, []);
        for (text, place, what) in [
            (asker.replace("pay.", "https://pay."), "issuer.bank.askers", "without scheme"),
            (asker.replace("purchase", "gift"), "issuer.bank.askers", "no kind of payment"),
            (asker.repeat(2), "issuer.bank.askers", "twice"),
            (
                "[[issuer.bank.verifiers]]\nname = \"a\"\nzone = \"z\"\npin_block_format = 9\n".into(),
                "issuer.bank.verifiers",
                "format 9",
            ),
            ("[issuer.bank]\nshort_code = \"*737#\"\n".into(), "issuer.bank.short_code", "digits"),
            ("[issuer.bank]\nid = \"\"\n".into(), "issuer.bank.id", "empty"),
            (
                "[issuer.bank.app]\naddress_header = \"X Real\"\n".into(),
                "issuer.bank.app.address_header",
                "X-Real-IP",
            ),
            (
                "[issuer.listen]\nswitch = \"127.0.0.1:1\"\napi = \"127.0.0.1:1\"\n".into(),
                "issuer.listen.switch",
                "issuer.listen.api",
            ),
            (
                "[issuer.listen]\nswitch = \"0.0.0.0:1\"\napi = \"localhost:1\"\n".into(),
                "issuer.listen.switch",
                "issuer.listen.api",
            ),
            ("[log]\nfilter = \"foo=bar=baz\"\n".into(), "log.filter", "foo=bar=baz"),
        ] {
            let errors = looked(&text).errors;
            assert_eq!(places(&errors), [place], "{text}: {errors:?}");
            assert!(errors[0].to_string().contains(what), "{errors:?}");
        }
        for apart in [
            "switch = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"",
            "switch = \"127.0.0.1:1\"\napi = \"127.0.0.2:1\"",
        ] {
            assert_eq!(looked(&format!("[issuer.listen]\n{apart}\n")).errors, [], "{apart}");
        }
        let two =
            looked("[issuer.listen]\napi = \"127.0.0.1:1\"\n[gateway.listen]\npage = \"127.0.0.1:1\"\n");
        assert!(places(&two.warnings).contains(&"gateway.listen.page"), "{two:?}");
    }

    #[test]
    fn who_may_frame_the_app_is_an_origin_and_is_told_as_a_risk() {
        let with = |origin: &str| {
            looked(&format!(
                "[issuer.listen]\napp = \"127.0.0.1:1\"\n[issuer.bank]\niins = [\"610433\"]\n[issuer.bank.app]\n\
                 public_url = \"https://app.example\"\naddress_header = \"X-Real-IP\"\nframed_by = [\"{origin}\"]\n"
            ))
        };
        let framed = with("https://portal.example");
        assert!(framed.errors.is_empty(), "{framed:?}");
        assert!(places(&framed.warnings).contains(&"issuer.bank.app.framed_by"), "{framed:?}");
        for origin in ["https://portal.example/app", "*", "https://*.example", "http://portal.example"] {
            let errors = with(origin).errors;
            let told = errors.iter().any(|error| error.to_string().contains("app.framed_by"));
            assert!(told, "{origin}: {errors:?}");
        }
    }

    #[test]
    fn what_is_risky_is_told_of_the_roles_that_a_file_is_about() {
        let open = "[issuer.listen]\nswitch = \"0.0.0.0:1\"\nmetrics = \"\"\n[issuer.bank]\niins = [\"610433\"]\n\
                    operators = [\"router\"]\n[issuer.bank.policy]\ndigits = 6\nvalid_for_s = 300\n[log]\nfilter = \"debug\"\n";
        let remarks = looked(open);
        let expected = [
            "issuer.bank.operators",
            "issuer.bank.policy.digits",
            "issuer.bank.policy.valid_for_s",
            "issuer.listen.api",
            "issuer.listen.metrics",
            "issuer.listen.switch",
            "log.filter",
        ];
        assert!(remarks.errors.is_empty(), "{remarks:?}");
        assert_eq!(places(&remarks.warnings), expected);
        assert!(looked("").warnings.is_empty());
    }
}
