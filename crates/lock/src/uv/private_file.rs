use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

/// A file in memory that other programs of the same user find by a path, for what may not stay on a disk: it is gone
/// when it is dropped, and when this process ends, however that is.
#[derive(Debug)]
pub struct PrivateFile {
    path: PathBuf,
    _file: File,
}

impl PrivateFile {
    /// A file with this content.
    pub fn new(content: &[u8]) -> io::Result<Self> {
        let mut file = File::from(memfd_create("private", MemfdFlags::CLOEXEC)?);
        file.write_all(content)?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        Ok(Self { path: path.into(), _file: file })
    }

    /// Where it is found.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
