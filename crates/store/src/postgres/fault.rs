//! PostgreSQL's errors in the port's words. Bound values never are in a text: of an error only its code and message are
//! told, not its detail, which names keys.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::StoreFault;

/// What follows from an error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing is written, and the same may succeed if it is tried again: a deadlock, a fail-over that has begun.
    Again(String),
    /// Nothing is written: somebody else holds a row of it, and was waited for.
    Held(String),
    /// What the caller is told.
    Fault(StoreFault),
}

/// Where an error came up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum During {
    /// A statement of a transaction whose COMMIT comes after it.
    Statement,
    /// COMMIT, or a statement that commits by itself.
    Commit,
    /// Something that changes nothing.
    Reading,
}

/// What an error means for a change.
pub(crate) fn of(error: &Error, during: During, doing: &str) -> Failure {
    let text = format!("{doing}: {}", words(error));
    let unavailable = |text| Failure::Fault(StoreFault::Unavailable(text));
    let unknown = |text| Failure::Fault(StoreFault::Unknown(text));
    let Some(said) = error.as_db_error() else {
        // The connection ended, or what came over it was nonsense. A COMMIT may have been read.
        return if during == During::Reading { Failure::Again(text) } else { unknown(text) };
    };
    if is_fatal(said) {
        return if during == During::Reading { Failure::Again(text) } else { unknown(text) };
    }
    match said.code() {
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::READ_ONLY_SQL_TRANSACTION
        | &SqlState::CANNOT_CONNECT_NOW => Failure::Again(text),
        &SqlState::LOCK_NOT_AVAILABLE if during == During::Reading => Failure::Again(text),
        &SqlState::LOCK_NOT_AVAILABLE => Failure::Held(text),
        // A damaged row: whatever else was asked for in the same trip may be whole.
        _ if is_internal(said) && during != During::Commit => Failure::Fault(StoreFault::Statement(text)),
        _ if during == During::Reading => unavailable(text),
        code => match &code.code()[..2] {
            // Out of disk, memory or connections; an input-output error; a server that is going down.
            "53" | "58" | "57" if during == During::Statement => unavailable(text),
            "53" | "58" | "57" | "XX" => unknown(text),
            // Not even a statement of its own could be at fault here: the text is ours, and prepared.
            _ if during == During::Commit && code == &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => {
                unknown(text)
            }
            _ => Failure::Fault(StoreFault::Statement(text)),
        },
    }
}

/// Whether what comes next is better kept apart from what failed: a row is held by somebody else, or damaged.
pub(crate) fn calls_for_care(error: &Error) -> bool {
    let held = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
    held || error.as_db_error().is_some_and(is_internal)
}

/// Class XX: what lies at the server is damaged, or it has met what it does not expect.
fn is_internal(said: &DbError) -> bool {
    said.code().code().starts_with("XX")
}

/// Whether a statement failed only because one before it did.
pub(crate) fn follows(error: &Error) -> bool {
    error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION)
}

/// Whether a statement put NULL where the head's number belongs: how [`super::sql`] refuses a head that does not continue.
pub(crate) fn is_broken_head(error: &Error) -> bool {
    let said = error.as_db_error();
    said.is_some_and(|said| said.code() == &SqlState::NOT_NULL_VIOLATION && said.column() == Some("head_seq"))
}

/// Whether the connection must not be used any more.
pub(crate) fn ends_connection(error: &Error) -> bool {
    let Some(said) = error.as_db_error() else { return true };
    is_fatal(said) || said.code() == &SqlState::READ_ONLY_SQL_TRANSACTION
}

fn is_fatal(said: &DbError) -> bool {
    use tokio_postgres::error::Severity::{Fatal, Panic};
    matches!(said.parsed_severity(), Some(Fatal | Panic))
}

/// An error's own words, down to its cause, without the values that it is about.
pub(crate) fn words(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} (SQLSTATE {})", said.message(), said.code().code()),
        None => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                let words = inner.to_string();
                if !text.contains(&words) {
                    text = format!("{text}: {words}");
                }
                cause = inner.source();
            }
            text
        }
    }
}
