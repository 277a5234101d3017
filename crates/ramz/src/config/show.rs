//! What is in force, as a file that could be written: every setting, and which of them are the defaults.
//!
//! There are no secrets in it: a configuration knows them as paths.

use std::fmt::Write as _;

use toml::{Table, Value};

/// The whole, table by table. A setting that is as the defaults have it is marked.
pub(super) fn text(table: &Table, defaults: &Table) -> String {
    let mut text = String::new();
    write_table(&mut text, "", table, Some(defaults));
    text
}

fn write_table(text: &mut String, name: &str, table: &Table, defaults: Option<&Table>) {
    let (tables, settings): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_table());
    if !name.is_empty() && (!settings.is_empty() || tables.is_empty()) {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}[{name}]", if text.is_empty() { "" } else { "\n" });
    }
    for (key, value) in settings {
        let is_default = defaults.and_then(|defaults| defaults.get(key)) == Some(value);
        let mark = if is_default { "  # default" } else { "" };
        let _ = writeln!(text, "{key} = {value}{mark}");
    }
    for (key, value) in tables {
        let Value::Table(inner) = value else { continue };
        let below = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let defaults = defaults.and_then(|defaults| defaults.get(key)).and_then(Value::as_table);
        write_table(text, &below, inner, defaults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_marked_and_it_reads_back() {
        let defaults: Table = "[a]\nx = 1\ny = [\"p\"]\n[a.b]\nz = \"#\"\n[c]\n".parse().unwrap();
        let over: Table = "[a]\nx = 2\ny = [\"p\"]\n[a.b]\nz = \"#\"\n[c]\n".parse().unwrap();
        let shown = text(&over, &defaults);
        assert_eq!(shown, "[a]\nx = 2\ny = [\"p\"]  # default\n\n[a.b]\nz = \"#\"  # default\n\n[c]\n");
        assert_eq!(shown.parse::<Table>().unwrap(), over);
    }
}
