//! The lab's ATM, its cashless terminal and its POS terminal: one link to each bank, from the settings that `ramz terminal` would use.

use std::sync::Arc;

use anyhow::Context as _;
use ramz_sim::terminal::{Identity, Machine, Patience, Terminal, Terminals, Way};
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::pinned::{BANKS, CASHLESS, GROCERY, POS};
use crate::config::{Config, TerminalConfig};
use crate::roles::Surroundings;
use crate::terminal;

/// All three, with links that come up by themselves.
pub(super) fn start(
    folder: &Folder,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Arc<Terminals>> {
    let (mut ways, mut atm): (Vec<Way>, Option<Identity>) = (Vec::new(), None);
    for bank in &BANKS {
        let file = folder.file(&format!("{}-terminal.toml", bank.id));
        let config: TerminalConfig = Config::load(Some(&file))?.table("terminal")?;
        let iins = terminal::iins(bank.iins)?;
        config.takes_payments()?;
        ways.push(terminal::way(&config, iins, &around.clock, &around.entropy, shutdown)?);
        atm = Some(config.identity()?);
    }
    let atm = atm.context("a lab has a bank")?;
    let cashless = Identity { machine: Machine::Cashless, terminal: CASHLESS.into(), ..atm.clone() };
    let pos = Identity {
        machine: Machine::Pos,
        terminal: POS.into(),
        merchant: GROCERY.into(),
        acquirer: atm.acquirer.clone(),
    };
    let of = |identity, ways| {
        let (clock, entropy) = (Arc::clone(&around.clock), Arc::clone(&around.entropy));
        Terminal::new(identity, ways, Patience::default(), clock, entropy)
    };
    let (atm, cashless, pos) = (of(atm, ways.clone()), of(cashless, ways.clone()), of(pos, ways));
    Ok(Arc::new(Terminals { atm, cashless, pos, entropy: Arc::clone(&around.entropy) }))
}
