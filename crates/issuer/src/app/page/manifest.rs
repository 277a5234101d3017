//! `/app.webmanifest`: what the app is called on a phone's home screen (W3C Web Application Manifest). Each bank's is its own.

use axum::body::Bytes;
use ramz_api::app::BankView;
use serde_json::{Value, json};

use super::files::File;

/// Where it is served. Not under `/app/`: that is the door's.
pub(super) const MANIFEST: &str = "/app.webmanifest";

/// Its `--ground` and `--lapis` are those of `web/shared/tokens.css`.
const BACKGROUND: &str = "#eef1f6";
const THEME: &str = "#26348f";

/// The manifest of a bank. Icons are the files that are called so.
pub(super) fn manifest(bank: &BankView, files: &[File]) -> File {
    let short = bank.name_fa.strip_prefix("بانک ").unwrap_or(&bank.name_fa);
    let icons: Vec<_> = files.iter().filter_map(icon).collect();
    let manifest = json!({
        "id": "/",
        "name": format!("رمزنگار {}", bank.name_fa),
        "short_name": format!("رمزنگار {short}"),
        "description": format!("Ramznegar, {}: dynamic PINs, computed on this phone.", bank.name_en),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "dir": "rtl",
        "lang": "fa",
        "background_color": BACKGROUND,
        "theme_color": THEME,
        "icons": icons,
    });
    File::new(MANIFEST, "application/manifest+json", true, Bytes::from(manifest.to_string()))
}

/// `icon.svg` is of any size, `icon-192.png` of 192 pixels; `icon-maskable…` is one whose edge a phone may cut off.
fn icon(file: &File) -> Option<Value> {
    let name = file.path.strip_prefix("/assets/icon")?;
    let (name, kind) = name.rsplit_once('.')?;
    let pixels = name.rsplit('-').next().and_then(|size| size.parse::<u16>().ok());
    let sizes = match (kind, pixels) {
        ("svg", _) => "any".to_owned(),
        (_, pixels) => format!("{0}x{0}", pixels?),
    };
    let purpose = if name.starts_with("-maskable") { "maskable" } else { "any" };
    Some(json!({ "src": file.path, "sizes": sizes, "type": file.kind, "purpose": purpose }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icons_are_the_files_that_are_called_so() {
        let of = |path: &str, kind| {
            let icon = icon(&File::new(path, kind, false, Bytes::new()))?;
            Some(["sizes", "purpose"].map(|key| icon[key].as_str().unwrap().to_owned()).join(" "))
        };
        for (path, kind, expect) in [
            ("/assets/icon.svg", "image/svg+xml", Some("any any")),
            ("/assets/icon-maskable.svg", "image/svg+xml", Some("any maskable")),
            ("/assets/icon-192.png", "image/png", Some("192x192 any")),
            ("/assets/icon-maskable-512.png", "image/png", Some("512x512 maskable")),
            ("/assets/icon-touch.png", "image/png", None),
            ("/assets/mark.svg", "image/svg+xml", None),
        ] {
            assert_eq!(of(path, kind).as_deref(), expect, "{path}");
        }
    }

    #[test]
    fn each_bank_has_an_app_of_its_own_name() {
        let bank = |name: &str| BankView { id: "b".into(), name_fa: name.into(), name_en: "B".into() };
        let told =
            |name: &str| -> Value { serde_json::from_slice(&manifest(&bank(name), &[]).plain).unwrap() };
        assert_eq!(told("بانک ملت")["name"], "رمزنگار بانک ملت");
        assert_eq!(told("بانک ملت")["short_name"], "رمزنگار ملت");
        assert_eq!(told("پست بانک")["short_name"], "رمزنگار پست بانک");
    }
}
