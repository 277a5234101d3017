//! The lines to the operators, as metrics and for the readiness page. No phone, no text: counts by bind.

use std::collections::BTreeMap;

use ramz_api::metrics::Page;
use ramz_sms::port::Line;

/// A metric of each bind: its name, its help, and its value.
type Gauge = (&'static str, &'static str, fn(&Line) -> usize);
/// The same with a second label, and a value for each of its words.
type Counter = (&'static str, &'static str, &'static str, fn(&Line) -> &BTreeMap<&'static str, u64>);

/// The metrics of all binds; nothing if the sender has none to tell of.
pub(crate) fn show(lines: &[Line], page: &mut Page) {
    if lines.is_empty() {
        return;
    }
    let gauges: [Gauge; 3] = [
        ("ramz_sms_bind_up", "Whether a bind to an SMSC is up.", |line| usize::from(line.down.is_none())),
        ("ramz_sms_window", "Short messages that may be unanswered on a bind.", |line| line.window),
        ("ramz_sms_in_window", "Short messages handed over on a bind and not answered.", |line| {
            line.in_window
        }),
    ];
    for (name, help, value) in gauges {
        page.gauge(name, help);
        for line in lines {
            page.sample(name, &[("bind", &line.name)], value(line));
        }
    }
    let counters: [Counter; 3] = [
        ("ramz_sms_submitted_total", "Short messages submitted on a bind, by outcome.", "outcome", |line| {
            &line.submitted
        }),
        (
            "ramz_sms_receipts_total",
            "Delivery receipts on a bind, by state; \"dropped\" of them were not looked at.",
            "state",
            |line| &line.receipts,
        ),
        (
            "ramz_sms_texts_total",
            "Texts from phones on a bind, by what the operator was told.",
            "outcome",
            |line| &line.texts,
        ),
    ];
    for (name, help, label, counts) in counters {
        page.counter(name, help);
        for line in lines {
            for (word, count) in counts(line) {
                page.sample(name, &[("bind", &line.name), (label, word)], count);
            }
        }
    }
}

/// A line each: its name, and why it is down.
pub(crate) fn readiness(lines: &[Line]) -> String {
    let shown = |line: &Line| match &line.down {
        None => format!("SMS bind {} up\n", line.name),
        Some(why) => format!("SMS bind {} down: {why}\n", line.name),
    };
    lines.iter().map(shown).collect()
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
            texts: [("taken", 2)].into(),
        };
        let lines = [line("a:1", None), line("b \"2\"", Some("no connection"))];
        let mut page = Page::default();
        show(&lines, &mut page);
        let text = page.into_text();
        for expect in [
            "ramz_sms_bind_up{bind=\"a:1\"} 1\n",
            "ramz_sms_bind_up{bind=\"b \\\"2\\\"\"} 0\n",
            "ramz_sms_in_window{bind=\"a:1\"} 3\n",
            "ramz_sms_window{bind=\"a:1\"} 16\n",
            "ramz_sms_submitted_total{bind=\"a:1\",outcome=\"accepted\"} 5\n",
            "ramz_sms_receipts_total{bind=\"a:1\",state=\"delivered\"} 4\n",
            "ramz_sms_texts_total{bind=\"a:1\",outcome=\"taken\"} 2\n",
        ] {
            assert!(text.contains(expect), "{expect} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE").count(), 6);
        assert_eq!(readiness(&lines), "SMS bind a:1 up\nSMS bind b \"2\" down: no connection\n");
    }
}
