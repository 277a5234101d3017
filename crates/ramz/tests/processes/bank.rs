//! A bank's surroundings in the test's process (card host, SMSC with handsets), and the files that its issuer is started
//! from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ramz_api::tap::NoTap;
use ramz_domain::{Pan, Phone, Pin, Rial};
use ramz_iso8583::Layout;
use ramz_keys::{Argon2Params, KeyRing, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::Names;
use ramz_sim::handsets::Handsets;
use ramz_sim::host::{Account, AccountState, CardHost};
use ramz_sim::smsc::{self, Smsc};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::certificates::{Authority, Tls};
use super::database::Kept;
use super::process::{Process, free_ports};
use super::surroundings::{Loopback, Random, Wall};
use super::wires::{Payee, Site, Switch, pin_in, written};
use super::{surroundings, until};

pub(crate) const IIN: &str = "610433";
pub(crate) const EXPIRY: &str = "0912";
pub(crate) const ZONE_KEY: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
pub(crate) const HOST_ZONE_KEY: [u8; 16] =
    *b"\x10\x32\x54\x76\x98\xBA\xDC\xFE\xEF\xCD\xAB\x89\x67\x45\x23\x01";
const BALANCE: u64 = 900_000_000_000;
const PASSWORD: &str = "s3cr3tpw";
/// Every card's, at the host.
pub(crate) const FIRST_PIN: &str = "4271";
/// Where cardholders text to.
pub(crate) const SHORT_CODE: &str = "30003303";

/// Names in certificates.
pub(crate) const ROUTER: &str = "router.test";
pub(crate) const ASKER: &str = "asker.test";
pub(crate) const OPERATOR: &str = "operator.test";
pub(crate) const STRANGER: &str = "stranger.test";

/// Everything around an issuer.
pub(crate) struct Bank {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
    pub(crate) host: Arc<CardHost>,
    pub(crate) handsets: Arc<Handsets>,
    pub(crate) smsc: Arc<Smsc>,
    /// The first of the issuer's four ports: API, switch, back office, metrics.
    pub(crate) port: u16,
    pub(crate) shutdown: CancellationToken,
    /// What its roles keep their rows in.
    pub(crate) kept: Kept,
    host_port: u16,
    smpp_port: u16,
    _stop: DropGuard,
}

impl Bank {
    /// Starts card host and SMSC, and writes the issuer's files, but for its key file.
    pub(crate) async fn open() -> Bank {
        Bank::keeping(Kept::as_told).await
    }

    /// The same with a store of this kind, in the bank's folder if it is a file.
    pub(crate) async fn keeping(kept: impl FnOnce(&Path) -> Kept) -> Bank {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(&folder.path().join("tls"));
        let shutdown = CancellationToken::new();
        let handsets = Handsets::new();
        let account = smsc::Account {
            system_id: "bank".into(),
            password: PASSWORD.to_owned().into(),
            name: "bank".into(),
            short_code: SHORT_CODE.into(),
        };
        let (wall, silent) = (Arc::new(Wall), Arc::new(NoTap));
        let (host_port, smpp_port) = (free_ports(1), free_ports(1));
        let door = Loopback::bind(smpp_port).await;
        let smsc =
            Smsc::start(door, vec![account], handsets.clone(), wall, silent.clone(), shutdown.child_token());
        let mut ring = KeyRing::generate(&Random);
        ring.add_zone("host", zone(&HOST_ZONE_KEY)).unwrap();
        let host = CardHost::new(Arc::new(SoftKeys::new(ring, Arc::new(Random))), "host");
        let names = Names { ours: "card host".into(), theirs: "bank".into() };
        let door = Loopback::bind(host_port).await;
        let layout = Layout::named("ascii").unwrap();
        tokio::spawn(host.clone().run(door, layout, Vec::new(), silent, names, shutdown.child_token()));
        let bank = Bank {
            authority,
            host,
            handsets,
            smsc,
            port: free_ports(4),
            _stop: shutdown.clone().drop_guard(),
            shutdown,
            kept: kept(folder.path()),
            host_port,
            smpp_port,
            folder,
        };
        bank.write("passphrase", "correct horse battery staple\n");
        bank.write("smpp-password", PASSWORD);
        for name in ["issuer.test", ROUTER, ASKER, OPERATOR, STRANGER] {
            bank.authority.certify(name);
        }
        bank.settings("issuer.toml", &json!({ "issuer": bank.issuer_settings() }));
        let operator = json!({ "url": bank.at("https", 2), "tls": bank.tls(OPERATOR).settings() });
        bank.settings("operator.toml", &json!({ "operator": operator }));
        bank
    }

    /// A file in the bank's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a configuration file.
    pub(crate) fn settings(&self, name: &str, settings: &Value) -> PathBuf {
        self.write(name, &toml::to_string_pretty(settings).unwrap())
    }

    pub(crate) fn tls(&self, name: &str) -> Tls {
        let at = |end: &str| self.file("tls").join(format!("{name}.{end}"));
        Tls { ca: self.file("tls").join("ca.pem"), cert: at("pem"), key: at("key") }
    }

    /// Where the card host listens.
    pub(crate) fn host_port(&self) -> u16 {
        self.host_port
    }

    /// Where the SMSC listens.
    pub(crate) fn smpp_port(&self) -> u16 {
        self.smpp_port
    }

    /// The URL of one of the issuer's ports.
    pub(crate) fn at(&self, scheme: &str, nth: u16) -> String {
        format!("{scheme}://localhost:{}", self.port + nth)
    }

    /// The `[issuer]` table.
    pub(crate) fn issuer_settings(&self) -> Value {
        let listen = |nth: u16| format!("127.0.0.1:{}", self.port + nth);
        let payee = payee();
        let asker = json!({
            "name": ASKER, "acquirers": [payee.acquirer], "kinds": ["purchase"], "origins": [payee.origin],
        });
        json!({
            "listen": { "api": listen(0), "switch": listen(1), "admin": listen(2), "metrics": listen(3) },
            "tls": self.tls("issuer.test").settings(),
            "store": self.kept.settings("issuer"),
            "keys": { "file": self.file("issuer.keys"), "passphrase_file": self.file("passphrase") },
            "sms": {
                "address": format!("127.0.0.1:{}", self.smpp_port),
                "system_id": "bank",
                "password_file": self.file("smpp-password"),
                "sender": "Bank Mellat",
            },
            "bank": {
                "id": "mellat",
                "name_fa": "بانک ملت",
                "name_en": "Bank Mellat",
                "iins": [IIN],
                "routers": [ROUTER],
                "askers": [asker],
                "operators": [OPERATOR],
                "verifiers": [{ "name": ASKER, "zone": "switch", "pin_block_format": 0 }],
                // What one program asks here is what a country does elsewhere.
                "limits": { "asker_per_s": 20_000 },
                "switch": { "zone": "switch" },
                "host": { "address": format!("127.0.0.1:{}", self.host_port), "zone": "host" },
            },
        })
    }

    /// A key file whose passphrase is stretched for a moment only: `ramz keys init` takes its time.
    pub(crate) fn quick_keys(&self) {
        self.quick_key_file("issuer.keys", &[("switch", &ZONE_KEY), ("host", &HOST_ZONE_KEY)]);
    }

    /// The same for any role.
    pub(crate) fn quick_key_file(&self, name: &str, zones: &[(&str, &[u8])]) {
        let mut ring = KeyRing::generate(&Random);
        for (name, key) in zones {
            ring.add_zone(name, zone(key)).unwrap();
        }
        let passphrase = fs::read_to_string(self.file("passphrase")).unwrap();
        let sealed = ring.seal(passphrase.trim().as_bytes(), Argon2Params::FOR_TESTS, &Random).unwrap();
        fs::write(self.file(name), sealed).unwrap();
    }

    /// Starts the issuer, and waits until it says that it is ready.
    pub(crate) fn start(&self) -> Process {
        let mut process = self.begin();
        assert_eq!(
            process.line(),
            format!(
                "issuer mellat ready: api 127.0.0.1:{} switch 127.0.0.1:{} admin 127.0.0.1:{}",
                self.port,
                self.port + 1,
                self.port + 2
            )
        );
        process
    }

    /// Starts the issuer, and waits for nothing.
    pub(crate) fn begin(&self) -> Process {
        start("issuer", &self.file("issuer.toml"), &self.file("issuer.log"))
    }

    /// Waits until card host and SMSC are reached.
    pub(crate) async fn ready(&self) {
        let metrics = Site::plain(&self.at("http", 3));
        until("the issuer is ready", async || {
            let request = axum::http::Request::get("/readyz").body(axum::body::Bytes::new()).unwrap();
            metrics.call(request).await.ok().filter(|reply| reply.status == 200)
        })
        .await;
    }

    /// A client of one of the issuer's doors with this name's certificate.
    pub(crate) fn site(&self, nth: u16, name: &str) -> Site {
        Site::new(surroundings::TlsClient::with(&self.tls(name)), &self.at("https", nth))
    }

    /// The switch's link to the issuer.
    pub(crate) fn switch(&self) -> Switch {
        Switch::to(&format!("127.0.0.1:{}", self.port + 1), &ZONE_KEY, &self.shutdown)
    }

    /// Opens an account at the card host.
    pub(crate) fn account(&self, pan: &Pan) {
        let balance = Rial::new(BALANCE).unwrap();
        let account = Account {
            pan: pan.clone(),
            balance,
            first_pin: Some(Pin::parse(FIRST_PIN).unwrap()),
            second_pin: None,
            state: AccountState::Open,
        };
        self.host.open(account).unwrap();
    }

    /// The PIN of the SMS with this amount, if it has come.
    pub(crate) fn pin(&self, phone: &str, amount: u64) -> Option<String> {
        let messages = self.handsets.messages(&Phone::parse(phone).unwrap());
        let wanted = written(amount);
        messages.iter().rev().map(|m| m.text.expose()).find(|text| text.contains(&wanted)).and_then(pin_in)
    }

    /// Waits for it.
    pub(crate) async fn pin_comes(&self, phone: &str, amount: u64) -> String {
        until("the SMS comes", async || self.pin(phone, amount)).await
    }
}

/// Starts a role from a file.
pub(crate) fn start(role: &str, settings: &Path, log: &Path) -> Process {
    Process::start([role.as_ref(), "--config".as_ref(), settings.as_os_str()], log)
}

fn zone(key: &[u8]) -> ZoneKey {
    ZoneKey::new(ZoneCipher::Tdea, key).unwrap()
}

/// The merchant that everything is bought from.
pub(crate) fn payee() -> Payee {
    Payee {
        acquirer: "581672061".into(),
        merchant: "000000140332124".into(),
        terminal: "14033212".into(),
        name: "فروشگاه نمونه".into(),
        origin: "pay.example".into(),
    }
}

/// A card as `ramz cards add` and the back office take it.
pub(crate) fn card(pan: &Pan, phone: &str) -> Value {
    json!({ "pan": pan.expose(), "expiry": EXPIRY, "phone": phone, "language": "fa" })
}
