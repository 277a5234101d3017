//! Pages: everything they load is ours and in a file of its own, as the content security policy will insist.

use crate::{File, check, hold};

const PAGES: &[&str] = &["html", "css", "js", "mjs", "svg", "webmanifest"];

/// Pages are what is served; a browser test may say what it likes.
fn served(file: &File) -> bool {
    file.path.starts_with("web/") || file.path.contains("/templates/")
}

/// A name, not a place: nothing is fetched from it.
const NAMESPACES: &[&str] = &["http://www.w3.org/"];

fn elsewhere(file: &File) -> Vec<String> {
    let lines = file.text.lines().enumerate().filter(|_| served(file));
    let lines = lines.filter(|(_, line)| {
        let line = NAMESPACES.iter().fold((*line).to_owned(), |line, space| line.replace(space, ""));
        ["http://", "https://", "ws://", "wss://", "\"//", "'//", "(//"].iter().any(|u| line.contains(u))
    });
    lines.map(|(n, _)| file.at(n, "points to another host; what a page loads is ours")).collect()
}

/// Scripts, styles and handlers written into the page itself.
fn inline(file: &File) -> Vec<String> {
    if !served(file) || !file.has_extension(&["html", "svg"]) {
        return vec![];
    }
    let mut faults = Vec::new();
    let mut offset = 0;
    while let Some(start) = file.text[offset..].find('<').map(|at| offset + at) {
        let end = file.text[start..].find('>').map_or(file.text.len(), |at| start + at);
        let tag = &file.text[start + 1..end];
        let line = file.text[..start].matches('\n').count();
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let attributes: Vec<&str> =
            tag.split_whitespace().skip(1).map(|a| a.split('=').next().unwrap_or_default()).collect();
        if name == "script" && !attributes.contains(&"src") {
            faults.push(file.at(line, "has a script of its own; scripts are files"));
        }
        if name == "style" && !file.has_extension(&["svg"]) {
            faults.push(file.at(line, "has a style sheet of its own; styles are files"));
        }
        let is_tag = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        for attribute in attributes.iter().filter(|_| is_tag) {
            if *attribute == "style" && !file.has_extension(&["svg"]) {
                faults.push(file.at(line, "has a style attribute, which the policy blocks"));
            }
            if attribute.len() > 3 && attribute.starts_with("on") && tag.contains(&format!("{attribute}=")) {
                faults.push(file.at(line, &format!("has a handler ({attribute}), which the policy blocks")));
            }
        }
        offset = start + 1;
    }
    faults
}

#[test]
fn pages_load_nothing_from_elsewhere() {
    hold(PAGES, elsewhere);
    let fault = "web/a.css:1: points to another host; what a page loads is ours";
    check(elsewhere, "web/a.css", "@import 'https://fonts.example/a.css';\n", &[fault]);
    check(elsewhere, "web/a.css", "src: url(//fonts.example/a);\n", &[fault]);
    check(elsewhere, "web/a.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\">\n", &[]);
    check(elsewhere, "web/a.css", "src: url(/fonts/a.woff2);\n", &[]);
    check(elsewhere, "tests/browser/a.mjs", "open('https://elsewhere.example')\n", &[]);
}

#[test]
fn pages_have_no_inline_code() {
    hold(PAGES, inline);
    check(
        inline,
        "web/a.html",
        "<p>\n<script>go()</script>",
        &["web/a.html:2: has a script of its own; scripts are files"],
    );
    check(inline, "web/a.html", "<script type=\"module\"\n  src=\"/a.js\"></script>", &[]);
    check(
        inline,
        "web/a.html",
        "<b onclick=\"go()\" style=\"color: red\">",
        &[
            "web/a.html:1: has a handler (onclick), which the policy blocks",
            "web/a.html:1: has a style attribute, which the policy blocks",
        ],
    );
    check(
        inline,
        "web/a.html",
        "<style>p {}</style>",
        &["web/a.html:1: has a style sheet of its own; styles are files"],
    );
    check(inline, "crates/a/templates/a.html", "<p class=\"a\">1 < 2 on time</p>", &[]);
}
