//! A file's rows as cards: CSV (RFC 4180, with a header row) or JSON Lines, with the members of `POST /admin/v1/cards`.
//!
//! An empty cell is a member left out; `-` in a column whose member an empty text takes away does that. Errors name row and
//! column and say what is expected; what stood there is never repeated.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use ramz_api::back_office::{CardBody, MEMBERS};
use ramz_api::problem::Problem;
use ramz_domain::{digits, limits};
use zeroize::Zeroizing;

use super::{Format, Mode};

/// Columns of what may be taken away from a card.
const TAKEN_AWAY: [&str; 4] = ["phone", "static_pin_consent", "sms_pin_max", "static_pin_max"];

/// Columns of digits and no words.
const NUMBERS: [&str; 4] = ["pan", "expiry", "sms_pin_max", "static_pin_max"];

/// What the reader of a CSV file takes in one go, and may have read of the next rows.
const READ_AHEAD_MAX: usize = 64 * 1024;

/// A row of the file.
pub(super) struct Row {
    /// From 1. Of CSV a record: neither the header nor an empty line is counted. Of JSON Lines a line, empty or not.
    pub(super) number: u64,
    /// Bytes of the file up to here.
    pub(super) at: u64,
    /// The card, or what is wrong with it.
    pub(super) card: Result<CardBody, Vec<Fault>>,
}

/// What is wrong with a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// The column, if it is one.
    pub(super) column: String,
    /// What is expected there.
    pub(super) what: String,
}

impl Fault {
    fn new(column: &str, what: impl Into<String>) -> Fault {
        Fault { column: column.to_owned(), what: what.into() }
    }
}

type Rows = Box<dyn Iterator<Item = anyhow::Result<Row>> + Send>;

/// The rows of a file. An `Err` among them is the file's, and ends it.
pub(super) fn open(path: &Path, format: Format, mode: Mode) -> anyhow::Result<Rows> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    match format {
        Format::Csv => csv(file, mode),
        Format::Jsonl => jsonl(file, mode),
    }
    .with_context(|| path.display().to_string())
}

/// A problem as faults of its row.
pub(super) fn faults(problem: &Problem) -> Vec<Fault> {
    if problem.errors.is_empty() {
        return vec![Fault::new("", format!("{}. {}", problem.kind.title(), problem.detail))];
    }
    let of = |pointer: &str| pointer.trim_start_matches('/').to_owned();
    problem
        .errors
        .iter()
        .map(|error| Fault { column: of(&error.pointer), what: error.detail.clone() })
        .collect()
}

/// A card that may be there already is known by its number alone.
fn parse(bytes: &[u8], mode: Mode) -> Result<CardBody, Vec<Fault>> {
    let parsed = match mode {
        Mode::Add => CardBody::parse_new(bytes),
        Mode::Update => CardBody::parse_upsert(bytes),
    };
    parsed.map_err(|problem| faults(&problem))
}

/// Reads on for one record only so far: a quote that nobody closed would take the whole file into memory.
struct OneRecord<R> {
    inner: R,
    /// Since a record ended.
    read: Arc<AtomicUsize>,
}

impl<R: Read> Read for OneRecord<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        if self.read.fetch_add(read, Ordering::Relaxed) > limits::BODY_BYTES_MAX + READ_AHEAD_MAX {
            return Err(io::Error::other("one row has more bytes than a card may; is a quote not closed?"));
        }
        Ok(read)
    }
}

/// A file behind its byte order mark, with which Excel begins UTF-8; and how many bytes that was.
fn past_mark(file: File) -> io::Result<(BufReader<File>, usize)> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mut buffered = BufReader::new(file);
    let marked = if buffered.fill_buf()?.starts_with(MARK) { MARK.len() } else { 0 };
    buffered.consume(marked);
    Ok((buffered, marked))
}

/// The columns that a header names.
fn columns(header: &csv::ByteRecord, mode: Mode) -> anyhow::Result<Vec<String>> {
    anyhow::ensure!(!header.is_empty(), "the file is empty");
    let mut columns = Vec::new();
    for (nth, cell) in header.iter().enumerate() {
        let name = std::str::from_utf8(cell).unwrap_or("").trim().to_owned();
        if !MEMBERS.contains(&name.as_str()) {
            // As spreadsheets write it, in UTF-16 or by a country's own separator.
            let is_utf16 =
                cell.contains(&0) || cell.starts_with(b"\xff\xfe") || cell.starts_with(b"\xfe\xff");
            let is_csv = !is_utf16 && !cell.contains(&b';') && !cell.contains(&b'\t');
            anyhow::ensure!(is_csv, "the header is not in CSV: save it as CSV in UTF-8 with commas");
            // What is no column's name may be a card: a file without its header row.
            anyhow::bail!("the header's column {} is none of {}", nth + 1, MEMBERS.join(", "));
        }
        columns.push(name);
    }
    let names: BTreeSet<&String> = columns.iter().collect();
    anyhow::ensure!(names.len() == columns.len(), "the header names a column twice");
    let has = |needed: &str| columns.iter().any(|name| name == needed);
    anyhow::ensure!(has("pan"), "the header has no column pan");
    anyhow::ensure!(
        has("expiry") || mode == Mode::Update,
        "the header has no column expiry: new cards need it; --update changes cards that are there, without it"
    );
    Ok(columns)
}

fn csv(file: File, mode: Mode) -> anyhow::Result<Rows> {
    let (buffered, _) = past_mark(file)?;
    let room = Arc::new(AtomicUsize::new(0));
    let bounded = OneRecord { inner: buffered, read: Arc::clone(&room) };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bounded);
    let columns = columns(reader.byte_headers()?, mode)?;
    let mut number = 0;
    Ok(Box::new(std::iter::from_fn(move || {
        let mut record = csv::ByteRecord::new();
        match reader.read_byte_record(&mut record) {
            Ok(false) => None,
            // A quote that nobody closed: the rows after it would all be one, and refused as one.
            Ok(true) if record.iter().any(|cell| cell.contains(&b'\n')) => Some(Err(anyhow::anyhow!(
                "after row {number}: a cell has a line break in it; is a quote not closed?"
            ))),
            Ok(true) => {
                number += 1;
                room.store(0, Ordering::Relaxed);
                let at = reader.position().byte();
                Some(Ok(Row { number, at, card: of_cells(&columns, &record, mode) }))
            }
            Err(error) => Some(Err(anyhow::anyhow!("after row {number}: {error}"))),
        }
    })))
}

fn of_cells(columns: &[String], record: &csv::ByteRecord, mode: Mode) -> Result<CardBody, Vec<Fault>> {
    if record.len() != columns.len() {
        let what = format!("has {} columns, the header has {}", record.len(), columns.len());
        return Err(vec![Fault::new("", what)]);
    }
    let mut members = serde_json::Map::new();
    for (name, cell) in columns.iter().zip(record) {
        let Ok(cell) = std::str::from_utf8(cell) else { return Err(vec![Fault::new(name, "write UTF-8")]) };
        match cell.trim() {
            "" => {}
            "-" if TAKEN_AWAY.contains(&name.as_str()) => _ = members.insert(name.clone(), "".into()),
            // A spreadsheet may have written them as it shows them.
            cell if NUMBERS.contains(&name.as_str()) => {
                _ = members.insert(name.clone(), digits::fold(cell).into());
            }
            cell => _ = members.insert(name.clone(), cell.into()),
        }
    }
    let bytes = Zeroizing::new(serde_json::Value::Object(members).to_string().into_bytes());
    parse(&bytes, mode)
}

fn jsonl(file: File, mode: Mode) -> anyhow::Result<Rows> {
    let (mut reader, marked) = past_mark(file)?;
    let (mut number, mut at) = (0, marked as u64);
    let too_long = limits::BODY_BYTES_MAX;
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            let mut line = Zeroizing::new(Vec::new());
            let bound = u64::try_from(too_long).unwrap_or(u64::MAX) + 2;
            let read = match reader.by_ref().take(bound).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(read) => read,
                Err(error) => return Some(Err(error.into())),
            };
            number += 1;
            at += read as u64;
            if line.last() != Some(&b'\n') && line.len() > too_long {
                return Some(Err(anyhow::anyhow!(
                    "line {number} is longer than {too_long} bytes: is it JSON Lines?"
                )));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let card = parse(line.trim_ascii(), mode);
            return Some(Ok(Row { number, at, card }));
        }
    })))
}

#[cfg(test)]
mod tests {
    use ramz_domain::{Pan, Rial};

    use super::*;

    const GOOD: &str = "6104337000000016";

    fn rows(text: &[u8], format: Format) -> anyhow::Result<Vec<Result<CardBody, Vec<Fault>>>> {
        rows_to(text, format, Mode::Add)
    }

    fn rows_to(text: &[u8], format: Format, mode: Mode) -> anyhow::Result<Vec<Result<CardBody, Vec<Fault>>>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cards");
        std::fs::write(&path, text).unwrap();
        let rows: Vec<Row> = open(&path, format, mode)?.collect::<anyhow::Result<_>>()?;
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        assert!(numbers.is_sorted() && rows.last().is_none_or(|row| row.at <= text.len() as u64));
        Ok(rows.into_iter().map(|row| row.card).collect())
    }

    fn columns(card: &Result<CardBody, Vec<Fault>>) -> Vec<&str> {
        card.as_ref()
            .err()
            .map_or(Vec::new(), |faults| faults.iter().map(|fault| fault.column.as_str()).collect())
    }

    #[test]
    fn csv_is_read_as_rfc_4180_and_as_people_write_it() {
        let text = format!(
            "\u{feff}pan , expiry,phone,customer\r\n{GOOD},0912,09120001101,\"a \"\"b\"\", c\"\r\n{GOOD}, 0912 ,,\r\n"
        );
        let cards = rows(text.as_bytes(), Format::Csv).unwrap();
        let first = cards[0].as_ref().unwrap();
        assert_eq!((first.customer.as_deref(), cards.len()), (Some("a \"b\", c"), 2));
        assert!(cards[1].as_ref().unwrap().phone.is_none());
    }

    #[test]
    fn a_spreadsheets_persian_digits_are_digits() {
        let pan = digits::persian(GOOD);
        let text = format!("pan,expiry,phone,sms_pin_max,customer\n{pan},۰۹۱۲,۰۹۱۲۰۰۰۱۱۰۱,۲۰۰۰۰۰۰,مشتری ۷\n");
        let cards = rows(text.as_bytes(), Format::Csv).unwrap();
        let card = cards[0].as_ref().unwrap();
        assert_eq!(card.pan.as_ref().map(Pan::expose), Some(GOOD));
        assert_eq!(card.sms_pin_max.flatten().map(Rial::get), Some(2_000_000));
        assert_eq!(card.customer.as_deref(), Some("مشتری ۷"), "words stay as they are");
    }

    #[test]
    fn every_error_names_its_column_and_repeats_nothing() {
        let text = format!(
            "pan,expiry,phone,language,status\n6104337000000017,0912,,,\n{GOOD},9913,0912,xx,gone\n{GOOD},0912\n{GOOD},0912,,,\n"
        );
        let mut bytes = text.into_bytes();
        bytes.extend(b"\xff,0912,,,\n");
        let cards = rows(&bytes, Format::Csv).unwrap();
        let expected: [&[&str]; 5] =
            [&["pan"], &["expiry", "phone", "language", "status"], &[""], &[], &["pan"]];
        for (card, expected) in cards.iter().zip(expected) {
            assert_eq!(columns(card), expected, "{card:?}");
        }
        let told = format!("{:?}", cards.iter().filter_map(|card| card.as_ref().err()).collect::<Vec<_>>());
        assert!(!told.contains("610433") && !told.contains("0912\""), "{told}");
    }

    #[test]
    fn json_lines_have_a_number_each() {
        let text = format!(
            "{{\"pan\":\"{GOOD}\",\"expiry\":\"0912\"}}\n\n{{\"pan\":\"{GOOD}\",\"colour\":1}}\nnonsense\n"
        );
        let cards = rows(text.as_bytes(), Format::Jsonl).unwrap();
        assert!(cards[0].is_ok());
        assert_eq!((columns(&cards[1]), cards.len()), (vec!["colour", "expiry"], 3), "{:?}", cards[1]);
        let long = vec![b'x'; limits::BODY_BYTES_MAX + 10];
        assert!(rows(&long, Format::Jsonl).unwrap_err().to_string().contains("line 1 is longer"));
    }

    #[test]
    fn a_row_of_a_card_that_is_there_says_what_changes() {
        let text = format!(
            "pan,phone,sms_pin_max,static_pin_max,customer\n{GOOD},09120001101,2000000,,-\n{GOOD},-,-,-,\n"
        );
        let cards = rows_to(text.as_bytes(), Format::Csv, Mode::Update).unwrap();
        let [first, second] = [0, 1].map(|nth| cards[nth].as_ref().unwrap());
        let max = |card: &CardBody| card.sms_pin_max.map(|max| max.map(|rial| rial.get()));
        assert!(first.phone.as_ref().is_some_and(Option::is_some) && first.expiry.is_none());
        assert_eq!((max(first), first.static_pin_max), (Some(Some(2_000_000)), None));
        assert_eq!(first.customer.as_deref(), Some("-"), "nobody has no number at the bank");
        assert_eq!(
            (&second.phone, max(second), second.static_pin_max),
            (&Some(None), Some(None), Some(None))
        );
        assert!(rows(text.as_bytes(), Format::Csv).is_err(), "a card that is not there needs its expiry");
        let line =
            format!("{{\"pan\":\"{GOOD}\",\"phone\":\"\",\"static_pin_max\":0}}\n{{\"expiry\":\"0912\"}}\n");
        let cards = rows_to(line.as_bytes(), Format::Jsonl, Mode::Update).unwrap();
        assert_eq!(cards[0].as_ref().unwrap().phone, Some(None));
        assert_eq!(columns(&cards[1]), ["pan"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_row() {
        let text = format!("\u{feff}{{\"pan\":\"{GOOD}\",\"expiry\":\"0912\"}}\n");
        let cards = rows(text.as_bytes(), Format::Jsonl).unwrap();
        assert!(cards.len() == 1 && cards[0].is_ok(), "{:?}", cards[0]);
    }

    #[test]
    fn a_header_that_is_none_is_told_with_what_to_do() {
        let utf16 = |mark: &str| format!("{mark}pan,expiry\n").encode_utf16().collect::<Vec<u16>>();
        let bytes = |order: fn(u16) -> [u8; 2], mark| utf16(mark).into_iter().flat_map(order).collect();
        let files: [(Vec<u8>, &str); 10] = [
            (b"".into(), "the file is empty"),
            ("\u{feff}".into(), "the file is empty"),
            (b"\r\n\n".into(), "the file is empty"),
            (b"pan;expiry\n".into(), "save it as CSV in UTF-8 with commas"),
            (b"pan\texpiry\n".into(), "save it as CSV in UTF-8 with commas"),
            (bytes(u16::to_le_bytes, "\u{feff}"), "save it as CSV in UTF-8 with commas"),
            (bytes(u16::to_be_bytes, "\u{feff}"), "save it as CSV in UTF-8 with commas"),
            (bytes(u16::to_le_bytes, ""), "save it as CSV in UTF-8 with commas"),
            (b"pan,phone\n".into(), "--update"),
            (b"pan,colour\n".into(), "column 2 is none of pan"),
        ];
        for (file, says) in files {
            let error = format!("{:#}", rows(&file, Format::Csv).unwrap_err());
            assert!(error.contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn a_file_without_its_header_is_refused_and_not_repeated() {
        for text in
            [format!("{GOOD},0912\n"), format!("{GOOD};0912\n"), "pan,pan,expiry\n".into(), "pan\n".into()]
        {
            let error = format!("{:#}", rows(text.as_bytes(), Format::Csv).unwrap_err());
            assert!(error.contains("header") && !error.contains(GOOD), "{error}");
        }
    }
}
