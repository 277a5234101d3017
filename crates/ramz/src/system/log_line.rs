//! A log line as one JSON object: time, level, the event's own fields, target, and the span that it is in.
//!
//! The same bytes as `tracing-subscriber`'s own flattened JSON, which reads each span's fields back from JSON and builds the object
//! through `serde`: three lines go with each payment, and that was a twentieth of an issuer's processor time.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events so. Spans' fields must be formatted as JSON (`JsonFields`).
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        to.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut to)?;
        to.write_str("\",\"level\":\"")?;
        to.write_str(event.metadata().level().as_str())?;
        to.write_char('"')?;
        let mut fields = Fields { to: &mut to, written: Ok(()) };
        event.record(&mut fields);
        fields.written?;
        to.write_str(",\"target\":")?;
        text(&mut to, event.metadata().target())?;
        if let Some(span) =
            event.parent().and_then(|id| context.span(id)).or_else(|| context.lookup_current())
        {
            to.write_str(",\"span\":{")?;
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
            let fields = fields.strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap_or("");
            to.write_str(fields)?;
            to.write_str(if fields.is_empty() { "\"name\":" } else { ",\"name\":" })?;
            text(&mut to, span.name())?;
            to.write_char('}')?;
        }
        to.write_str("}\n")
    }
}

/// Writes each field behind a comma.
struct Fields<'a, 'w> {
    to: &'a mut Writer<'w>,
    written: fmt::Result,
}

impl Fields<'_, '_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let Fields { to, written } = self;
        *written = written.and_then(|()| {
            to.write_char(',')?;
            text(to, field.name())?;
            to.write_char(':')?;
            value(to)
        });
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |to| text(to, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |to| write!(to, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |to| write!(to, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |to| write!(to, "{value}"));
    }

    /// JSON has no word for what is no number.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |to| if value.is_finite() { write!(to, "{value:?}") } else { to.write_str("null") });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |to| {
            to.write_char('"')?;
            write!(Escaping(to), "{value:?}")?;
            to.write_char('"')
        });
    }
}

fn text(to: &mut Writer<'_>, text: &str) -> fmt::Result {
    to.write_char('"')?;
    Escaping(to).write_str(text)?;
    to.write_char('"')
}

/// Writes what stands between the quotes of a JSON string (RFC 8259, 7).
struct Escaping<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        // Without an early end, so that many are looked at at once.
        if !text.bytes().fold(false, |found, byte| found | escaped(byte)) {
            return self.0.write_str(text);
        }
        let mut written = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0x08 => "\\b",
                0x0C => "\\f",
                0x00..0x20 => "",
                _ => continue,
            };
            // A byte below 128 is a character of its own, so both halves are text.
            self.0.write_str(&text[written..at])?;
            written = at + 1;
            if escape.is_empty() {
                write!(self.0, "\\u{byte:04x}")?;
            } else {
                self.0.write_str(escape)?;
            }
        }
        self.0.write_str(&text[written..])
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// Without their times.
        fn taken(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let each = |line: &str| {
                let (head, rest) = line.split_at(r#"{"timestamp":"#.len());
                assert_eq!(head, r#"{"timestamp":"#);
                let (time, rest) = rest[1..].split_once('"').unwrap();
                assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
                rest.to_owned()
            };
            text.lines().map(each).collect()
        }
    }

    fn events() {
        tracing::info!("no fields, no span");
        let every_low: String = (0..0x30).map(char::from).collect();
        tracing::warn!(every_low, quoted = ?every_low, "«پیام» with \"quotes\" and \\");
        let (big, half, none) = (u128::MAX, 1.5, f64::NAN);
        tracing::error!(count = 3, less = -4_i64, sure = true, big, half, whole = 2.0, none, shown = %"a\nb");
        let request = "0e7f";
        tracing::error_span!("pin_request", %request, at = 7, braces = "{}").in_scope(|| {
            tracing::info!(ms = 12_u64, "in a span");
            tracing::error_span!("inner").in_scope(|| tracing::info!("in one without fields"));
        });
    }

    #[test]
    fn lines_are_those_of_the_library() {
        let (ours, theirs) = (Lines::default(), Lines::default());
        let (to_ours, to_theirs) = (ours.clone(), theirs.clone());
        let line = tracing_subscriber::fmt::layer()
            .with_writer(move || to_ours.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(line), events);
        let line = tracing_subscriber::fmt::layer()
            .with_writer(move || to_theirs.clone())
            .json()
            .flatten_event(true)
            .with_span_list(false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(line), events);
        assert_eq!(ours.taken(), theirs.taken());
        assert_eq!(ours.taken().len(), 5);
    }
}
