//! How messages look on one link, as configuration says it: a layout by name or by file, and a header.
//!
//! A layout file is read once, when a role starts or its configuration is checked. What a link itself needs (sign-on, echo,
//! refusals) is tried here; a role tries what it needs besides with [`Shape::takes`]. Not here: the notation, which is the
//! codec's.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use ramz_domain::limits;
use ramz_iso8583::{EncodeError, Layout, LayoutError};

/// Layout and header of a link.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How messages look.
    pub layout: Arc<Layout>,
    /// The bytes between length and message.
    pub header: Vec<u8>,
    /// The layout as the configuration calls it.
    from: String,
}

/// Why a configuration's layout or header cannot be used. In one line, and without a secret: a layout holds none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Neither shipped nor a file.
    #[error(
        "no message layout is called {0:?}; write ascii, bcd, or the path of a layout file (it ends in .toml)"
    )]
    Name(String),
    /// A file that is not there, not readable, not text, or too long.
    #[error("layout file {file}: {why}")]
    Unreadable {
        /// The path.
        file: String,
        /// What the system says.
        why: String,
    },
    /// A file that is no layout.
    #[error("layout file {file}: {error}")]
    NotALayout {
        /// The path.
        file: String,
        /// Key or field, what belongs there, what was found.
        error: LayoutError,
    },
    /// A layout that cannot carry what is needed.
    #[error("layout {layout} cannot carry {what}: {error}")]
    CannotCarry {
        /// The layout, as the configuration calls it.
        layout: String,
        /// What for.
        what: String,
        /// The field, what the layout wants, what is needed.
        error: EncodeError,
    },
    /// Not hexadecimal, or too long.
    #[error("header {0:?} is not hexadecimal of at most {max} bytes", max = limits::LINK_HEADER_BYTES_MAX)]
    Header(String),
}

/// What every link says by itself: sign-on and echo, and 30 to what does not decode.
const OURS: &[(u8, &[u8])] =
    &[(7, b"1124015509"), (11, b"000001"), (39, b"30"), (48, b"15015format_error:128"), (70, b"301")];

impl Shape {
    /// Reads a configuration's words: a layout's name or the path of its file, and a header in hexadecimal.
    ///
    /// # Errors
    /// There is no such layout, the file is not one, or no link can work with it.
    pub fn read(layout: &str, header: &str) -> Result<Shape, ShapeError> {
        let named = match Layout::named(layout) {
            Some(shipped) => shipped,
            None if layout.contains('/') || layout.ends_with(".toml") => Arc::new(from_file(layout)?),
            None => return Err(ShapeError::Name(layout.to_owned())),
        };
        let bytes = hex::decode(header).ok().filter(|bytes| bytes.len() <= limits::LINK_HEADER_BYTES_MAX);
        let header = bytes.ok_or_else(|| ShapeError::Header(header.to_owned()))?;
        let shape = Shape { layout: named, header, from: layout.to_owned() };
        shape.takes("sign-on, echo and refusals", OURS)?;
        Ok(shape)
    }

    /// Whether the layout can carry something: each field with content of the longest kind.
    ///
    /// # Errors
    /// The first field that it cannot.
    pub fn takes(&self, what: &str, fields: &[(u8, &[u8])]) -> Result<(), ShapeError> {
        let taken = fields.iter().try_for_each(|(field, content)| self.layout.takes(*field, content));
        taken.map_err(|error| ShapeError::CannotCarry {
            layout: self.from.clone(),
            what: what.to_owned(),
            error,
        })
    }
}

fn from_file(path: &str) -> Result<Layout, ShapeError> {
    let unreadable = |why: String| ShapeError::Unreadable { file: path.to_owned(), why };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(limits::LAYOUT_FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > limits::LAYOUT_FILE_BYTES_MAX {
        return Err(unreadable(format!("longer than {} bytes", limits::LAYOUT_FILE_BYTES_MAX)));
    }
    Layout::from_toml(&text).map_err(|error| ShapeError::NotALayout { file: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a layout file of that content, with its path as `FILE`.
    fn said(content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours.toml");
        std::fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        match Shape::read(path, "") {
            Ok(shape) => shape.layout.name().to_owned(),
            Err(error) => error.to_string().replace(path, "FILE"),
        }
    }

    #[test]
    fn a_layout_is_shipped_or_a_file() {
        assert_eq!(Shape::read("bcd", "6000030000").unwrap().header, [0x60, 0, 3, 0, 0]);
        assert_eq!(said(b"name = 'ours'\nlike = 'bcd'\n"), "ours");
        assert_eq!(
            Shape::read("ebcdic", "").unwrap_err().to_string(),
            "no message layout is called \"ebcdic\"; write ascii, bcd, or the path of a layout file (it ends in .toml)"
        );
        assert_eq!(
            Shape::read("./none.toml", "").unwrap_err().to_string(),
            "layout file ./none.toml: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file_and_place() {
        for (content, expect) in [
            (
                &b"name = 'ours'\nlike = 'bcd'\n[fields]\n4 = 'n twelve'"[..],
                "layout file FILE: field 4: expected a size from 1, such as 6, ..19 or ...999, found \"n twelve\"",
            ),
            (
                b"name = 'ours'\nlike =\n",
                "layout file FILE: line 2: string values must be quoted, expected literal string",
            ),
            (b"\xFF\xFE", "layout file FILE: stream did not contain valid UTF-8"),
            (&[b'#'; 64 * 1024 + 1], "layout file FILE: longer than 65536 bytes"),
            (
                b"name = 'ours'\nlike = 'bcd'\n[fields]\n70 = 'none'",
                "layout FILE cannot carry sign-on, echo and refusals: field 70 (network management information code): \
              expected only fields of the layout, found this one",
            ),
            (
                b"name = 'ours'\nlike = 'bcd'\n[fields]\n48 = 'utf8 ..20'",
                "layout FILE cannot carry sign-on, echo and refusals: field 48 (additional data, private): expected at most \
              20 bytes, found 21",
            ),
        ] {
            assert_eq!(said(content), expect);
        }
    }

    #[test]
    fn a_header_is_hexadecimal_and_bounded() {
        for wrong in ["zz", "600", &"60".repeat(65)] {
            let error = Shape::read("bcd", wrong).unwrap_err();
            assert_eq!(error, ShapeError::Header(wrong.to_owned()));
            assert!(error.to_string().contains("not hexadecimal of at most 64 bytes"), "{error}");
        }
        assert_eq!(Shape::read("bcd", &"60".repeat(64)).unwrap().header.len(), 64);
    }
}
