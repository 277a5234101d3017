//! The hosts of a URL, each with the settings of a connection to it alone: the connecting library tries several in turn by itself, but
//! waits without end for one that takes the connection and then says nothing. Here each has its time, until it is known to be of use.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ramz_domain::limits;
use tokio::time::Instant;
use tokio_postgres::Config;
use tokio_postgres::config::{Host as Name, LoadBalanceHosts};

/// By then all hosts have been tried; what is left of a caller's wait is for ending what is in doubt.
const OPENED_WITHIN: Duration = limits::STORE_WAIT_MAX.saturating_sub(Duration::from_secs(1));

/// Every host, and where to begin.
pub(crate) struct Hosts {
    each: Vec<Host>,
    /// The one that was of use last, or the one behind a silent one: who was silent does not hold up the next connection too.
    first: AtomicUsize,
    /// Whether connections begin with one host after another, so that each has its part of them.
    spread: bool,
    /// `connect_timeout`.
    limit: Option<Duration>,
}

/// One host.
pub(crate) struct Host {
    at: usize,
    /// As the URL has it.
    pub(crate) name: String,
    config: Config,
    /// What its addresses are asked for by, unless it has one already or is a socket.
    lookup: Option<(String, u16)>,
}

/// Time that several share, each in its turn: what one leaves is there for the others.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    until: Instant,
    limit: Option<Duration>,
}

impl Hosts {
    /// # Errors
    /// If there are other numbers of ports or addresses than of hosts.
    pub(crate) fn of(config: &Config) -> Result<Hosts, &'static str> {
        let (names, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        if ports.len() > 1 && ports.len() != names.len() {
            return Err("the URL must have one port, or one for each host");
        }
        if !addresses.is_empty() && addresses.len() != names.len() {
            return Err("the URL must have no hostaddr, or one for each host");
        }
        let each = names.iter().enumerate().map(|(at, name)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            Host::new(config, at, name, addresses.get(at).copied(), port)
        });
        let spread = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
        let limit = config.get_connect_timeout().copied();
        Ok(Hosts { each: each.collect(), first: AtomicUsize::new(0), spread, limit })
    }

    /// All of them, in the order in which this connection tries them.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &Host> {
        let first = match self.spread {
            true => self.first.fetch_add(1, Ordering::Relaxed),
            false => self.first.load(Ordering::Relaxed),
        };
        let first = first % self.each.len().max(1);
        self.each[first..].iter().chain(&self.each[..first])
    }

    /// The time that a connection may take.
    pub(crate) fn time(&self) -> Share {
        Share { until: Instant::now() + OPENED_WITHIN, limit: self.limit }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// This one was of use: the next connection begins here.
    pub(crate) fn was_of_use(&self, host: &Host) {
        if !self.spread {
            self.first.store(host.at, Ordering::Relaxed);
        }
    }

    /// This one said nothing in time: the next connection does not begin here, even if this one comes to nothing.
    pub(crate) fn was_silent(&self, host: &Host) {
        if !self.spread {
            let next = (host.at + 1) % self.each.len().max(1);
            // Another connection may have found one that is of use.
            let _ = self.first.compare_exchange(host.at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

impl Host {
    fn new(all: &Config, at: usize, name: &Name, address: Option<IpAddr>, port: u16) -> Host {
        let mut config = alone(all);
        config.port(port);
        let (shown, lookup) = match name {
            Name::Tcp(name) => {
                config.host(name);
                (name.clone(), address.is_none().then(|| (name.clone(), port)))
            }
            Name::Unix(path) => {
                config.host_path(path);
                (path.display().to_string(), None)
            }
        };
        if let Some(address) = address {
            config.hostaddr(address);
        }
        Host { at, name: format!("{shown}:{port}"), config, lookup }
    }

    /// The settings of a connection to each of its addresses. The name stays in them: it is what a certificate is for.
    pub(crate) async fn places(&self) -> std::io::Result<Vec<Config>> {
        let Some((name, port)) = &self.lookup else { return Ok(vec![self.config.clone()]) };
        let found = tokio::net::lookup_host((name.as_str(), *port)).await?;
        let at = |address: std::net::SocketAddr| {
            let mut config = self.config.clone();
            config.hostaddr(address.ip());
            config
        };
        Ok(found.map(at).collect())
    }
}

impl Share {
    /// The part of the first of so many that are still to be tried.
    pub(crate) fn part(self, of: usize) -> Share {
        let left = self.until.saturating_duration_since(Instant::now());
        let part = left / u32::try_from(of).unwrap_or(u32::MAX).max(1);
        Share { until: Instant::now() + part, limit: self.limit }
    }

    /// Until when one attempt goes on that has this share.
    pub(crate) fn until(self) -> Instant {
        self.limit.map_or(self.until, |limit| self.until.min(Instant::now() + limit))
    }
}

/// All settings but for the hosts, their ports and addresses, and the limits that are kept here.
fn alone(all: &Config) -> Config {
    let mut config = Config::new();
    config
        .ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle())
        .target_session_attrs(all.get_target_session_attrs())
        .channel_binding(all.get_channel_binding());
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(database) = all.get_dbname() {
        config.dbname(database);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    if let Some(unacknowledged) = all.get_tcp_user_timeout() {
        config.tcp_user_timeout(*unacknowledged);
    }
    if let Some(interval) = all.get_keepalives_interval() {
        config.keepalives_interval(interval);
    }
    if let Some(retries) = all.get_keepalives_retries() {
        config.keepalives_retries(retries);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Hosts {
        Hosts::of(&url.parse().unwrap()).unwrap()
    }

    fn order(hosts: &Hosts) -> Vec<usize> {
        hosts.in_turn().map(|host| host.at).collect()
    }

    #[test]
    fn the_next_connection_begins_where_the_last_one_was_of_use() {
        let hosts = hosts("postgresql://ramz@db1,db2:5433,db3/mellat");
        let names: Vec<&str> = hosts.each.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["db1:5432", "db2:5433", "db3:5432"]);
        assert_eq!(order(&hosts), [0, 1, 2]);
        hosts.was_silent(&hosts.each[0]);
        assert_eq!(order(&hosts), [1, 2, 0], "who was silent is not asked first again");
        hosts.was_of_use(&hosts.each[2]);
        assert_eq!(order(&hosts), [2, 0, 1]);
        hosts.was_silent(&hosts.each[0]);
        assert_eq!(order(&hosts), [2, 0, 1], "what another found stays");
    }

    #[test]
    fn where_hosts_share_the_load_each_is_begun_with() {
        let hosts = hosts("postgresql://ramz@db1,db2/mellat?load_balance_hosts=random");
        hosts.was_of_use(&hosts.each[1]);
        assert_eq!([order(&hosts), order(&hosts), order(&hosts)], [[0, 1], [1, 0], [0, 1]]);
    }

    #[test]
    fn every_host_has_its_part_of_the_time_whatever_the_limit_is() {
        let part = |url: &str, left| hosts(url).time().part(left).until().duration_since(Instant::now());
        let patient = "postgresql://ramz@db1,db2,db3/mellat?connect_timeout=60";
        for (left, most) in [(3, OPENED_WITHIN / 3), (2, OPENED_WITHIN / 2), (1, OPENED_WITHIN)] {
            let part = part(patient, left);
            assert!(part <= most && part > most / 2, "{left}: {part:?}");
        }
        let hasty = part("postgresql://ramz@db1,db2/mellat?connect_timeout=1", 1);
        assert!(hasty <= Duration::from_secs(1), "{hasty:?}");
    }

    #[tokio::test]
    async fn a_connection_is_to_one_place_and_has_the_other_settings() {
        let url = "postgresql://ramz@127.0.0.1,/run/db/mellat?options=-ca%3Db&sslmode=disable";
        let mut config: Config = url.replace("/run/db", "%2Frun%2Fdb").parse().unwrap();
        config.password("secret").keepalives_retries(7);
        let hosts = Hosts::of(&config).unwrap();
        let [tcp] = &hosts.each[0].places().await.unwrap()[..] else { panic!("one address") };
        assert_eq!((tcp.get_hosts().len(), tcp.get_hostaddrs().len()), (1, 1));
        let [socket] = &hosts.each[1].places().await.unwrap()[..] else { panic!("one socket") };
        assert_eq!(socket.get_hostaddrs(), [] as [IpAddr; 0]);
        for one in [tcp, socket] {
            assert_eq!((one.get_user(), one.get_dbname()), (Some("ramz"), Some("mellat")));
            assert_eq!((one.get_options(), one.get_keepalives_retries()), (Some("-ca=b"), Some(7)));
            assert_eq!(
                (one.get_password(), one.get_ssl_mode()),
                (config.get_password(), config.get_ssl_mode())
            );
        }
    }

    #[test]
    fn ports_and_addresses_are_as_many_as_hosts() {
        for parameters in ["port=1,2,3", "hostaddr=127.0.0.1"] {
            let url = format!("host=db1,db2 user=ramz dbname=mellat {parameters}");
            assert!(Hosts::of(&url.parse().unwrap()).is_err(), "{parameters}");
        }
    }
}
