use std::io::{self, Cursor, Read};

use imagewright_oci::Digest;
use imagewright_registry::BlobSource;

/// A blob in memory.
pub(crate) struct Memory(pub(crate) Vec<u8>);

impl Memory {
    /// Bytes that do not repeat within a chunk, different for every seed.
    pub(crate) fn patterned(size: usize, seed: u8) -> Self {
        Self((0..size).map(|at| at.to_le_bytes()[at % 3] ^ seed).collect())
    }
}

impl BlobSource for Memory {
    fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.0.clone())))
    }
}
