//! Logs: JSON lines on standard error, readable ones on a terminal.
//!
//! The SMPP library prints message texts and passwords; it is silenced here, whatever the filter says.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Targets that would print secrets. Appended last: the last directive for a target wins.
const NEVER: [&str; 3] = ["rusmpp=off", "rusmppc=off", "rusmpp_core=off"];

/// Starts logging. `filter` as in `RUST_LOG`, for example `info` or `warn,ramz_issuer=debug`.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt().with_env_filter(quiet(filter)?).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.compact().try_init()
    } else {
        // One object a line: the event's own fields at the top, and its span, which names the request it belongs to. No field
        // of ours is called timestamp, level, message, target or span: it would stand there twice.
        builder.json().flatten_event(true).with_span_list(false).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

fn quiet(filter: &str) -> anyhow::Result<EnvFilter> {
    let mut directives: Vec<&str> = filter.split(',').filter(|d| !d.trim().starts_with("rusmpp")).collect();
    directives.extend(NEVER);
    EnvFilter::try_new(directives.join(","))
        .map_err(|error| anyhow::anyhow!("log filter {filter:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_wakes_the_smpp_library() {
        for filter in ["trace", "rusmpp=trace", "rusmppc::session=trace,debug", "info"] {
            let quiet = quiet(filter).unwrap().to_string();
            for never in NEVER {
                assert!(quiet.contains(never), "{filter}: {quiet}");
            }
            assert!(!quiet.contains("rusmpp=trace") && !quiet.contains("rusmppc::session"), "{quiet}");
        }
    }
}
