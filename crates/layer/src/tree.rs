use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use imagewright_oci::DiffId;

use crate::tar::{EntryKind, Header};
use crate::writer::{LayerWriter, TarHash};
use crate::{EncodeOptions, EncodedLayer, EntryPath, LayerError, TreePath};

const BUFFER: usize = 256 * 1024;

/// One entry of a layer that is made of a list: a directory, a file, a link, a device.
///
/// Paths that we choose are a [`TreePath`]; those of files that a command made are a [`crate::RawPath`].
#[derive(Debug)]
pub struct TreeEntry<P = TreePath> {
    /// Where it is in the image.
    pub path: P,
    /// What it is.
    pub kind: TreeKind<P>,
    /// Permission bits, with set-id and sticky bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Extended attributes, such as `security.capability`.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What an entry is.
#[derive(Debug)]
pub enum TreeKind<P = TreePath> {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// How many bytes it has.
        size: u64,
        /// Where they come from.
        content: Content,
    },
    /// A symbolic link; its target is any path.
    Symlink {
        /// What it says.
        target: PathBuf,
    },
    /// Another name of a file in the same layer.
    Hardlink {
        /// The file's path.
        target: P,
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
}

/// Opens the content of a file when it is its turn.
pub type OpenContent = Box<dyn FnOnce() -> io::Result<Box<dyn Read>> + Send>;

/// Where the bytes of a file come from.
pub enum Content {
    /// From memory.
    Bytes(Vec<u8>),
    /// From a reader that is opened when the file's turn comes, so that thousands are not open at once.
    Open(OpenContent),
}

impl Content {
    /// The bytes from the first on.
    pub fn into_reader(self) -> io::Result<Box<dyn Read>> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes))),
            Self::Open(open) => open(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Open(_) => f.write_str("Open"),
        }
    }
}

impl<P> TreeEntry<P> {
    /// An entry of root's without extended attributes.
    pub fn new(path: P, kind: TreeKind<P>, mode: u32) -> Self {
        Self { path, kind, mode, uid: 0, gid: 0, xattrs: BTreeMap::new() }
    }

    /// A directory of root's.
    pub fn directory(path: P, mode: u32) -> Self {
        Self::new(path, TreeKind::Directory, mode)
    }

    /// A file of root's with these bytes.
    pub fn file(path: P, mode: u32, bytes: Vec<u8>) -> Self {
        let (size, content) = (bytes.len() as u64, Content::Bytes(bytes));
        Self::new(path, TreeKind::File { size, content }, mode)
    }

    /// A symbolic link of root's.
    pub fn symlink(path: P, target: impl Into<PathBuf>) -> Self {
        Self::new(path, TreeKind::Symlink { target: target.into() }, 0o777)
    }

    /// The same with another owner.
    pub fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }
}

impl TreeEntry {
    /// The entry that hides `path` of the layers below, as the OCI image specification writes it.
    pub fn whiteout(path: &TreePath) -> Self {
        let hidden = format!(".wh.{}", path.file_name());
        let at = path.parent().map_or_else(|| TreePath::new(&hidden), |parent| parent.join(&hidden));
        Self::file(at.expect("a clean name with a prefix is clean"), 0o644, Vec::new())
    }

    /// The entry that hides all that the layers below have in `directory`.
    pub fn opaque(directory: &TreePath) -> Self {
        let path = directory.join(".wh..wh..opq").expect("a clean name in a clean directory");
        Self::file(path, 0o644, Vec::new())
    }
}

/// The directories above `path`, root's and of mode 0755, the outermost first.
pub fn parents(path: &TreePath) -> impl Iterator<Item = TreeEntry> + '_ {
    path.ancestors().map(|directory| TreeEntry::directory(directory, 0o755))
}

/// Makes a layer of `entries`, sorted by path, hard links behind all else; its bytes go to `inline`.
///
/// A directory may be given several times if it is the same each time. Directories that are not given are not
/// made up: they are those of the layers below.
pub fn encode_tree<P: EntryPath>(
    entries: Vec<TreeEntry<P>>,
    options: &EncodeOptions,
    inline: &mut dyn Write,
) -> Result<EncodedLayer, LayerError> {
    let entries = in_order(entries)?;
    let tar = LayerWriter::run(inline, options.threads, TarHash::Wanted, |writer| {
        entries.into_iter().try_for_each(|entry| write_entry(writer, entry, options.epoch))
    })?;
    Ok(EncodedLayer {
        digest: tar.blob.digest,
        size: tar.blob.size,
        diff_id: DiffId(tar.digest.expect("the hash is wanted")),
        uncompressed_size: tar.size,
        segments: tar.blob.segments,
    })
}

/// Sorted, with equal directories once.
fn in_order<P: EntryPath>(mut entries: Vec<TreeEntry<P>>) -> Result<Vec<TreeEntry<P>>, LayerError> {
    let is_link = |entry: &TreeEntry<P>| matches!(entry.kind, TreeKind::Hardlink { .. });
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut unique: Vec<TreeEntry<P>> = Vec::with_capacity(entries.len());
    for entry in entries {
        match unique.last() {
            Some(last) if last.path == entry.path => {
                if !is_same_directory(last, &entry) {
                    return Err(LayerError::DuplicatePath { path: entry.path.to_string() });
                }
            }
            _ => unique.push(entry),
        }
    }
    unique.sort_by_key(is_link);
    Ok(unique)
}

fn is_same_directory<P>(a: &TreeEntry<P>, b: &TreeEntry<P>) -> bool {
    matches!((&a.kind, &b.kind), (TreeKind::Directory, TreeKind::Directory))
        && (a.mode, a.uid, a.gid) == (b.mode, b.uid, b.gid)
        && a.xattrs == b.xattrs
}

fn write_entry<P: EntryPath>(
    writer: &mut LayerWriter<'_>,
    entry: TreeEntry<P>,
    mtime: u64,
) -> Result<(), LayerError> {
    let TreeEntry { path, kind, mode, uid, gid, xattrs } = entry;
    let entry_kind = match &kind {
        TreeKind::Directory => EntryKind::Directory,
        TreeKind::File { size, .. } => EntryKind::File(*size),
        TreeKind::Symlink { target } => EntryKind::Symlink(target.as_os_str().as_bytes()),
        TreeKind::Hardlink { target } => EntryKind::Hardlink(target.as_ref()),
        TreeKind::Fifo => EntryKind::Fifo,
        TreeKind::CharacterDevice { major, minor } => EntryKind::CharacterDevice(*major, *minor),
        TreeKind::BlockDevice { major, minor } => EntryKind::BlockDevice(*major, *minor),
    };
    let xattrs = &xattrs;
    writer.header(&Header { path: path.as_ref(), kind: entry_kind, mode, uid, gid, mtime, xattrs })?;
    match kind {
        TreeKind::File { size, content } => write_content(writer, &path, size, content),
        _ => Ok(()),
    }
}

fn write_content(
    writer: &mut LayerWriter<'_>,
    path: &impl EntryPath,
    expected: u64,
    content: Content,
) -> Result<(), LayerError> {
    let actual = match content {
        Content::Bytes(bytes) => {
            writer.bytes(&bytes)?;
            bytes.len() as u64
        }
        Content::Open(open) => {
            let unreadable = |source| LayerError::Content { path: path.to_string(), source };
            copy(writer, &mut open().map_err(unreadable)?.take(expected.saturating_add(1)), unreadable)?
        }
    };
    if actual != expected {
        return Err(LayerError::ContentSize { path: path.to_string(), expected, actual });
    }
    writer.pad(expected)
}

fn copy(
    writer: &mut LayerWriter<'_>,
    reader: &mut dyn Read,
    unreadable: impl Fn(io::Error) -> LayerError,
) -> Result<u64, LayerError> {
    let mut buffer = vec![0; BUFFER];
    let mut copied = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => {
                writer.bytes(&buffer[..count])?;
                copied += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}
