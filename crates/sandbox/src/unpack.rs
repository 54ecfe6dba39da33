use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use imagewright_oci::{DiffId, HashingReader};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use serde::{Deserialize, Serialize};

use crate::task::{Report, Work};
use crate::{Sandbox, SandboxError};

/// A layer to unpack.
pub struct Layer<'a> {
    /// The digest of the tar stream, which is verified.
    pub diff_id: DiffId,
    /// The tar stream, uncompressed.
    pub tar: &'a mut dyn Read,
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// How many entries the layer has, whiteouts included.
    pub entries: u64,
    /// How many bytes its files have.
    pub bytes: u64,
    /// How many device nodes were left out: a sandbox has its own `/dev`, and an unprivileged one may not make any.
    pub skipped_devices: u64,
}

impl fmt::Debug for Layer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("diff_id", &self.diff_id).finish_non_exhaustive()
    }
}

/// As many bytes as an unprivileged pipe may hold by default; fewer switches between the two processes.
const PIPE_BYTES: usize = 1 << 20;

/// The tar stream is read here and goes through a pipe to the helper, which writes the files with the owners that
/// its user namespace gives them. So decompression and file creation use two cores.
pub(crate) fn unpack(
    sandbox: &Sandbox,
    layer: Layer<'_>,
    directory: &Path,
) -> Result<Unpacked, SandboxError> {
    let failed = |source| SandboxError::Step { step: "make a pipe".to_owned(), source };
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    // A user may hold only so many of these; a smaller one costs time, nothing else.
    fcntl_setpipe_size(&writing, PIPE_BYTES).unwrap_or_default();
    let launch = sandbox.launch(Work::Unpack { directory: directory.to_owned() }, reading, None)?;
    let mut tar = HashingReader::new(layer.tar);
    let copied = copy(&mut tar, fs_err::File::from_parts(writing.into(), "the helper's pipe").into_file());
    let report = launch.wait();
    if let Err(Copy::Read(source)) = copied {
        return Err(SandboxError::ReadLayer { diff_id: layer.diff_id, source });
    }
    let Report::Unpacked(unpacked) = report? else { return Err(SandboxError::HelperKilled) };
    let actual = DiffId(tar.finish().0);
    if actual == layer.diff_id {
        Ok(unpacked)
    } else {
        Err(SandboxError::WrongLayer { expected: layer.diff_id, actual })
    }
}

/// Which side of a copy failed: if the helper no longer reads, its own report says why.
enum Copy {
    Read(io::Error),
    Write,
}

fn copy(from: &mut dyn Read, mut to: impl Write) -> Result<(), Copy> {
    let mut buffer = vec![0; PIPE_BYTES / 4];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count]).map_err(|_| Copy::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Copy::Read(error)),
        }
    }
}
