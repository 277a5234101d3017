//! SQLite's errors in the port's words: what a person should do next is in the text, bound values never are.

use rusqlite::{Error, ErrorCode};

use crate::StoreFault;

/// What an error says about the statement that met it.
pub(crate) fn of_statement(doing: &str, error: &Error) -> StoreFault {
    match trouble(error) {
        Some(advice) => StoreFault::Unavailable(format!("{doing}: {error}: {advice}")),
        None => StoreFault::Statement(format!("{doing}: {error}")),
    }
}

/// Reading changes nothing, so whatever went wrong the store could not be read.
pub(crate) fn of_reading(doing: &str, error: &Error) -> StoreFault {
    match trouble(error) {
        Some(advice) => StoreFault::Unavailable(format!("{doing}: {error}: {advice}")),
        None => StoreFault::Unavailable(format!("{doing}: {error}")),
    }
}

/// COMMIT was sent and not confirmed.
pub(crate) fn of_commit(error: &Error) -> StoreFault {
    match trouble(error) {
        Some(advice) => StoreFault::Unknown(format!("{error}: {advice}")),
        None => StoreFault::Unknown(error.to_string()),
    }
}

/// Whether the file or its disk is in trouble rather than one statement, and what to do about it.
pub(crate) fn trouble(error: &Error) -> Option<&'static str> {
    Some(match error.sqlite_error_code()? {
        ErrorCode::DiskFull => "the disk is full: free space, nothing else is needed",
        ErrorCode::SystemIoFailure => "the disk fails to read or write: look at its space, limits and health",
        ErrorCode::ReadOnly => "the file or its folder may only be read: give the service write permission",
        ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            "the file cannot be opened: look at its folder and their permissions"
        }
        ErrorCode::DatabaseCorrupt => "the file is damaged: stop the service and restore a backup",
        ErrorCode::NotADatabase => "the file is not a store of ours, or damaged: restore a backup",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            "another program holds the file: end it"
        }
        ErrorCode::OutOfMemory => "the machine is out of memory",
        _ => return None,
    })
}
