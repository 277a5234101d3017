//! The statements, as text. The guard is here: `r.key = c.key AND r.version = c.expected`.
//!
//! A batch's changes of one table and kind are one statement over arrays (`unnest`), and what goes with a swap that won is
//! written by the same statement, from the rows that its guard has let through (`won`). In the sharded form every statement
//! that a payment waits for also says which shard it is for, with `=`, and touches no other.
//!
//! A swap whose version fits but whose head does not sets `head_seq` to NULL, which the column refuses: the transaction
//! fails as a whole, in the trip that also has its COMMIT.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::in_line;
use crate::Table;

/// What a statement writes beside the rows: only what a batch has of it is in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Beside {
    /// First entries of rows that were there before, each behind the one that its row had named last.
    pub(crate) first: bool,
    pub(crate) sealed: bool,
    pub(crate) unsealed: bool,
    /// Entries that say themselves which one they follow.
    pub(crate) entries: bool,
    pub(crate) messages: bool,
}

impl Beside {
    /// Of new rows, which have no first entry of that kind, and of swaps.
    const OF_INSERTS: usize = 16;
    const OF_SWAPS: usize = 32;

    fn number(self) -> usize {
        [self.first, self.sealed, self.unsealed, self.entries, self.messages]
            .iter()
            .fold(0, |number, bit| number * 2 + usize::from(*bit))
    }

    fn numbered(number: usize) -> Beside {
        let bit = |at: usize| number >> at & 1 == 1;
        Beside { first: bit(4), sealed: bit(3), unsealed: bit(2), entries: bit(1), messages: bit(0) }
    }
}

/// Whether statements name the one shard that they are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// One server has all rows.
    Whole,
    /// A distributed engine has the rows of each shard in one place.
    Sharded,
}

/// All statements in one form. Each text stands in one place, so where it stands names it.
pub(crate) struct Statements {
    pub(crate) begin: String,
    pub(crate) commit: String,
    pub(crate) lease: String,
    pub(crate) settle: String,
    pub(crate) journal: String,
    /// A row's entries in line, for forgetting.
    pub(crate) entries_of: String,
    pub(crate) messages_due: String,
    pub(crate) tables: Vec<OfTable>,
}

/// The statements of one table.
pub(crate) struct OfTable {
    /// keys → rows with their sealed columns, of one instant.
    pub(crate) read: String,
    /// Keys in order.
    pub(crate) keys: String,
    /// Rows whose work is due.
    pub(crate) due: String,
    /// Keys that may be forgotten, each with its row's last entry.
    pub(crate) old: String,
    /// Forgets rows that still may be, with all that is theirs.
    pub(crate) forget: String,
    insert: Vec<String>,
    swap: Vec<String>,
}

impl OfTable {
    /// New rows, where there are none, with what goes with them.
    pub(crate) fn insert(&self, beside: Beside) -> &str {
        &self.insert[beside.number()]
    }

    /// Guarded swaps, with what goes with them.
    pub(crate) fn swap(&self, beside: Beside) -> &str {
        &self.swap[beside.number()]
    }
}

impl Statements {
    /// Those of a form.
    pub(crate) fn of(form: Form) -> &'static Statements {
        static WHOLE: LazyLock<Statements> = LazyLock::new(|| all(Form::Whole));
        static SHARDED: LazyLock<Statements> = LazyLock::new(|| all(Form::Sharded));
        match form {
            Form::Whole => &WHOLE,
            Form::Sharded => &SHARDED,
        }
    }

    /// Those of a table.
    pub(crate) fn table(&self, table: Table) -> &OfTable {
        let at = Table::ALL.iter().position(|known| *known == table).unwrap_or(0);
        &self.tables[at]
    }
}

/// Every statement, and whether a payment may wait for it.
pub(crate) fn list(form: Form) -> Vec<(&'static str, bool)> {
    let all = Statements::of(form);
    let of_table = |of: &'static OfTable| {
        let sweeping = [&of.keys, &of.due, &of.old, &of.forget].map(|sql| (sql.as_str(), false));
        let paying = of.insert.iter().chain(&of.swap).chain([&of.read]).map(|sql| (sql.as_str(), true));
        sweeping.into_iter().chain(paying)
    };
    let beside = [&all.lease, &all.settle, &all.journal].map(|sql| (sql.as_str(), true));
    let due = [&all.messages_due, &all.entries_of].map(|sql| (sql.as_str(), false));
    all.tables.iter().flat_map(of_table).chain(beside).chain(due).collect()
}

fn all(form: Form) -> Statements {
    let besides = |count| (0..count).map(Beside::numbered);
    let of = |table: &Table| OfTable {
        read: read(*table, form),
        keys: format!("SELECT key FROM {table} WHERE key > $1 ORDER BY key LIMIT $2"),
        due: due(*table),
        old: format!(
            "SELECT key, last_entry FROM {table} WHERE forget_after <= $1 ORDER BY forget_after, key LIMIT $2"
        ),
        forget: in_line::forget(*table),
        insert: besides(Beside::OF_INSERTS).map(|beside| insert(*table, beside, form)).collect(),
        swap: besides(Beside::OF_SWAPS).map(|beside| swap(*table, beside, form)).collect(),
    };
    Statements {
        begin: "BEGIN".into(),
        commit: "COMMIT".into(),
        lease: lease(form),
        settle: settle(form),
        journal: in_line::journal(form),
        entries_of: in_line::of_owner(form),
        messages_due: "SELECT owner, id, body, expires, leased_until, attempts FROM outbox
             WHERE leased_until <= $1 ORDER BY leased_until, owner, id LIMIT $2"
            .into(),
        tables: Table::ALL.iter().map(of).collect(),
    }
}

/// A statement in the making: its text, and how many parameters it has.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) parameters: usize,
    /// The parameter that says which shard; it comes first.
    shard: Option<usize>,
}

impl Text {
    pub(super) fn new(form: Form) -> Text {
        let mut text = Text { text: String::new(), parameters: 0, shard: None };
        if form == Form::Sharded {
            text.parameters = 1;
            text.shard = Some(1);
        }
        text
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// `unnest($n::…[], …) AS name(column, …)`.
    pub(super) fn arrays(&mut self, name: &str, columns: &[(&str, &str)]) {
        let parameter = |at: usize, kind: &str| format!("${}::{kind}[]", self.parameters + at + 1);
        let arrays: Vec<String> =
            columns.iter().enumerate().map(|(at, (_, kind))| parameter(at, kind)).collect();
        let names: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
        self.parameters += columns.len();
        let (arrays, names) = (arrays.join(", "), names.join(", "));
        // Writing to a String does not fail.
        let _ = write!(self.text, "unnest({arrays}) AS {name}({names})");
    }

    /// The shard of a row with this key, as a value.
    pub(super) fn shard_of(&mut self, key: &str) {
        let value = match self.shard {
            Some(parameter) => format!("${parameter}::int2"),
            None => format!("get_byte({key}, length({key}) - 1)::int2"),
        };
        self.push(&value);
    }

    /// ` AND table.shard = $1`, where it must be said.
    pub(super) fn in_shard(&mut self, table: &str) {
        if let Some(parameter) = self.shard {
            let _ = write!(self.text, " AND {table}.shard = ${parameter}::int2");
        }
    }

    /// ` WHERE` the row is one that won. Written so that the server hashes what won once, and looks up in it: joins are made to walk
    /// indexes here, and a walk through all that won for each would be their square.
    pub(super) fn that_won(&mut self, key: &str) {
        let _ = write!(self.text, " WHERE ({key} IN (SELECT won.key FROM won)) IS TRUE");
    }

    /// What goes with the rows that won, then which they are: as one array, since a row of the answer for each costs both sides more.
    fn beside(mut self, table: Table, beside: Beside) -> String {
        if beside.sealed {
            let _ = write!(
                self.text,
                ", sealed AS (INSERT INTO {table}_sealed (shard, key, name, bytes) SELECT "
            );
            self.shard_of("s.key");
            self.push(", s.key, s.name, s.bytes FROM ");
            self.arrays("s", &[("key", "bytea"), ("name", "text"), ("bytes", "bytea")]);
            self.that_won("s.key");
            self.push(" ON CONFLICT (key, name, shard) DO UPDATE SET bytes = excluded.bytes)");
        }
        if beside.unsealed {
            let _ = write!(self.text, ", unsealed AS (DELETE FROM {table}_sealed AS d USING ");
            self.arrays("u", &[("key", "bytea"), ("name", "text")]);
            self.that_won("u.key");
            self.push(" AND d.key = u.key AND d.name = u.name");
            self.in_shard("d");
            self.push(")");
        }
        if beside.first {
            in_line::first(&mut self);
        }
        if beside.entries {
            in_line::entries(&mut self);
        }
        if beside.messages {
            self.push(", messages AS (INSERT INTO outbox (shard, owner, id, body, expires, leased_until, attempts) SELECT ");
            self.shard_of("m.owner");
            self.push(", m.owner, m.id, m.body, m.expires, m.leased_until, 1 FROM ");
            let columns = [
                ("owner", "bytea"),
                ("id", "bytea"),
                ("body", "bytea"),
                ("expires", "int8"),
                ("leased_until", "int8"),
            ];
            self.arrays("m", &columns);
            self.that_won("m.owner");
            self.push(")");
        }
        self.push(" SELECT array_agg(won.key) FROM won");
        self.text
    }

    /// A change of messages, and which it was of.
    fn of_messages(mut self) -> String {
        self.push(" RETURNING o.owner, o.id)");
        self.push(" SELECT array_agg(won.owner), array_agg(won.id) FROM won");
        self.text
    }
}

fn insert(table: Table, beside: Beside, form: Form) -> String {
    let mut text = Text::new(form);
    let _ = write!(text.text, "WITH won AS (INSERT INTO {table} ");
    text.push("(shard, key, version, body, head_seq, head_mac, due, forget_after, last_entry) SELECT ");
    text.shard_of("c.key");
    text.push(", c.key, 1, c.body, c.head_seq, c.head_mac, c.due, c.forget_after, c.last_entry FROM ");
    let columns = [
        ("key", "bytea"),
        ("body", "bytea"),
        ("head_seq", "int8"),
        ("head_mac", "bytea"),
        ("due", "int8"),
        ("forget_after", "int8"),
        ("last_entry", "bytea"),
    ];
    text.arrays("c", &columns);
    text.push(" ON CONFLICT (key, shard) DO NOTHING RETURNING key)");
    text.beside(table, beside)
}

fn swap(table: Table, beside: Beside, form: Form) -> String {
    let mut text = Text::new(form);
    let _ = write!(text.text, "WITH won AS (UPDATE {table} AS r SET version = r.version + 1, body = c.body,");
    text.push(" head_seq = CASE WHEN r.head_seq = c.head_before");
    text.push(" AND (c.head_before < c.head_seq OR r.head_mac = c.head_mac) THEN c.head_seq END,");
    text.push(" head_mac = c.head_mac, due = c.due, forget_after = c.forget_after");
    if beside.first {
        text.push(in_line::POINTERS);
    }
    text.push(" FROM ");
    let mut columns = vec![
        ("key", "bytea"),
        ("expected", "int8"),
        ("body", "bytea"),
        ("head_before", "int8"),
        ("head_seq", "int8"),
        ("head_mac", "bytea"),
        ("due", "int8"),
        ("forget_after", "int8"),
    ];
    if beside.first {
        columns.extend(in_line::FIRST);
    }
    text.arrays("c", &columns);
    text.push(" WHERE r.key = c.key AND r.version = c.expected");
    text.in_shard("r");
    text.push(" RETURNING r.key");
    if beside.first {
        text.push(in_line::FIRST_RETURNED);
    }
    text.push(")");
    text.beside(table, beside)
}

fn read(table: Table, form: Form) -> String {
    let mut text = Text::new(form);
    text.push("SELECT r.key, r.version, r.body, r.head_seq, r.head_mac, s.names, s.bytes");
    let _ = write!(
        text.text,
        " FROM {table} AS r LEFT JOIN LATERAL (SELECT array_agg(d.name ORDER BY d.name) AS names,"
    );
    let _ = write!(text.text, " array_agg(d.bytes ORDER BY d.name) AS bytes FROM {table}_sealed AS d");
    text.push(" WHERE d.key = r.key");
    text.in_shard("d");
    text.parameters += 1;
    let _ = write!(text.text, ") AS s ON true WHERE r.key = ANY(${}::bytea[])", text.parameters);
    text.in_shard("r");
    text.text
}

/// The sweeper's: over all shards, and no payment waits for it.
fn due(table: Table) -> String {
    format!(
        "SELECT r.key, r.version, r.body, r.head_seq, r.head_mac, s.names, s.bytes FROM
            (SELECT * FROM {table} WHERE due <= $1 ORDER BY due, key LIMIT $2) AS r
         LEFT JOIN LATERAL (SELECT array_agg(d.name ORDER BY d.name) AS names, array_agg(d.bytes ORDER BY d.name) AS bytes
            FROM {table}_sealed AS d WHERE d.key = r.key AND d.shard = r.shard) AS s ON true
         ORDER BY r.due, r.key"
    )
}

fn lease(form: Form) -> String {
    let mut text = Text::new(form);
    text.push("WITH won AS (UPDATE outbox AS o SET leased_until = l.until, attempts = o.attempts + 1 FROM ");
    text.arrays("l", &[("owner", "bytea"), ("id", "bytea"), ("expected", "int8"), ("until", "int8")]);
    text.push(" WHERE o.owner = l.owner AND o.id = l.id AND o.leased_until = l.expected");
    text.in_shard("o");
    text.of_messages()
}

fn settle(form: Form) -> String {
    let mut text = Text::new(form);
    text.push("WITH won AS (DELETE FROM outbox AS o USING ");
    text.arrays("l", &[("owner", "bytea"), ("id", "bytea")]);
    text.push(" WHERE o.owner = l.owner AND o.id = l.id");
    text.in_shard("o");
    text.of_messages()
}
