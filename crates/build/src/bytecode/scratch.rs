use std::io::{self, Write};

use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;
use imagewright_layer::TreePath;
use imagewright_oci::Digest;
use imagewright_store::{Store, StoreError};

use super::error::BytecodeError;

/// Bytecode as the compilers give it, on the disk: that of a large wheel would be too much for memory.
#[derive(Debug)]
pub(super) struct Scratch {
    file: File,
    length: u64,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    path: TreePath,
    offset: u64,
    length: u32,
}

impl Scratch {
    pub(super) fn new(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { file: store.scratch_file()?, length: 0, pieces: Vec::new() })
    }

    pub(super) fn add(&mut self, path: &TreePath, content: &[u8]) -> io::Result<()> {
        self.file.write_all_at(content, self.length)?;
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.pieces.push(Piece { path: path.clone(), offset: self.length, length });
        self.length += content.len() as u64;
        Ok(())
    }

    /// Keeps all of it as one blob, sorted by path: of each module the path and the content, each a 32-bit length
    /// and bytes. [`super::kept::Kept`] reads it.
    pub(super) fn keep(mut self, store: &Store) -> Result<Digest, BytecodeError> {
        self.pieces.sort_by(|a, b| a.path.cmp(&b.path));
        let mut staging = store.begin_blob()?;
        self.copy(&mut staging).map_err(|source| BytecodeError::Scratch { source })?;
        Ok(staging.commit(None)?)
    }

    fn copy(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut content = Vec::new();
        for Piece { path, offset, length } in &self.pieces {
            content.resize(*length as usize, 0);
            self.file.read_exact_at(&mut content, *offset)?;
            let path = path.as_str().as_bytes();
            let path_length = u32::try_from(path.len()).map_err(io::Error::other)?;
            out.write_all(&path_length.to_be_bytes())?;
            out.write_all(path)?;
            out.write_all(&length.to_be_bytes())?;
            out.write_all(&content)?;
        }
        Ok(())
    }
}
