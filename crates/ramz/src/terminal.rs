//! A terminal's way to a bank, from a `[terminal]` table: what `ramz terminal` and the lab's ATM ask with.

use std::sync::Arc;

use anyhow::Context as _;
use ramz_api::tap::NoTap;
use ramz_domain::{Clock, Entropy, Iin, limits};
use ramz_keys::Keys as _;
use ramz_link::{Link, LinkConfig, Names};
use ramz_sim::terminal::Way;
use tokio_util::sync::CancellationToken;

use crate::config::TerminalConfig;
use crate::roles::open_keys;
use crate::system::tcp::TcpConnector;

/// Opens the key file and starts the link; it connects by itself. With no `iins` the bank is asked about every card.
pub(crate) fn way(
    config: &TerminalConfig,
    iins: Vec<Iin>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Way> {
    let (shape, format) = config.shape()?;
    let keys = open_keys(&config.keys, entropy)?;
    let zone = config.zone.clone();
    anyhow::ensure!(
        keys.zone_takes(&zone, format),
        "the key file {} has no zone {zone:?} for PIN blocks of format {format}; `ramz keys zone` adds one",
        config.keys.file.display()
    );
    let link = LinkConfig {
        name: "terminal → bank".into(),
        address: config.address.clone(),
        layout: shape.layout,
        header: shape.header,
        sign_on: config.sign_on,
        echo_every: limits::LINK_ECHO_EVERY,
        answer_timeout: limits::HOST_TIMEOUT,
    };
    // The bank's own tap sees both directions of this wire.
    let (tap, names) = (Arc::new(NoTap), Names { ours: "terminal".into(), theirs: "bank".into() });
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let link = Link::start(link, Arc::new(TcpConnector), clock, entropy, tap, names, shutdown.child_token());
    Ok(Way { iins, link, zone, format, keys: Arc::new(keys) })
}

/// Six digits each, as configuration has them.
pub(crate) fn iins(words: &[&str]) -> anyhow::Result<Vec<Iin>> {
    words.iter().map(|word| Iin::parse(word).with_context(|| format!("{word:?} is no IIN"))).collect()
}
