//! Logs: JSON lines on standard error, readable ones on a terminal. How they get there is in [`lines`].
//!
//! The SMPP library prints message texts and passwords; it is silenced here, whatever the filter says.

mod lines;

use std::io::IsTerminal as _;

pub(crate) use lines::Gathering;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Targets that would print secrets: short messages, and the rows that a statement writes. Appended last: the last directive for a target wins.
const NEVER: [&str; 4] = ["rusmpp=off", "rusmppc=off", "rusmpp_core=off", "tokio_postgres=off"];

/// Starts logging. `filter` is a level, or levels of targets: `info`, or `warn,ramz_issuer=debug`. What is logged is written when what
/// this returns is dropped, at the latest.
pub(crate) fn start(filter: &str) -> anyhow::Result<Gathering> {
    let (gathered, gathering) = lines::gather(Box::new(std::io::stderr()))?;
    gathered.before_panics();
    let logs = tracing_subscriber::registry().with(quiet(filter)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(gathered);
    let started = if std::io::stderr().is_terminal() {
        logs.with(lines.compact()).try_init()
    } else {
        // One object a line: the event's own fields at the top, and its span, which names the request it belongs to. No field
        // of ours is called timestamp, level, message, target or span: it would stand there twice.
        logs.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))?;
    Ok(gathering)
}

/// Whether a filter is one.
pub(crate) fn check(filter: &str) -> Result<(), String> {
    quiet(filter).map(drop).map_err(|error| error.to_string())
}

fn quiet(filter: &str) -> anyhow::Result<Targets> {
    let never =
        |directive: &&str| ["rusmpp", "tokio_postgres"].iter().any(|name| directive.trim().starts_with(name));
    let mut directives: Vec<&str> = filter.split(',').filter(|directive| !never(directive)).collect();
    directives.extend(NEVER);
    directives.join(",").parse().map_err(|error| anyhow::anyhow!("log filter {filter:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_wakes_a_library_that_prints_what_it_carries() {
        for filter in
            ["trace", "rusmpp=trace", "rusmppc::session=trace,debug", "tokio_postgres::query=debug", "info"]
        {
            let quiet = quiet(filter).unwrap().to_string();
            for never in NEVER {
                assert!(quiet.contains(never), "{filter}: {quiet}");
            }
            assert!(
                !quiet.contains("rusmpp=trace") && !quiet.contains("::session") && !quiet.contains("::query"),
                "{quiet}"
            );
        }
    }
}
