//! The app's address as a QR (ISO/IEC 18004): for the receipt's paper, and for a terminal emulator.
//!
//! Pure. Not here: what the address says, which is the bank's.

use fast_qr::{ECL, QRBuilder};

/// Light modules around it (ISO/IEC 18004: four).
const QUIET: usize = 4;
/// Characters of an address at most: more would make modules too small for a slip of paper.
const ADDRESS_CHARS_MAX: usize = 200;
/// Colours 16 and 231 of 256: black on white, whatever colours the emulator was given.
const INK: &str = "\u{1b}[38;5;16;48;5;231m";
const PLAIN: &str = "\u{1b}[0m";

/// Whether it is an address that a receipt may show: over HTTPS, or of this machine itself, and not too long.
pub(super) fn is_address(text: &str) -> bool {
    let local = ["http://localhost:", "http://localhost/"];
    (text.starts_with("https://") || local.iter().any(|start| text.starts_with(start)))
        && text.len() <= ADDRESS_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Rows of `0` (light) and `1` (dark), quiet zone included. `None`: there is no QR that takes so much.
pub(super) fn rows(text: &str) -> Option<Vec<String>> {
    // M mends 15 %: paper crumples.
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let whole = code.size + 2 * QUIET;
    let is_dark = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.size);
        inside(x).zip(inside(y)).is_some_and(|(x, y)| code[y][x].value())
    };
    let row = |y| (0..whole).map(|x| if is_dark(x, y) { '1' } else { '0' }).collect();
    Some((0..whole).map(row).collect())
}

/// The same for a terminal emulator, two rows a line.
pub fn half_blocks(rows: &[String]) -> Vec<String> {
    let line = |pair: &[String]| {
        let below = pair.get(1).map_or("", String::as_str).bytes().chain(std::iter::repeat(b'0'));
        let blocks = pair[0].bytes().zip(below).map(|(upper, lower)| match (upper, lower) {
            (b'1', b'1') => '█',
            (b'1', _) => '▀',
            (_, b'1') => '▄',
            _ => ' ',
        });
        format!("{INK}{}{PLAIN}", blocks.collect::<String>())
    };
    rows.chunks(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "http://localhost:8723/#mellat";

    /// Reads a drawn matrix back, each module four dots wide, as a camera would see it.
    fn seen(rows: &[String]) -> String {
        let dots = 4 * rows.len();
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(dots, dots, |x, y| {
            if rows[y / 4].as_bytes()[x / 4] == b'1' { 0 } else { 255 }
        });
        let grids = picture.detect_grids();
        assert_eq!(grids.len(), 1, "one QR is seen");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_camera_reads_the_address_back() {
        let longest = format!("https://app.bank.example/{}", "x1Y-".repeat(44))[..200].to_owned();
        for address in [ADDRESS, "https://app.bank.example/", &longest] {
            assert!(is_address(address), "{address}");
            let rows = rows(address).unwrap();
            assert!(rows.iter().all(|row| row.len() == rows.len()));
            let edge = |row: &String| row.starts_with("0000") && row.ends_with("0000");
            assert!(rows.iter().all(edge) && rows[..4].iter().all(|row| !row.contains('1')), "quiet zone");
            assert_eq!(seen(&rows), address);
        }
    }

    #[test]
    fn half_blocks_are_the_same_picture() {
        let rows = rows(ADDRESS).unwrap();
        let mut again = Vec::new();
        for line in half_blocks(&rows) {
            let blocks = line.strip_prefix(INK).and_then(|line| line.strip_suffix(PLAIN)).unwrap();
            let half =
                |dark: [char; 2]| blocks.chars().map(move |c| if dark.contains(&c) { '1' } else { '0' });
            again.push(half(['█', '▀']).collect::<String>());
            again.push(half(['█', '▄']).collect::<String>());
        }
        // An odd number of rows: the last line's lower half is light.
        again.truncate(rows.len());
        assert_eq!(again, rows);
    }

    #[test]
    fn only_an_address_that_fits_a_receipt_is_drawn() {
        let long = format!("https://{}", "a".repeat(193));
        for text in [
            "",
            "http://app.bank.example/",
            "javascript:alert(1)",
            "http://localhost.example/",
            "https://a b/",
            "https://ا/",
            &long,
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
