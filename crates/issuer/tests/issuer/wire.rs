//! How one side's messages look: what a configuration says of the switch or of the host, and what it comes to.

use std::sync::Arc;

use ramz_iso8583::Layout;
use ramz_keys::{PinBlockFormat, ZoneCipher};
use ramz_link::Shape;

/// How one side speaks: what a configuration says.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) layout: String,
    pub(crate) header: String,
    pub(crate) format: u8,
}

impl Default for Wire {
    fn default() -> Wire {
        Wire { layout: "ascii".into(), header: String::new(), format: 0 }
    }
}

impl Wire {
    pub(crate) fn of(layout: &str, header: &str, format: u8) -> Wire {
        Wire { layout: layout.into(), header: header.into(), format }
    }

    pub(crate) fn shape(&self) -> (Arc<Layout>, Vec<u8>) {
        let Shape { layout, header, .. } = Shape::read(&self.layout, &self.header).unwrap();
        (layout, header)
    }

    pub(crate) fn format(&self) -> PinBlockFormat {
        PinBlockFormat::numbered(self.format).unwrap()
    }

    /// What the zone key is for.
    pub(crate) fn cipher(&self) -> ZoneCipher {
        self.format().cipher()
    }
}
