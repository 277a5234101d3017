//! Certificates that are renewed while a role runs: the same files, read again when they have changed.
//!
//! ```text
//!   changed ─▶ stands still for one look ─▶ read ─▶ fits and in date: new connections use it, old ones go on
//!                                             └───▶ does not: refused, told, the old one stays
//! ```
//!
//! Files are looked at every [`limits::TLS_LOOK_EVERY`], or at once when that is asked for (SIGHUP). They are replaced one after
//! the other, so what has just changed is left alone until the next look finds it unchanged: a certificate without its
//! key is no news. TLS sessions are not resumed across a change: whom a new authority does not know is turned away.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;
use ramz_api::metrics::{Page, Show};
use ramz_domain::{Clock as _, limits};
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::files::{Loaded, TlsConfig};
use crate::system::clock::SystemClock;

/// Certificate, key and authority as they are now.
pub(crate) struct Tls {
    config: TlsConfig,
    loaded: RwLock<Arc<Loaded>>,
    stamps: Stamps,
    reloads: AtomicU64,
    /// What the files hold was refused; what they held before is in use.
    refused: AtomicBool,
}

/// What changes about a file when it is replaced or written: time, length, inode. `None`: it cannot be looked at.
type Stamp = Option<(i64, i64, u64, u64)>;
type Stamps = [Stamp; 3];

impl Tls {
    /// Reads the files.
    pub(crate) fn load(config: &TlsConfig) -> anyhow::Result<Arc<Tls>> {
        let stamps = stamps(config);
        let loaded = Loaded::read(config)?;
        if let Err(error) = loaded.in_date(SystemClock.now()) {
            // Not refused: the peers decide, and their clocks may be better than ours.
            tracing::warn!(file = %config.cert_file.display(), %error, "peers will not take this certificate");
        }
        Ok(Arc::new(Tls {
            config: config.clone(),
            loaded: RwLock::new(Arc::new(loaded)),
            stamps,
            reloads: AtomicU64::new(0),
            refused: AtomicBool::new(false),
        }))
    }

    /// Follows the files until `shutdown`; looks at once when `reread` changes.
    pub(crate) async fn follow(
        self: Arc<Tls>,
        mut reread: watch::Receiver<u64>,
        shutdown: CancellationToken,
    ) {
        let (mut taken, mut last) = (self.stamps, self.stamps);
        let mut tick = interval(limits::TLS_LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => false,
                () = changed(&mut reread) => true,
            };
            let tls = Arc::clone(&self);
            let now = tokio::task::spawn_blocking(move || stamps(&tls.config)).await.unwrap_or(last);
            let anew = asked || (now != taken && now == last);
            // What was refused may be good meanwhile, by its date or by who may read it, and no stamp tells.
            if anew || (now == taken && self.refused.load(Ordering::Relaxed)) {
                taken = now;
                let tls = Arc::clone(&self);
                // A panic inside has been told by its hook; the old certificate stays.
                let _ = tokio::task::spawn_blocking(move || tls.take(anew)).await;
            }
            last = now;
        }
    }

    /// Takes what the files hold now, if it can be used. If not, that is told when they are new.
    fn take(&self, anew: bool) {
        let file = self.config.cert_file.display();
        let read = Loaded::read(&self.config).and_then(|loaded| {
            loaded.in_date(SystemClock.now()).with_context(|| self.config.cert_file.display().to_string())?;
            Ok(loaded)
        });
        match read {
            Ok(loaded) => {
                tracing::info!(%file, expires_s = loaded.valid_s.1, "the certificate was read again");
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                self.reloads.fetch_add(1, Ordering::Relaxed);
                self.refused.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                if anew {
                    let why = format!("{error:#}");
                    tracing::error!(%file, why, "the new certificate, key or authority is refused; the old ones stay");
                }
                self.refused.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.now().server)
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.now().client)
    }

    fn now(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Show for Tls {
    fn show(&self, page: &mut Page) {
        let (name, now) = ("ramz_tls_certificate_expires_timestamp_seconds", self.now());
        page.gauge(name, "When a certificate in use runs out, in Unix seconds.");
        page.sample(name, &[("of", "own")], now.valid_s.1);
        page.sample(name, &[("of", "authority")], now.ca_expires_s);
        let name = "ramz_tls_reloads_total";
        page.counter(name, "Changed certificate files that were taken into use.");
        page.sample(name, &[], self.reloads.load(Ordering::Relaxed));
        let name = "ramz_tls_files_refused";
        page.gauge(
            name,
            "Whether the certificate files as they are now were refused; what they held before is in use.",
        );
        page.sample(name, &[], u8::from(self.refused.load(Ordering::Relaxed)));
    }
}

/// Never, once nobody can ask any more.
async fn changed(reread: &mut watch::Receiver<u64>) {
    if reread.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn stamps(config: &TlsConfig) -> Stamps {
    config.files().map(|file| {
        let found: io::Result<_> = std::fs::metadata(file);
        found.ok().map(|data| (data.mtime(), data.mtime_nsec(), data.len(), data.ino()))
    })
}
