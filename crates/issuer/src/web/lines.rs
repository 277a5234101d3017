//! The lines to the operators, in Prometheus' text format and for the readiness page. No phone, no text: counts by bind.

use std::fmt::Write as _;

use ramz_sms::port::Line;

/// The metrics of all binds; nothing if the sender has none to tell of.
pub(crate) fn prometheus(lines: &[Line]) -> String {
    let mut text = String::new();
    if lines.is_empty() {
        return text;
    }
    let mut family = |name: &str, kind: &str, help: &str, values: Vec<(String, u64)>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    };
    let each = |value: fn(&Line) -> u64| lines.iter().map(|line| (bind(line), value(line))).collect();
    family(
        "ramz_sms_bind_up",
        "gauge",
        "Whether a bind to an SMSC is up.",
        each(|line| u64::from(line.down.is_none())),
    );
    family(
        "ramz_sms_window",
        "gauge",
        "Short messages that may be unanswered on a bind.",
        each(|line| wide(line.window)),
    );
    family(
        "ramz_sms_in_window",
        "gauge",
        "Short messages handed over on a bind and not answered.",
        each(|line| wide(line.in_window)),
    );
    let by = |label: &str, of: fn(&Line) -> &std::collections::BTreeMap<&'static str, u64>| {
        let of_line = |line: &Line| {
            let named = |(word, count): (&&str, &u64)| (format!("{},{label}=\"{word}\"", bind(line)), *count);
            of(line).iter().map(named).collect::<Vec<_>>()
        };
        lines.iter().flat_map(of_line).collect()
    };
    family(
        "ramz_sms_submitted_total",
        "counter",
        "Short messages submitted on a bind, by outcome.",
        by("outcome", |line| &line.submitted),
    );
    family(
        "ramz_sms_receipts_total",
        "counter",
        "Delivery receipts on a bind, by state; \"dropped\" of them were not looked at.",
        by("state", |line| &line.receipts),
    );
    text
}

/// A line each: its name, and why it is down.
pub(crate) fn readiness(lines: &[Line]) -> String {
    let shown = |line: &Line| match &line.down {
        None => format!("SMS bind {} up\n", line.name),
        Some(why) => format!("SMS bind {} down: {why}\n", line.name),
    };
    lines.iter().map(shown).collect()
}

fn bind(line: &Line) -> String {
    let name = line.name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    format!("bind=\"{name}\"")
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bind_has_its_own_lines() {
        let line = |name: &str, down: Option<&str>| Line {
            name: name.into(),
            down: down.map(Into::into),
            in_window: 3,
            window: 16,
            submitted: [("accepted", 5), ("throttled", 1)].into(),
            receipts: [("delivered", 4)].into(),
        };
        let lines = [line("a:1", None), line("b \"2\"", Some("no connection"))];
        let text = prometheus(&lines);
        for expect in [
            "ramz_sms_bind_up{bind=\"a:1\"} 1\n",
            "ramz_sms_bind_up{bind=\"b \\\"2\\\"\"} 0\n",
            "ramz_sms_in_window{bind=\"a:1\"} 3\n",
            "ramz_sms_window{bind=\"a:1\"} 16\n",
            "ramz_sms_submitted_total{bind=\"a:1\",outcome=\"accepted\"} 5\n",
            "ramz_sms_receipts_total{bind=\"a:1\",state=\"delivered\"} 4\n",
        ] {
            assert!(text.contains(expect), "{expect} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE").count(), 5);
        assert_eq!(readiness(&lines), "SMS bind a:1 up\nSMS bind b \"2\" down: no connection\n");
        assert_eq!(prometheus(&[]), "");
    }
}
