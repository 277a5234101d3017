//! Certificates, keys and authorities are renewed under running roles, in the same files.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use ramz_domain::Clock as _;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::house::House;
use crate::processes::bank::{ASKER, Bank, IIN, OPERATOR, ROUTER, card, payee};
use crate::processes::certificates::{Authority, Tls};
use crate::processes::surroundings::{TlsClient, Wall, client_config};
use crate::processes::until;
use crate::processes::wires::{Site, fresh_key, pan};

const PHONE: &str = "09120001101";

/// A connection of one's own to a door, which stays as it is. Blocking.
pub(crate) struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    pub(crate) fn to(port: u16, tls: &Tls) -> Connection {
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(client_config(tls)), name).unwrap();
        Connection(StreamOwned::new(client, TcpStream::connect(("127.0.0.1", port)).unwrap()))
    }

    /// Asks something over it; whether the door answers.
    pub(crate) fn is_answered(&mut self) -> bool {
        let request = b"GET /v1/nothing HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut begin = [0; 12];
        let answer = self.0.write_all(request).and_then(|()| self.0.read_exact(&mut begin));
        let answered = answer.is_ok() && &begin[..10] == b"HTTP/1.1 4";
        // The rest of the answer is of no interest, but must not stand before the next one.
        let mut rest = [0; 4096];
        let _ = answered.then(|| self.0.read(&mut rest));
        answered
    }

    /// Sends something.
    pub(crate) fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
        self.0.flush().unwrap();
    }

    /// The next line of what comes.
    pub(crate) fn read_line(&mut self) -> String {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while self.0.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Waits until the other side closes it.
    pub(crate) fn is_closed(&mut self) -> bool {
        // Without a close_notify it is an error, and closed all the same.
        self.0.read(&mut [0]).map_or(true, |read| read == 0)
    }

    /// The certificate that the door has shown.
    fn certificate(&self) -> Vec<u8> {
        self.0.conn.peer_certificates().unwrap()[0].to_vec()
    }
}

/// What a door shows to who connects now.
fn shown(port: u16, tls: &Tls) -> Option<Vec<u8>> {
    let mut connection = Connection::to(port, tls);
    connection.is_answered().then(|| connection.certificate())
}

/// A metric's value.
async fn metric(port: u16, name: &str) -> Option<f64> {
    let page = Site::plain(&format!("http://localhost:{port}")).get("/metrics").await;
    let line = page.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

async fn is(port: u16, name: &str, value: f64) {
    until(&format!("{name} is {value}"), async || (metric(port, name).await == Some(value)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    let (asker, metrics) = (bank.tls(ASKER), bank.port + 3);
    let mut old = Connection::to(bank.port, &asker);
    assert!(old.is_answered());
    let before = old.certificate();
    is(metrics, "ramz_tls_reloads_total", 0.0).await;

    bank.authority.certify("issuer.test");
    until("both doors show the new one", async || {
        let doors = [(bank.port, &asker), (bank.port + 2, &bank.tls(OPERATOR))];
        let new = doors.map(|(port, tls)| shown(port, tls).filter(|shown| *shown != before));
        (new[0].is_some() && new[0] == new[1]).then_some(())
    })
    .await;
    is(metrics, "ramz_tls_reloads_total", 1.0).await;
    assert!(old.is_answered(), "a connection that was there goes on");
    assert!(
        metric(metrics, "ramz_tls_certificate_expires_timestamp_seconds{of=\"own\"}").await.unwrap() > 0.0
    );

    // At once, when it is asked for.
    let second = shown(bank.port, &asker).unwrap();
    bank.authority.certify("issuer.test");
    issuer.signal("HUP");
    until("the third is shown", async || shown(bank.port, &asker).filter(|shown| *shown != second)).await;
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_and_the_old_one_stays() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    let metrics = bank.port + 3;
    // What is broken is the issuer's; who comes trusts a copy.
    let ca = bank.file("ca-of-the-asker.pem");
    fs::copy(bank.tls(ASKER).ca, &ca).unwrap();
    let asker = Tls { ca, ..bank.tls(ASKER) };
    let before = shown(bank.port, &asker).unwrap();
    let (own, other) = (bank.tls("issuer.test"), bank.tls(ROUTER));
    let good = [&own.cert, &own.key, &own.ca].map(|file| fs::read(file).unwrap());
    let other_key = fs::read(&other.key).unwrap();
    let out_of_date = {
        let folder = bank.file("late");
        fs::create_dir(&folder).unwrap();
        let late = Authority::new(&folder).certify_until("issuer.test", 2001);
        (fs::read(late.cert).unwrap(), fs::read(late.key).unwrap())
    };
    let mut refusals = 0;
    for (what, cert, key, ca) in [
        ("half a certificate", &good[0][..good[0].len() / 2], &good[1][..], &good[2][..]),
        ("another's key", &good[0], &other_key, &good[2]),
        ("no authority", &good[0], &good[1], b"nothing"),
        ("out of date", &out_of_date.0, &out_of_date.1, &good[2]),
    ] {
        for (file, bytes) in [(&own.cert, cert), (&own.key, key), (&own.ca, ca)] {
            fs::write(file, bytes).unwrap();
        }
        is(metrics, "ramz_tls_files_refused", 1.0).await;
        refusals += 1;
        let said = issuer.said();
        assert_eq!(said.matches("is refused; the old ones stay").count(), refusals, "{what}: {said}");
        assert_eq!(shown(bank.port, &asker), Some(before.clone()), "{what}");
        // Put right, it is taken.
        for (file, bytes) in [&own.cert, &own.key, &own.ca].into_iter().zip(&good) {
            fs::write(file, bytes).unwrap();
        }
        is(metrics, "ramz_tls_files_refused", 0.0).await;
    }
    fs::remove_file(&own.key).unwrap();
    is(metrics, "ramz_tls_files_refused", 1.0).await;
    assert_eq!(shown(bank.port, &asker), Some(before));
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

/// An authority whose clock is ahead certifies from a moment to come.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_begins_in_a_moment_is_taken_then() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    let (asker, metrics) = (bank.tls(ASKER), bank.port + 3);
    let before = shown(bank.port, &asker).unwrap();
    bank.authority.certify_from("issuer.test", Wall.now().plus(Duration::from_secs(8)));
    is(metrics, "ramz_tls_files_refused", 1.0).await;
    until("it is shown", async || shown(bank.port, &asker).filter(|shown| *shown != before)).await;
    is(metrics, "ramz_tls_files_refused", 0.0).await;
    assert_eq!(issuer.said().matches("is refused; the old ones stay").count(), 1, "told once");
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_authority_goes_in_at_router_and_issuer() {
    let mut house = House::quick().await;
    let (port, router_port) = (house.bank.port, house.router_port);
    let pan = pan(IIN, 1);
    let added = house.bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let asked = async |house: &House, amount| {
        let asked = house.router(ASKER).ask(fresh_key(), &payee().request(pan.expose(), amount)).await;
        asked.map(|reply| reply.status.as_u16()).ok()
    };
    assert_eq!(asked(&house, 1_000).await, Some(202));
    // What the old authority has certified, kept aside.
    let kept = house.bank.file("kept");
    fs::create_dir(&kept).unwrap();
    let old = house.bank.tls(ASKER);
    let new_ca = old.ca.clone();
    let [ca, cert, key] = [&old.ca, &old.cert, &old.key].map(|file| {
        let to = kept.join(file.file_name().unwrap());
        fs::copy(file, &to).unwrap();
        to
    });
    let old = Tls { ca, cert, key };

    house.bank.authority = Authority::new(&house.bank.file("tls"));
    for name in ["issuer.test", ROUTER, ASKER, OPERATOR, "gateway.test"] {
        house.bank.authority.certify(name);
    }
    until("a request of the new authority goes all the way", async || {
        (asked(&house, 2_000).await == Some(202)).then_some(())
    })
    .await;
    house.bank.pin_comes(PHONE, 2_000).await;
    // The old authority's certificates open nothing any more, though who shows them trusts the new doors.
    let old = Tls { ca: new_ca, ..old };
    for at in [port, port + 2, router_port] {
        until("the door has the new authority", async || shown(at, &house.bank.tls(ASKER))).await;
        let site = Site::new(TlsClient::with(&old), &format!("https://localhost:{at}"));
        assert!(site.ask(fresh_key(), &payee().request(pan.expose(), 3_000)).await.is_err());
    }
    for process in [&mut house.issuer, &mut house.router, &mut house.gateway] {
        assert_eq!(process.terminate().0.code(), Some(0), "{}", process.said());
    }
}
