use std::io;
use std::path::Path;

use imagewright_oci::{Digest, HashingReader};

/// The digest and length of a wheel of this machine.
pub(super) fn digest(path: &Path) -> io::Result<(Digest, u64)> {
    let mut reader = HashingReader::new(fs_err::File::open(path)?);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finish())
}
