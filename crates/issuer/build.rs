//! Lists the app's page for the compiler: all of `web/app` and `web/shared`, so that a new file needs no second mention. The files
//! themselves stay as they are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders under `web/`.
const FOLDERS: &[&str] = &["app", "shared"];
/// What a browser is never sent: notes, and what only a type checker reads.
const NOT_SERVED: &[&str] = &["md", "json", "ts"];

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut list = String::from("&[\n");
    for folder in FOLDERS {
        let web = crate_folder.join("../../web").join(folder);
        println!("cargo::rerun-if-changed={}", web.display());
        for name in names(&web, Path::new(""))? {
            let path = format!("/../../web/{folder}/{name}");
            // Formatting a string cannot fail.
            _ = writeln!(
                list,
                "    ({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),"
            );
        }
    }
    list.push(']');
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("page_files.rs"), list)
}

/// The files under a folder as they are named from there, in order.
fn names(root: &Path, folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let served = !path.extension().is_some_and(|e| NOT_SERVED.iter().any(|one| e == *one));
        if entry.file_type()?.is_dir() {
            found.extend(names(root, &path)?);
        } else if served && !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
    found.sort();
    Ok(found)
}
