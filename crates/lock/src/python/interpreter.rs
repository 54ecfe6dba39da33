//! A Python of this machine for uv to ask for its own bearings; nothing of the target comes from it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::uv::Host;

/// The first Python on `PATH` that is a program and no script.
///
/// What uv learns of a program it remembers; a script it asks again on every start, which takes a quarter of a second.
pub(super) fn on_path(host: &Host) -> Option<PathBuf> {
    let names =
        ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];
    let folders = host.path();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs_err::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"\x7fELF"
}
