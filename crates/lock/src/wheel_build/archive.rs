//! Archives of source, laid out as folders.

use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bzip2::bufread::MultiBzDecoder;
use imagewright_layer::{LayerEntry, LayerEntryKind, read_layer};
use imagewright_oci::MediaType;
use imagewright_spec::led_to;
use liblzma::read::XzDecoder;
use zip::ZipArchive;

use super::error::ArchiveProblem;

/// Unpacks what `file_name` says that it is into `folder`, and gives back the folder of the source in it: that which
/// the archive has alone at its top, as archives of source do.
pub(super) fn unpack(file: fs_err::File, file_name: &str, folder: &Path) -> Result<PathBuf, ArchiveProblem> {
    let lower = file_name.to_ascii_lowercase();
    let is = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    if is(&[".tar.gz", ".tgz"]) {
        unpack_tar(file, folder)?;
    } else if is(&[".tar.bz2", ".tbz"]) {
        unpack_tar(MultiBzDecoder::new(BufReader::new(file)), folder)?;
    } else if is(&[".tar.xz", ".txz"]) {
        unpack_tar(XzDecoder::new_multi_decoder(file), folder)?;
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

/// Unpacks a tar archive; that it is compressed with gzip is seen.
fn unpack_tar(archive: impl Read, folder: &Path) -> Result<(), ArchiveProblem> {
    read_layer(archive, &MediaType::OciLayerGzip, |entry, content| {
        let LayerEntry { path, kind, mode, .. } = entry;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let written = match kind {
            LayerEntryKind::Directory => folders(folder, path),
            LayerEntryKind::File { .. } => write(folder, path, content, mode & 0o100 != 0),
            LayerEntryKind::Symlink { target } if stays(path, target) => {
                parent(folder, path).and_then(|()| fs_err::os::unix::fs::symlink(target, folder.join(path)))
            }
            LayerEntryKind::Hardlink { target } if is_plain(folder, target) => {
                write_again(folder, path, target)
            }
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
            folders(folder, &path)
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

/// Writes at `path` what is at `target` already.
fn write_again(folder: &Path, path: &Path, target: &Path) -> io::Result<()> {
    let mut file = fs_err::File::open(folder.join(target))?;
    let executable = file.metadata()?.permissions().mode() & 0o100 != 0;
    write(folder, path, &mut file, executable)
}

/// The modes of files are those of a copy by anyone: what the archive says of users and groups is theirs who made it.
pub(super) fn set_mode(place: &Path, executable: bool) -> io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    fs_err::set_permissions(place, std::fs::Permissions::from_mode(mode))
}

/// Makes the folders above `path`.
fn parent(folder: &Path, path: &Path) -> io::Result<()> {
    folders(folder, path.parent().unwrap_or(Path::new("")))
}

/// Makes the folder at `path`, and those above it. None may be a link: it may lead anywhere, through others.
fn folders(folder: &Path, path: &Path) -> io::Result<()> {
    let mut place = folder.to_owned();
    for part in path.components() {
        place.push(part);
        if place.is_symlink() {
            let because = format!("{} is a link", place.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, because));
        }
    }
    fs_err::create_dir_all(place)
}

/// Whether a link at `path` leads to somewhere in the archive, as far as its words say.
fn stays(path: &Path, target: &Path) -> bool {
    let folder = path.parent().and_then(Path::to_str);
    folder.zip(target.to_str()).is_some_and(|(folder, target)| led_to(folder, target).is_some())
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
    use std::io::Write as _;

    use super::*;

    /// What is left of an archive with these entries: a folder (`a/`), a link (`a -> b`), the same file (`a = b`) or a file.
    fn unpacked(entries: &[&str]) -> Result<tempfile::TempDir, ArchiveProblem> {
        let (top, mut archive) = (tempfile::tempdir().unwrap(), tar::Builder::new(Vec::new()));
        for entry in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(0);
            let link = entry.split_once(" -> ").or_else(|| entry.split_once(" = "));
            let (path, target) = link.map_or((*entry, None), |(path, to)| (path, Some(to)));
            header.set_entry_type(match target {
                Some(_) if entry.contains(" = ") => tar::EntryType::Link,
                Some(_) => tar::EntryType::Symlink,
                None if path.ends_with('/') => tar::EntryType::Directory,
                None => tar::EntryType::Regular,
            });
            match target {
                Some(target) => archive.append_link(&mut header, path, target).unwrap(),
                None => archive.append_data(&mut header, path, io::empty()).unwrap(),
            }
        }
        let folder = top.path().join("in/it");
        fs_err::create_dir_all(&folder).unwrap();
        unpack_tar(&archive.into_inner().unwrap()[..], &folder).map(|()| top)
    }

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
        assert!(unpacked(&["x/", "x/a -> ../y", "y/b"]).unwrap().path().join("in/it/x/a/b").exists());
    }

    #[test]
    fn each_compression_is_read() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        archive.append_data(&mut header, "x-1/setup.py", &b"text"[..]).unwrap();
        let archive = archive.into_inner().unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(&archive).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
        xz.write_all(&archive).unwrap();
        let files = [("x-1.tar.bz2", bzip2.finish().unwrap()), ("x-1.TAR.XZ", xz.finish().unwrap())];
        for (name, bytes) in files {
            let folder = tempfile::tempdir().unwrap();
            let (path, target) = (folder.path().join(name), folder.path().join("out"));
            fs_err::write(&path, &bytes).unwrap();
            fs_err::create_dir(&target).unwrap();
            let top = unpack(fs_err::File::open(&path).unwrap(), name, &target).unwrap();
            assert_eq!(fs_err::read(top.join("setup.py")).unwrap(), b"text", "{name}");
            fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            let damaged = unpack(fs_err::File::open(&path).unwrap(), name, &target).unwrap_err();
            assert!(matches!(damaged, ArchiveProblem::Damaged { .. }), "{name}: {damaged}");
        }
    }

    #[test]
    fn nothing_is_made_through_links() {
        // Each link stays in the archive as far as its words say; the two together lead out of it.
        let out = ["a/b/c/", "a/b/c/d -> ../../..", "e -> a/b/c/d/../.."];
        for last in ["e/new/", "e/new", "e/new -> x"] {
            let error = unpacked(&[&out[..], &[last]].concat()).unwrap_err();
            assert!(matches!(error, ArchiveProblem::Write { .. }), "{last}: {error}");
        }
        // What is at the end of such a link is not written to: a file takes the link's place.
        let out = ["a/b/c/", "a/b/c/d -> ../../..", "e -> a/b/c/d/../x", "p"];
        for last in ["e", "e = p"] {
            let top = unpacked(&[&out[..], &[last]].concat()).unwrap();
            assert!(!top.path().join("in/x").exists() && top.path().join("in/it/e").is_file(), "{last}");
            assert!(!top.path().join("in/it/e").is_symlink(), "{last}");
        }
    }
}
