//! One issuer alone as the target: `ramz issuer` as a process of its own, from files, with SQLite in a temporary folder or a
//! database. This
//! process is everything else: page, switch, card host, SMSC, phones. So both share the machine's cores.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use ramz_api::client::{Http, PinRequests};
use ramz_domain::limits;
use ramz_link::Shape;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::pair::{Payee, Target, switch};
use super::phones::{Inbox, Phones};
use super::{Done, Options, TIMEOUT, closed_loop, plain, say};
use crate::lab::alone::Alone;
use crate::system::tls::{MutualTls, Tls};

/// Starts the issuer, works it, and then writes the same rows into such a store without an issuer.
pub(super) async fn measure(options: &Options, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let alone = Alone::start(options.database.as_deref(), shutdown).await?;
    let mut issuer = process(&alone).await?;
    alone.add_cards(options.cards).await?;
    let (url, tls) = alone.api();
    let requests = PinRequests::new(Http::new(Arc::new(MutualTls::over(&Tls::load(&tls)?)), &url, TIMEOUT)?);
    let (address, zone_key) = alone.switch()?;
    let link = switch(&address, Shape::read("ascii", "")?, shutdown).await?;
    let shop = alone.shop();
    let payee = Payee {
        acquirer: shop.acquirer.to_owned(),
        merchant: shop.merchant.to_owned(),
        terminal: shop.terminal.to_owned(),
        name: shop.name.to_owned(),
        origin: shop.origin.to_owned(),
    };
    let phones = Phones::Here(Inbox::behind(&alone.handsets));
    let target = Arc::new(Target::new(requests, phones, link, &zone_key, payee)?);
    let Done { pairs, rate } =
        closed_loop(target, options, &[("the issuer", issuer.id()), ("this process", None)]).await?;
    stop(&mut issuer).await?;
    paid_for(pairs + options.workers as u64, alone.debits().into())?;
    shutdown.cancel();
    if options.database.is_some() {
        say::line(format!("durable card changes: {:.0}/s, two a pair", 2.0 * rate));
    }
    let alone_rate = plain::measure(alone.store_beside().await?, options.seconds.min(5)).await?;
    say::line(format!(
        "the same rows in the store, group commits of 64 pairs, and nothing else: {alone_rate:.0}/s"
    ));
    say::line(format!("ratio: {:.2}", rate / alone_rate));
    if let Some(folder) = alone.in_memory()? {
        say::line(format!(
            "NOT ON A DISK: the store was in memory ({}), where a sync costs nothing; set TMPDIR to a folder on a disk",
            folder.display()
        ));
    }
    Ok(())
}

/// That what was counted was paid: a payment that was taken for another's repeat is answered 00 as well, and no pair.
fn paid_for(pairs: u64, debits: u64) -> anyhow::Result<()> {
    ensure!(
        debits == pairs,
        "the figures above are wrong: {pairs} pairs were answered 00, with those that are not counted, and the card host debited {debits}"
    );
    Ok(())
}

/// Stops the issuer as an operator would, while the links to it still stand: it ends its conversations itself, and what watches its
/// process (a profile) is written.
async fn stop(issuer: &mut Child) -> anyhow::Result<()> {
    let pid = issuer
        .id()
        .and_then(|id| Pid::from_raw(id.try_into().ok()?))
        .context("the issuer has ended by itself")?;
    kill_process(pid, Signal::TERM)?;
    let ended = timeout(limits::STOP_WITHIN + TIMEOUT, issuer.wait()).await;
    let status = ended.context("the issuer does not end")??;
    ensure!(status.success(), "the issuer did not end well: {status}");
    Ok(())
}

/// The issuer, once it has said that it is ready. It ends with this process.
async fn process(alone: &Alone) -> anyhow::Result<Child> {
    let log = alone.beside("issuer.log");
    let mut child = Command::new(std::env::current_exe()?)
        .args(["issuer", "--config"])
        .arg(alone.config())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log)?)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the issuer")?;
    let out = child.stdout.take().context("the issuer has no output")?;
    let mut lines = BufReader::new(out).lines();
    let ready = timeout(TIMEOUT, lines.next_line()).await.context("the issuer does not get ready")??;
    match ready {
        Some(_) => Ok(child),
        None => bail!("the issuer ended before it was ready:\n{}", std::fs::read_to_string(log)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_without_its_debit_is_told_loudly() {
        assert!(paid_for(60, 60).is_ok());
        let few = paid_for(60, 59).unwrap_err().to_string();
        assert!(few.contains("figures above are wrong") && few.contains("debited 59"), "{few}");
        assert!(paid_for(60, 61).is_err());
    }
}
