//! Archives of source, laid out as folders.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use imagewright_layer::{LayerEntry, LayerEntryKind, read_layer};
use imagewright_oci::MediaType;
use zip::ZipArchive;

use super::error::ArchiveProblem;

/// Unpacks what `file_name` says that it is into `folder`, and gives back the folder of the source in it: that which
/// the archive has alone at its top, as archives of source do.
pub(super) fn unpack(file: fs_err::File, file_name: &str, folder: &Path) -> Result<PathBuf, ArchiveProblem> {
    let lower = file_name.to_ascii_lowercase();
    let is = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    if is(&[".tar.gz", ".tgz"]) {
        unpack_tar(file, folder)?;
    } else if is(&[".zip"]) {
        unpack_zip(file, folder)?;
    } else {
        return Err(ArchiveProblem::Kind);
    }
    alone(folder).map_err(|source| ArchiveProblem::Write { path: folder.to_owned(), source })
}

/// The folder that is alone in `folder`, else `folder` itself.
fn alone(folder: &Path) -> io::Result<PathBuf> {
    let entries = fs_err::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    match &entries[..] {
        [one] if one.file_type()?.is_dir() => Ok(one.path()),
        _ => Ok(folder.to_owned()),
    }
}

fn unpack_tar(file: fs_err::File, folder: &Path) -> Result<(), ArchiveProblem> {
    read_layer(file, &MediaType::OciLayerGzip, |entry, content| {
        let LayerEntry { path, kind, mode, .. } = entry;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let written = match kind {
            LayerEntryKind::Directory => fs_err::create_dir_all(folder.join(path)),
            LayerEntryKind::File { .. } => write(folder, path, content, mode & 0o100 != 0),
            LayerEntryKind::Symlink { target } if stays(path, target) => {
                parent(folder, path).and_then(|()| fs_err::os::unix::fs::symlink(target, folder.join(path)))
            }
            LayerEntryKind::Hardlink { target } if is_plain(folder, target) => parent(folder, path)
                .and_then(|()| fs_err::copy(folder.join(target), folder.join(path)).map(drop)),
            _ => return Err(ArchiveProblem::Entry { path: path.clone() }),
        };
        written.map_err(|source| ArchiveProblem::Write { path: path.clone(), source })
    })
}

fn unpack_zip(file: fs_err::File, folder: &Path) -> Result<(), ArchiveProblem> {
    let mut archive = ZipArchive::new(file)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let path = entry.enclosed_name().ok_or_else(|| ArchiveProblem::Entry { path: name.into() })?;
        if entry.is_symlink() {
            return Err(ArchiveProblem::Entry { path });
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        let written = if entry.is_dir() {
            fs_err::create_dir_all(folder.join(&path))
        } else {
            write(folder, &path, &mut entry, executable)
        };
        written.map_err(|source| ArchiveProblem::Write { path, source })?;
    }
    Ok(())
}

fn write(folder: &Path, path: &Path, content: &mut dyn Read, executable: bool) -> io::Result<()> {
    parent(folder, path)?;
    let place = folder.join(path);
    // Where a link was, a file of that name takes its place, and is not written to where it leads.
    if place.is_symlink() {
        fs_err::remove_file(&place)?;
    }
    let mut file = fs_err::File::create(&place)?;
    io::copy(content, &mut file)?;
    set_mode(&place, executable)
}

/// The modes of files are those of a copy by anyone: what the archive says of users and groups is theirs who made it.
pub(super) fn set_mode(place: &Path, executable: bool) -> io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    fs_err::set_permissions(place, std::fs::Permissions::from_mode(mode))
}

/// Makes the folders above `path`, none of which may be a link.
fn parent(folder: &Path, path: &Path) -> io::Result<()> {
    let mut place = folder.to_owned();
    for part in path.parent().into_iter().flat_map(Path::components) {
        place.push(part);
        if place.is_symlink() {
            let because = format!("{} is a link", place.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, because));
        }
    }
    fs_err::create_dir_all(place)
}

/// Whether a link at `path` leads to somewhere in the archive.
fn stays(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

/// Whether `target` is a file that was unpacked, and no link on the way.
fn is_plain(folder: &Path, target: &Path) -> bool {
    let mut place = folder.to_owned();
    target.components().all(|part| {
        place.push(part);
        !place.is_symlink()
    }) && place.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_archive() {
        for (path, target, expected) in [
            ("x/a", "b", true),
            ("x/a", "../b", true),
            ("x/a", "../../b", false),
            ("x/a", "/etc/passwd", false),
            ("a", "..", false),
            ("a", "b/../../c", false),
        ] {
            assert_eq!(stays(Path::new(path), Path::new(target)), expected, "{path} -> {target}");
        }
    }
}
