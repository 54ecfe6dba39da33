//! Tar entries: written as POSIX ustar, with PAX records only where ustar has no room; read as anyone writes them.

mod header;
mod pax;
mod reader;

pub(crate) use header::{EntryKind, Header};
pub(crate) use reader::{RawEntry, Records, TarReader};

/// The unit of a tar stream, in bytes.
pub(crate) const BLOCK: usize = 512;

/// What ends a tar stream: two blocks of zeros.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// The zeros that fill the last block of a content of `size` bytes.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    let partial = usize::try_from(size % BLOCK as u64).expect("less than a block");
    &ZEROS[..(BLOCK - partial) % BLOCK]
}
