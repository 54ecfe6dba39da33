use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use imagewright_oci::MediaType;

use crate::LayerError;
use crate::tar::{RawEntry, Records, TarReader};

const BUFFER: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const XATTR_PREFIX: &str = "SCHILY.xattr.";

/// One entry of a layer that anyone may have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// Relative to the image's root, without `.` and `..`; empty for the root itself. For a whiteout, what it hides.
    pub path: PathBuf,
    /// What it is.
    pub kind: LayerEntryKind,
    /// Permission bits, with set-id and sticky bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What an entry of a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerEntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// How many bytes it has.
        size: u64,
    },
    /// A symbolic link; its target may be any path, also one that leaves the image.
    Symlink {
        /// What it says.
        target: PathBuf,
    },
    /// Another name of a file of the same layer, or of one below.
    Hardlink {
        /// That file, relative to the image's root.
        target: PathBuf,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharacterDevice {
        /// The driver.
        major: u32,
        /// The device.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The driver.
        major: u32,
        /// The device.
        minor: u32,
    },
    /// Hides the path in the layers below.
    Whiteout,
    /// Hides all that the layers below have in the directory.
    Opaque,
}

/// Calls `visit` with every entry of a layer, in its order, and the content of files.
///
/// The compression is recognised by its first bytes, because media types are wrong at times; a type that is not a
/// layer's is an error. `layer` is read to its end, so that a digest computed on the way covers all of it.
pub fn read_layer<E: From<LayerError>>(
    layer: impl Read,
    media_type: &MediaType,
    mut visit: impl FnMut(&LayerEntry, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |source| LayerError::Archive { media_type: media_type.clone(), source };
    check_media_type(media_type)?;
    let mut layer = BufReader::with_capacity(BUFFER, layer);
    let mut content = decompress(&mut layer).map_err(unreadable)?;
    let mut archive = TarReader::new(&mut content);
    while let Some(raw) = archive.next().map_err(unreadable)? {
        visit(&describe(raw)?, &mut archive)?;
    }
    io::copy(&mut content, &mut io::sink()).map_err(unreadable)?;
    drop(content);
    io::copy(&mut layer, &mut io::sink()).map_err(unreadable)?;
    Ok(())
}

/// The uncompressed tar stream of a layer, whose digest is the layer's diff id.
///
/// The compression is recognised as by [`read_layer`].
pub fn tar_stream<'a>(
    layer: impl Read + 'a,
    media_type: &MediaType,
) -> Result<Box<dyn Read + 'a>, LayerError> {
    check_media_type(media_type)?;
    decompress(BufReader::with_capacity(BUFFER, layer))
        .map_err(|source| LayerError::Archive { media_type: media_type.clone(), source })
}

fn check_media_type(media_type: &MediaType) -> Result<(), LayerError> {
    match media_type.to_oci() {
        MediaType::OciLayer | MediaType::OciLayerGzip | MediaType::OciLayerZstd => Ok(()),
        _ => Err(LayerError::UnknownMediaType { media_type: media_type.clone() }),
    }
}

fn decompress<'a>(mut layer: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let start = layer.fill_buf()?;
    if start.starts_with(&GZIP_MAGIC) {
        Ok(Box::new(MultiGzDecoder::new(layer)))
    } else if start.starts_with(&ZSTD_MAGIC) {
        Ok(Box::new(zstd::Decoder::with_buffer(layer)?))
    } else {
        Ok(Box::new(layer))
    }
}

pub(crate) fn describe(raw: RawEntry) -> Result<LayerEntry, LayerError> {
    let path = clean(&raw.path)?;
    let (major, minor) = raw.device;
    let kind = match raw.type_flag {
        b'1' => LayerEntryKind::Hardlink { target: clean(&raw.link)? },
        b'2' => LayerEntryKind::Symlink { target: OsStr::from_bytes(&raw.link).into() },
        b'3' => LayerEntryKind::CharacterDevice { major, minor },
        b'4' => LayerEntryKind::BlockDevice { major, minor },
        b'5' => LayerEntryKind::Directory,
        b'6' => LayerEntryKind::Fifo,
        // Before ustar, a directory was a file whose name ends with a slash.
        0 if raw.path.ends_with(b"/") => LayerEntryKind::Directory,
        _ => LayerEntryKind::File { size: raw.size },
    };
    let (path, kind) = whiteout(&path).unwrap_or((path, kind));
    let (mode, uid, gid, mtime) = (raw.mode & 0o7777, raw.uid, raw.gid, raw.mtime);
    Ok(LayerEntry { path, kind, mode, uid, gid, mtime, xattrs: xattrs(raw.records) })
}

/// A relative path without `.`; one with `..` is refused.
fn clean(path: &[u8]) -> Result<PathBuf, LayerError> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let unsafe_entry = || LayerError::UnsafeEntry { path: String::from_utf8_lossy(path).into_owned() };
    parts.map(|part| if part == b".." { Err(unsafe_entry()) } else { Ok(OsStr::from_bytes(part)) }).collect()
}

/// What an entry hides, if it is a whiteout of the OCI image specification.
fn whiteout(path: &Path) -> Option<(PathBuf, LayerEntryKind)> {
    let hidden = path.file_name()?.as_bytes().strip_prefix(b".wh.")?;
    if hidden == b".wh..opq" {
        return Some((path.parent()?.to_owned(), LayerEntryKind::Opaque));
    }
    Some((path.with_file_name(OsStr::from_bytes(hidden)), LayerEntryKind::Whiteout))
}

fn xattrs(records: Records) -> BTreeMap<String, Vec<u8>> {
    let named = |(key, value): (String, Vec<u8>)| Some((key.strip_prefix(XATTR_PREFIX)?.to_owned(), value));
    records.into_iter().filter_map(named).collect()
}
