use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use imagewright_oci::Digest;
use imagewright_pypa::WheelFilename;

use crate::blob::{Blob, Range};
use crate::tar::{EntryKind, Header};
use crate::writer::{LayerWriter, Splice, TarHash};
use crate::{
    EncodeOptions, FileContent, InstalledFile, InstalledWheel, LayerError, Method, TreePath, ZipMember,
};

/// Members of a wheel from this size on, in bytes, are spliced; smaller ones are compressed anew in a run.
pub(crate) const SPLICE_FROM: u64 = 16 * 1024;

/// One file of bytecode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytecode {
    /// Where it is in the image.
    pub path: TreePath,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A layer whose digest is known and whose content is not yet proven: it may be uploaded, but not be cached.
///
/// [`UnverifiedLayer::verify`] makes an [`crate::EncodedLayer`] of it.
#[derive(Clone, Debug)]
pub struct UnverifiedLayer {
    pub(crate) blob: Blob,
    pub(crate) tar_size: u64,
    pub(crate) files: Vec<SplicedFile>,
}

/// A content of the tar stream that came from a wheel, and what its RECORD says of it.
#[derive(Clone, Debug)]
pub(crate) struct SplicedFile {
    /// Where its content starts in the tar stream.
    pub(crate) start: u64,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    pub(crate) wheel: WheelFilename,
    pub(crate) member: String,
}

impl UnverifiedLayer {
    /// The digest of the compressed bytes.
    pub fn digest(&self) -> Digest {
        self.blob.digest
    }

    /// How many compressed bytes there are.
    pub fn size(&self) -> u64 {
        self.blob.size
    }

    /// Where the compressed bytes are.
    pub fn segments(&self) -> &[crate::Segment] {
        &self.blob.segments
    }
}

/// Makes the layer that holds `wheels`, and behind them their `bytecode`, which comes sorted by path.
///
/// Bytes that no wheel has go to `inline`. A path that several wheels install is the last one's.
pub fn splice_wheels(
    wheels: &[InstalledWheel],
    bytecode: impl IntoIterator<Item = io::Result<Bytecode>>,
    options: &EncodeOptions,
    inline: &mut dyn Write,
) -> Result<UnverifiedLayer, LayerError> {
    let mut files: BTreeMap<&TreePath, (&InstalledWheel, &InstalledFile)> = BTreeMap::new();
    for wheel in wheels {
        files.extend(wheel.files().iter().map(|file| (&file.path, (wheel, file))));
    }
    let directories: BTreeSet<TreePath> = files.keys().flat_map(|path| path.ancestors()).collect();
    if let Some(path) = directories.iter().find(|path| files.contains_key(path)) {
        return Err(LayerError::DuplicatePath { path: path.to_string() });
    }
    let mut spliced = Vec::new();
    let written = LayerWriter::run(inline, options.threads, TarHash::LeftToVerification, |writer| {
        let mut entries = Entries { writer, epoch: options.epoch, spliced: &mut spliced };
        let mut waiting = directories.iter().peekable();
        for (path, (wheel, file)) in &files {
            while let Some(directory) = waiting.next_if(|directory| directory < path) {
                entries.directory(directory)?;
            }
            entries.file(wheel, file)?;
        }
        entries.bytecode(bytecode, directories, &files.into_keys().collect())
    })?;
    Ok(UnverifiedLayer { blob: written.blob, tar_size: written.size, files: spliced })
}

struct Entries<'w, 'a> {
    writer: &'w mut LayerWriter<'a>,
    epoch: u64,
    spliced: &'w mut Vec<SplicedFile>,
}

impl<'a> Entries<'_, 'a> {
    fn file(&mut self, wheel: &'a InstalledWheel, file: &'a InstalledFile) -> Result<(), LayerError> {
        self.file_header(&file.path, if file.is_executable { 0o755 } else { 0o644 }, file.size)?;
        let start = self.writer.tar_size();
        match &file.content {
            FileContent::Bytes(bytes) => self.writer.bytes(bytes)?,
            FileContent::Member(index) => {
                let member = wheel.member(*index);
                self.member(wheel, member)?;
                if let Some(digest) = wheel.wheel().stated_digest(member) {
                    let (wheel, member) = (wheel.wheel().filename().clone(), member.name.clone());
                    self.spliced.push(SplicedFile { start, size: file.size, digest, wheel, member });
                }
            }
        }
        self.writer.pad(file.size)
    }

    fn member(&mut self, wheel: &'a InstalledWheel, member: &ZipMember) -> Result<(), LayerError> {
        let wheel = wheel.wheel();
        if member.method == Method::Deflated && member.size >= SPLICE_FROM {
            let (offset, length) = (member.data_offset, member.compressed_size);
            let range = Range { artifact: wheel.artifact(), source: wheel.source(), offset, length };
            return self.writer.splice(Splice { range, crc32: member.crc32, size: member.size });
        }
        wheel.copy_member(member, |bytes| self.writer.bytes(bytes))
    }

    fn bytecode(
        &mut self,
        bytecode: impl IntoIterator<Item = io::Result<Bytecode>>,
        mut directories: BTreeSet<TreePath>,
        files: &BTreeSet<&TreePath>,
    ) -> Result<(), LayerError> {
        let mut previous: Option<TreePath> = None;
        for compiled in bytecode {
            let Bytecode { path, content } = compiled.map_err(|source| LayerError::Bytecode { source })?;
            if let Some(previous) = previous.filter(|previous| *previous >= path) {
                return Err(LayerError::Order { path: path.to_string(), previous: previous.to_string() });
            }
            if !files.contains(&path) {
                for directory in path.ancestors().filter(|directory| !directories.contains(directory)) {
                    self.directory(&directory)?;
                }
                directories.extend(path.ancestors());
                let size = content.len() as u64;
                self.file_header(&path, 0o644, size)?;
                self.writer.bytes(&content)?;
                self.writer.pad(size)?;
            }
            previous = Some(path);
        }
        Ok(())
    }

    fn directory(&mut self, path: &TreePath) -> Result<(), LayerError> {
        self.header(path, EntryKind::Directory, 0o755)
    }

    fn file_header(&mut self, path: &TreePath, mode: u32, size: u64) -> Result<(), LayerError> {
        self.header(path, EntryKind::File(size), mode)
    }

    fn header(&mut self, path: &TreePath, kind: EntryKind<'_>, mode: u32) -> Result<(), LayerError> {
        let xattrs = &BTreeMap::new();
        self.writer.header(&Header {
            path: path.as_ref(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime: self.epoch,
            xattrs,
        })
    }
}
