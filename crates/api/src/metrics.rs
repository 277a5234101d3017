//! What an operator watches, in the text format 0.0.4 that Prometheus reads.
//!
//! By hand, and handed in, on purpose: several roles may live in one process (the lab, the tests), each with a page of its own,
//! which a recorder for the whole process cannot keep apart. Counting is one atomic addition. Which metrics there are is written
//! in `docs/reference/metrics.md`, and held by a test that asks running roles.

use std::{
    fmt::{Display, Write as _},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The media type of a page of metrics.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What an HTTP request, a card host's round trip or a commit may take: half a millisecond to ten seconds.
pub const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Something that has metrics to show.
pub trait Show: Send + Sync {
    /// Writes them.
    fn show(&self, page: &mut Page);
}

/// A page of metrics in the making.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// The page as it stands.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Begins a counter: it only rises. Its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str) {
        self.family(name, "counter", help);
    }

    /// Begins a gauge: it rises and falls.
    pub fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, "gauge", help);
    }

    /// Begins a histogram.
    pub fn histogram(&mut self, name: &str, help: &str) {
        self.family(name, "histogram", help);
    }

    /// One value of the metric that was begun last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let Page(text) = self;
        text.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            text.push(if at == 0 { '{' } else { ',' });
            text.push_str(label);
            text.push_str("=\"");
            for character in value.chars() {
                match character {
                    '\\' | '"' => text.extend(['\\', character]),
                    '\n' => text.push_str("\\n"),
                    other => text.push(other),
                }
            }
            text.push('"');
        }
        text.push_str(if labels.is_empty() { "" } else { "}" });
        // Writing into a String cannot fail.
        let _ = writeln!(text, " {value}");
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
}

/// A count that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many until now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often a value was at most each of some bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above them all; not cumulative.
    counts: Vec<AtomicU64>,
    /// In millionths: a whole number adds up atomically.
    sum_millionths: AtomicU64,
}

impl Histogram {
    /// With these upper bounds, ascending.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, sum_millionths: AtomicU64::new(0) }
    }

    /// Of [`SECONDS`].
    pub fn seconds() -> Histogram {
        Histogram::new(SECONDS)
    }

    /// Counts a wait.
    pub fn took(&self, wait: Duration) {
        self.add(wait.as_secs_f64(), u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a size.
    pub fn counted(&self, size: u32) {
        self.add(f64::from(size), u64::from(size) * 1_000_000);
    }

    fn add(&self, value: f64, millionths: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_millionths.fetch_add(millionths, Ordering::Relaxed);
    }

    /// Writes its samples. The family was begun with [`Page::histogram`].
    pub fn show(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        let mut sum = 0;
        let ends = self.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(&self.counts) {
            sum += count.load(Ordering::Relaxed);
            let with_bound: Vec<_> = labels.iter().copied().chain([("le", end.as_str())]).collect();
            page.sample(&format!("{name}_bucket"), &with_bound, sum);
        }
        let seconds = Duration::from_micros(self.sum_millionths.load(Ordering::Relaxed)).as_secs_f64();
        page.sample(&format!("{name}_sum"), labels, seconds);
        // The same sum, so that it equals the last bucket also while others count.
        page.sample(&format!("{name}_count"), labels, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_ends_with_its_count() {
        let histogram = Histogram::new(&[1.0, 10.0]);
        [1, 2, 10, 11].into_iter().for_each(|size| histogram.counted(size));
        let mut page = Page::default();
        page.histogram("ramz_size", "Sizes.");
        histogram.show(&mut page, "ramz_size", &[("of", "a\"b\\c\n")]);
        let of = "of=\"a\\\"b\\\\c\\n\"";
        let expected = format!(
            "# HELP ramz_size Sizes.\n# TYPE ramz_size histogram\nramz_size_bucket{{{of},le=\"1\"}} 1\n\
             ramz_size_bucket{{{of},le=\"10\"}} 3\nramz_size_bucket{{{of},le=\"+Inf\"}} 4\n\
             ramz_size_sum{{{of}}} 24\nramz_size_count{{{of}}} 4\n"
        );
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn a_wait_adds_up_in_seconds() {
        let histogram = Histogram::seconds();
        histogram.took(Duration::from_micros(1_500));
        histogram.took(Duration::from_secs(20));
        let mut page = Page::default();
        histogram.show(&mut page, "w", &[]);
        let text = page.into_text();
        assert!(
            text.contains("w_bucket{le=\"0.0025\"} 1\n") && text.contains("w_bucket{le=\"10\"} 1\n"),
            "{text}"
        );
        assert!(text.ends_with("w_bucket{le=\"+Inf\"} 2\nw_sum 20.0015\nw_count 2\n"), "{text}");
    }
}
