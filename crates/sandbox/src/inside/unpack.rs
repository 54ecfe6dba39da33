use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use tar::{Archive, Entry, EntryType};

use super::tree::{Metadata, Owners, Tree};
use super::xattrs;
use crate::Unpacked;
use crate::channel::Assignment;
use crate::task::{Failure, Identity, Trying as _};

const WHITEOUT: &[u8] = b".wh.";
/// Names with two prefixes are not whiteouts of files but marks for the unpacking program.
const MARK: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const XATTR: &str = "SCHILY.xattr.";

/// Unpacks the tar stream that is the data file, in the form that an overlay takes as a lower layer.
pub(super) fn unpack(
    directory: &Path,
    identity: Identity,
    assignment: &Assignment,
) -> Result<Unpacked, Failure> {
    let owners = if identity == Identity::Single { Owners::Caller } else { Owners::Recorded };
    let mut tree = Tree::open(directory, owners)?;
    let mut unpacked = Unpacked::default();
    let mut archive =
        Archive::new(BufReader::with_capacity(1 << 18, File::from(assignment.data.try_clone()?)));
    let entries = archive.entries().trying(read_step)?;
    for entry in entries {
        let mut entry = entry.trying(read_step)?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        unpacked.entries += 1;
        unpack_entry(&mut tree, &mut entry, &mut unpacked)?;
    }
    // Behind the end of the archive there may be padding, which the digest of the stream covers.
    io::copy(&mut archive.into_inner(), &mut io::sink()).trying(read_step)?;
    tree.finish()?;
    Ok(unpacked)
}

fn read_step() -> String {
    "read the layer".to_owned()
}

fn unpack_entry<R: Read>(
    tree: &mut Tree,
    entry: &mut Entry<'_, R>,
    unpacked: &mut Unpacked,
) -> Result<(), Failure> {
    let path = EntryPath::parse(&entry.path_bytes())?;
    let Some(name) = path.components.last() else { return Ok(()) };
    if name == OPAQUE {
        return tree.make_opaque(&path.parent());
    }
    if name.starts_with(MARK) {
        return Ok(());
    }
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        let hidden = path.parent().child(hidden)?;
        return tree.white_out(&hidden);
    }
    match entry.header().entry_type() {
        EntryType::Directory => tree.directory(&path, &metadata(entry)?),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let metadata = metadata(entry)?;
            unpacked.bytes += tree.file(&path, entry, &metadata)?;
            Ok(())
        }
        EntryType::Symlink => {
            let target = link_target(entry, &path)?;
            tree.symbolic_link(&path, &target, &metadata(entry)?)
        }
        EntryType::Link => tree.hard_link(&path, &EntryPath::parse(&link_target(entry, &path)?)?),
        EntryType::Fifo => tree.fifo(&path, &metadata(entry)?),
        EntryType::Char | EntryType::Block => {
            unpacked.skipped_devices += 1;
            Ok(())
        }
        other => Err(path.refused(format!("its type {:?} is unknown", char::from(other.as_byte())))),
    }
}

fn link_target<R: Read>(entry: &Entry<'_, R>, path: &EntryPath) -> Result<Vec<u8>, Failure> {
    match entry.link_name_bytes() {
        Some(target) if !target.is_empty() => Ok(target.into_owned()),
        _ => Err(path.refused("it is a link to nothing".to_owned())),
    }
}

fn metadata<R: Read>(entry: &mut Entry<'_, R>) -> Result<Metadata, Failure> {
    let mut xattrs = Vec::new();
    if let Some(extensions) = entry.pax_extensions().trying(read_step)? {
        for extension in extensions {
            let extension = extension.trying(read_step)?;
            if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix(XATTR))
                && xattrs::is_kept(name)
            {
                xattrs.push((name.to_owned(), extension.value_bytes().to_owned()));
            }
        }
    }
    let header = entry.header();
    let id = |id: io::Result<u64>| -> Result<u32, Failure> {
        u32::try_from(id.trying(read_step)?)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
            .trying(read_step)
    };
    Ok(Metadata {
        mode: header.mode().trying(read_step)? & 0o7777,
        uid: id(header.uid())?,
        gid: id(header.gid())?,
        mtime: i64::try_from(header.mtime().trying(read_step)?).unwrap_or(0),
        xattrs,
    })
}

/// Where an entry is, below the layer's root; without components it is the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryPath {
    components: Vec<Vec<u8>>,
}

impl EntryPath {
    /// Accepts any spelling that stays below the root: a leading `/` or `./` means nothing.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Failure> {
        let mut path = Self { components: Vec::new() };
        for component in text.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    return Err(Failure::UnsafeEntry {
                        entry: String::from_utf8_lossy(text).into_owned(),
                        because: "it leaves the layer with `..`".to_owned(),
                    });
                }
                name => path.components.push(name.to_owned()),
            }
        }
        Ok(path)
    }

    pub(super) fn parent(&self) -> Self {
        let above = self.components.split_last().map_or(&[][..], |(_, above)| above);
        Self { components: above.to_owned() }
    }

    pub(super) fn name(&self) -> Option<&[u8]> {
        self.components.last().map(Vec::as_slice)
    }

    fn child(&self, name: &[u8]) -> Result<Self, Failure> {
        let mut child = self.clone();
        child.components.push(name.to_owned());
        match name {
            b"" | b"." | b".." => Err(child.refused("it is a whiteout of nothing".to_owned())),
            _ => Ok(child),
        }
    }

    /// Every directory above this path, highest first, without the root.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = Self> {
        (1..self.components.len()).map(|length| Self { components: self.components[..length].to_owned() })
    }

    pub(super) fn relative(&self) -> Vec<u8> {
        if self.components.is_empty() { b".".to_vec() } else { self.components.join(&b'/') }
    }

    pub(super) fn refused(&self, because: String) -> Failure {
        Failure::UnsafeEntry { entry: String::from_utf8_lossy(&self.relative()).into_owned(), because }
    }
}

/// What a layer hides from lower ones, so far.
pub(super) type Whiteouts = BTreeSet<EntryPath>;
