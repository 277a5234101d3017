//! Reference pages whose tables are the code's. A page that differs is rewritten, and the test fails once, so that the change is
//! seen and committed.

use std::fmt::Write as _;

use ramz_api::problem::Kind;
use ramz_domain::{Language, Refusal};

use crate::root;

const ERRORS: &str = "docs/reference/errors.md";
const GATEWAY: &str = "crates/gateway/src/problem.rs";

fn refusals() -> String {
    let mut table = String::from(
        "| `refusal` (DE 48, tag 15) | DE 39 | what a payer reads | in English |\n|---|---|---|---|\n",
    );
    for refusal in Refusal::ALL {
        let (code, response) = (refusal.code(), refusal.response_code());
        let (fa, en) = (refusal.text(Language::Persian), refusal.text(Language::English));
        writeln!(table, "| {code} | {response} | {fa} | {en} |").unwrap();
    }
    table
}

fn problems() -> String {
    let mut table = String::from("| status | `type` | title |\n|---|---|---|\n");
    let mut kinds = Kind::ALL.to_vec();
    kinds.sort_by_key(|kind| kind.code());
    for kind in kinds {
        writeln!(table, "| {} | {} | {} |", kind.code(), kind.uri(), kind.title()).unwrap();
    }
    table
}

/// The gateway's own: status, slug and title. The rows of its macro are read as text, for its types are nobody else's.
fn own_rows(source: &str) -> Option<Vec<(u16, String, String)>> {
    let (_, rows) = source.split_once("\nproblems! {\n")?;
    let (rows, _) = rows.split_once("\n}\n")?;
    // Each row is a comment, a line with name, slug, status and title, and a line with what to do.
    let mut lines = rows.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    let mut found = Vec::new();
    while let (Some(row), Some(_)) = (lines.next(), lines.next()) {
        let [_, slug, status, title, ""] = row.split('"').collect::<Vec<_>>()[..] else { return None };
        found.push((status.trim().parse().ok()?, slug.to_owned(), title.to_owned()));
    }
    (found.len() == rows.matches("///").count()).then_some(found)
}

fn own_problems() -> String {
    let mut table = String::from("| status | `type` | title |\n|---|---|---|\n");
    let source = std::fs::read_to_string(root().join(GATEWAY)).unwrap();
    let mut rows = own_rows(&source).expect("the rows of the gateway's problems are read");
    rows.sort_by_key(|(status, ..)| *status);
    for (status, slug, title) in rows {
        writeln!(table, "| {status} | /problems/{slug} | {title} |").unwrap();
    }
    table
}

/// The page with the text between `<!-- name -->` and `<!-- end -->` replaced.
fn with_table(page: &str, name: &str, table: &str) -> Option<String> {
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!("{before}{begin}{table}<!-- end -->{after}"))
}

#[test]
fn the_tables_of_errors_are_the_codes() {
    let path = root().join(ERRORS);
    let page = std::fs::read_to_string(&path).unwrap();
    let fresh = with_table(&page, "refusals", &refusals());
    let fresh = fresh.and_then(|page| with_table(&page, "problems", &problems()));
    let fresh = fresh.and_then(|page| with_table(&page, "gateway", &own_problems()));
    let fresh = fresh.expect("docs/reference/errors.md has all of its marks");
    if fresh != page {
        std::fs::write(&path, fresh).unwrap();
        panic!("{ERRORS} was not what the code says; it has been rewritten: read the change and commit it");
    }
}

#[test]
fn only_the_marked_place_is_replaced() {
    let page = "a\n<!-- t -->\nold\n<!-- end -->\nb\n";
    assert_eq!(with_table(page, "t", "new\n").as_deref(), Some("a\n<!-- t -->\nnew\n<!-- end -->\nb\n"));
    assert_eq!(with_table(page, "other", "new\n"), None);
}

#[test]
fn a_row_of_the_gateway_that_cannot_be_read_is_noticed() {
    let source = |row: &str| format!("x\nproblems! {{\n    /// It.\n    {row}\n        \"Do it.\",\n}}\n");
    let read = own_rows(&source(r#"Gone "gone" 410 "It is gone""#));
    assert_eq!(read, Some(vec![(410, "gone".to_owned(), "It is gone".to_owned())]));
    for row in [r#"Gone "gone" 410"#, r#"Gone "gone" gone "It is gone""#, "/// Nothing."] {
        assert_eq!(own_rows(&source(row)), None, "{row}");
    }
    assert_eq!(own_rows("no rows"), None);
}
