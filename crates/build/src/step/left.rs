//! Files that a step has left for this program. Whoever wrote the step may have put a link, a pipe or a device there.

use std::io::{self, Error, ErrorKind, Read as _};
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{File, OpenOptions};
use rustix::fs::OFlags;

/// How much text a step leaves at most.
const LIMIT: u64 = 16 << 20;

/// Opens a regular file in `folder`, and nothing else.
pub(crate) fn open(folder: &Path, name: &str) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(i32::try_from(flags).expect("flags of open(2) are an int"));
    let file = options.open(&path)?;
    if !file.metadata()?.is_file() {
        let message = format!("{} is no regular file", path.display());
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    Ok(file)
}

/// The text of such a file.
pub(crate) fn read(folder: &Path, name: &str) -> io::Result<String> {
    let mut text = String::new();
    let mut file = open(folder, name)?.take(LIMIT + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT {
        let message = format!("{} is too long", folder.join(name).display());
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs_err::write(at.join("file"), "text").unwrap();
        symlink(at.join("file"), at.join("link")).unwrap();
        mknodat(CWD, at.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        fs_err::create_dir(at.join("folder")).unwrap();
        assert_eq!(read(at, "file").unwrap(), "text");
        for name in ["link", "pipe", "folder"] {
            let error = read(at, name).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        let long = fs_err::File::create(at.join("long")).unwrap();
        long.set_len(LIMIT + 1).unwrap();
        assert!(read(at, "long").unwrap_err().to_string().contains("too long"));
        assert_eq!(read(at, "none").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
