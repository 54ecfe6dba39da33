//! Reading package files: deb(5), an `ar` archive of two compressed tar archives.

mod ar;
mod problem;

pub use problem::DebProblem;

use std::io::{self, Read};

use imagewright_layer::{TreeEntry, TreeKind, TreePath};

use crate::spool::{self, Spool};
use crate::{DebianError, DebianName};

/// No package of a base comes near this; a larger one would be a decompression bomb.
const LARGEST_PACKAGE: u64 = 2 << 30;

/// A package file taken apart.
#[derive(Debug)]
pub struct UnpackedPackage {
    /// The files of its control archive, sorted by name: `control`, `md5sums`, `postinst`, ...
    pub control: Vec<ControlFile>,
    /// What it installs, at the paths of a system with merged `/usr`.
    pub entries: Vec<TreeEntry>,
    /// The paths as the package writes them, in its order, as `/var/lib/dpkg/info/*.list` has them.
    pub list: Vec<String>,
}

/// A file of a package's control archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFile {
    /// Its name, without a folder.
    pub name: String,
    /// Its permission bits.
    pub mode: u32,
    /// Its content.
    pub content: Vec<u8>,
}

impl UnpackedPackage {
    /// Takes a package file apart; its hash has been checked by whoever fetched it.
    ///
    /// Its contents are in memory, the larger ones in `spool` if there is one.
    pub fn read(
        package: &DebianName,
        file: &mut dyn Read,
        spool: Option<&Spool>,
    ) -> Result<Self, DebianError> {
        read(file, spool).map_err(|problem| DebianError::Deb { package: package.clone(), problem })
    }

    /// A file of the control archive, if it is there and is text.
    pub fn control_text(&self, name: &str) -> Option<&str> {
        let file = self.control.iter().find(|file| file.name == name)?;
        std::str::from_utf8(&file.content).ok()
    }
}

fn read(file: &mut dyn Read, spool: Option<&Spool>) -> Result<UnpackedPackage, DebProblem> {
    let mut archive = ar::Archive::new(file)?;
    archive.member("debian-binary", |_, reader| {
        let mut version = String::new();
        reader.take(16).read_to_string(&mut version)?;
        if version.starts_with("2.") { Ok(()) } else { Err(DebProblem::Version { version }) }
    })?;
    let control = archive.member("control.tar", |name, reader| read_control(decompress(name, reader)?))?;
    let (entries, list) =
        archive.member("data.tar", |name, reader| read_data(decompress(name, reader)?, spool))?;
    Ok(UnpackedPackage { control, entries, list })
}

fn decompress<'a>(name: &str, reader: &'a mut dyn Read) -> Result<Box<dyn Read + 'a>, DebProblem> {
    let reader: Box<dyn Read + 'a> = match name.rsplit_once(".tar").map(|(_, ending)| ending) {
        Some("") => Box::new(reader),
        Some(".gz") => Box::new(flate2::read::GzDecoder::new(reader)),
        Some(".xz") => Box::new(liblzma::read::XzDecoder::new(reader)),
        Some(".zst") => Box::new(zstd::Decoder::new(reader)?),
        _ => return Err(DebProblem::Compression { member: name.to_owned() }),
    };
    Ok(Box::new(reader.take(LARGEST_PACKAGE)))
}

fn read_control(reader: impl Read) -> Result<Vec<ControlFile>, DebProblem> {
    let mut archive = tar::Archive::new(reader);
    let mut files = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() == tar::EntryType::Directory {
            continue;
        }
        let path = clean_path(&entry.path_bytes())?.ok_or(DebProblem::Path { path: ".".to_owned() })?;
        if entry.header().entry_type() != tar::EntryType::Regular || path.contains('/') {
            return Err(DebProblem::Kind { path });
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.push(ControlFile { name: path, mode: entry.header().mode()? & 0o777, content });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn read_data(
    mut reader: impl Read,
    spool: Option<&Spool>,
) -> Result<(Vec<TreeEntry>, Vec<String>), DebProblem> {
    let mut archive = tar::Archive::new(&mut reader);
    let (mut entries, mut list) = (Vec::new(), vec!["/.".to_owned()]);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if let Some(path) = clean_path(&entry.path_bytes())? {
            list.push(format!("/{path}"));
            entries.push(read_entry(&mut entry, &path, spool)?);
        }
    }
    // What follows the end of the archive is padding; reading it makes the decompressor check its own sums.
    io::copy(&mut reader, &mut io::sink())?;
    Ok((entries, list))
}

fn read_entry(
    entry: &mut tar::Entry<'_, impl Read>,
    path: &str,
    spool: Option<&Spool>,
) -> Result<TreeEntry, DebProblem> {
    let header = entry.header();
    let narrow = |number: u64| u32::try_from(number).map_err(|_| DebProblem::Owner { path: path.to_owned() });
    let (mode, uid, gid) = (header.mode()? & 0o7777, narrow(header.uid()?)?, narrow(header.gid()?)?);
    let link = || entry.link_name_bytes().ok_or(DebProblem::Kind { path: path.to_owned() });
    let kind = match header.entry_type() {
        tar::EntryType::Directory => TreeKind::Directory,
        tar::EntryType::Symlink => TreeKind::Symlink { target: utf8(&link()?)?.into() },
        tar::EntryType::Link => {
            let target = clean_path(&link()?)?.ok_or(DebProblem::Kind { path: path.to_owned() })?;
            TreeKind::Hardlink { target: tree_path(&target)? }
        }
        tar::EntryType::Regular | tar::EntryType::Continuous => {
            let size = entry.size();
            let content = match spool {
                Some(spool) => spool.take(path, size, entry)?,
                None => spool::in_memory(entry)?,
            };
            TreeKind::File { size, content }
        }
        _ => return Err(DebProblem::Kind { path: path.to_owned() }),
    };
    let path = match kind {
        TreeKind::Symlink { .. } if is_merged_link(path) => {
            TreePath::new(path).map_err(|_| DebProblem::Path { path: path.to_owned() })?
        }
        _ => tree_path(path)?,
    };
    Ok(TreeEntry::new(path, kind, mode).owned_by(uid, gid))
}

/// The path without `./` and a closing slash; none for the root itself.
fn clean_path(bytes: &[u8]) -> Result<Option<String>, DebProblem> {
    let text = utf8(bytes)?;
    let path = text.strip_prefix("./").unwrap_or(&text).trim_end_matches('/');
    if matches!(path, "" | ".") {
        return Ok(None);
    }
    match TreePath::new(path) {
        Ok(_) if !path.starts_with('/') => Ok(Some(path.to_owned())),
        _ => Err(DebProblem::Path { path: text.clone() }),
    }
}

/// The place of a path where `/bin`, `/lib` and their kin are links to `/usr`, and `/var/run` and `/var/lock` to `/run`.
fn tree_path(path: &str) -> Result<TreePath, DebProblem> {
    let (first, below) = path.split_once('/').unwrap_or((path, ""));
    let moved = match (first, below.split_once('/').unwrap_or((below, ""))) {
        _ if is_merged_link(first) => format!("usr/{path}"),
        ("var", ("run", rest)) => format!("run/{rest}"),
        ("var", ("lock", rest)) => format!("run/lock/{rest}"),
        _ => path.to_owned(),
    };
    TreePath::new(moved.trim_end_matches('/')).map_err(|_| DebProblem::Path { path: path.to_owned() })
}

/// Whether a system with merged `/usr` has a link to a folder of `usr` there.
fn is_merged_link(path: &str) -> bool {
    matches!(path, "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32" | "libo32")
}

fn utf8(bytes: &[u8]) -> Result<String, DebProblem> {
    String::from_utf8(bytes.to_owned())
        .map_err(|error| DebProblem::Path { path: String::from_utf8_lossy(error.as_bytes()).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_through_the_links_of_a_merged_system() {
        for (path, place) in [
            ("bin/sh", "usr/bin/sh"),
            ("lib64/ld.so", "usr/lib64/ld.so"),
            ("lib", "usr/lib"),
            ("library/x", "library/x"),
            ("usr/bin/x", "usr/bin/x"),
            ("var/run", "run"),
            ("var/lock/x", "run/lock/x"),
            ("var/running", "var/running"),
        ] {
            assert_eq!(tree_path(path).unwrap().as_str(), place, "{path}");
        }
        assert_eq!(clean_path(b"./").unwrap(), None);
        assert_eq!(clean_path(b"./usr/").unwrap().as_deref(), Some("usr"));
        for path in [&b"../etc/passwd"[..], b"/etc/passwd", b"a/../b", b"a//b", b"./\xFF"] {
            assert!(clean_path(path).is_err());
        }
    }
}
