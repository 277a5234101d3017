//! A bad day: nodes are killed and begun again, cut off from their database, left hanging, and their sessions ended at the server,
//! while clients work. Whether the nodes are processes or in the test's own is the same to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::line::Line;
use crate::load::Load;
use crate::node::Mortal;
use crate::processes::server::Server;
use crate::seeded::Seeded;

/// How hard it was.
#[derive(Default)]
pub(crate) struct Hardship {
    kills: u32,
    cuts: u32,
    hangs: u32,
    ended: u32,
}

impl fmt::Display for Hardship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hardship { kills, cuts, hangs, ended } = self;
        write!(f, "{kills} kills, {cuts} cuts, {hangs} hangs, {ended} ended sessions")
    }
}

/// A line to the database for each of three nodes, and its address at the line's near end.
pub(crate) async fn lines(server: &Server) -> Vec<(Arc<Line>, String)> {
    let mut lines = Vec::new();
    for _ in 0..3 {
        let line = Line::to(server.port).await;
        let url = format!("postgresql://ramz@127.0.0.1:{}/ramz?sslmode=disable", line.port);
        lines.push((line, url));
    }
    lines
}

/// Plagues three nodes for so long.
pub(crate) async fn plague<N: Mortal>(
    nodes: &mut [N],
    lines: &[(Arc<Line>, String)],
    server: &Server,
    load: &Load,
    lasts: Duration,
    seeded: &Seeded,
) -> Hardship {
    let mut hardship = Hardship::default();
    let until = Instant::now() + lasts;
    while Instant::now() < until {
        sleep(Duration::from_millis(100 + seeded.below(700))).await;
        nodes.iter_mut().for_each(|node| node.supervise(&load.bank));
        let at = usize::try_from(seeded.below(3)).unwrap();
        match seeded.below(10) {
            0..=2 => {
                nodes[at].kill();
                sleep(Duration::from_millis(seeded.below(300))).await;
                nodes[at].begin(&load.bank);
                hardship.kills += 1;
            }
            3..=6 => {
                lines[at].0.cut();
                hardship.cuts += 1;
            }
            7 => {
                lines[at].0.hang();
                sleep(Duration::from_millis(seeded.below(1_500))).await;
                lines[at].0.cut();
                hardship.hangs += 1;
            }
            _ => {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                           WHERE application_name LIKE 'ramz %' AND random() < 0.5";
                server.sql("ramz", sql);
                hardship.ended += 1;
            }
        }
    }
    hardship
}
