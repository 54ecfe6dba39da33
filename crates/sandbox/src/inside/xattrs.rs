//! Extended attributes: which are an image's, and which are the overlay's own.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use rustix::fs::{getxattr, lgetxattr, llistxattr};
use rustix::io::Errno;

/// The attribute that makes an overlay mounted with `userxattr` hide what lower layers have in a directory.
pub(super) const OPAQUE: &str = "user.overlay.opaque";
/// The attribute that makes an empty file a whiteout.
pub(super) const WHITEOUT: &str = "user.overlay.whiteout";

/// The attribute that keeps an owner where a file cannot have it; see [`super::owners`].
pub(super) const OWNER: &str = "user.imagewright.owner";

const CAPABILITY: &str = "security.capability";
/// As much as a value or a list of names may have.
const LONGEST: usize = 1 << 16;

/// File capabilities and the user's own attributes; not what belongs to the machine, and never what an overlay
/// or this sandbox would take for its own.
pub(super) fn is_kept(name: &str) -> bool {
    let is_ours = name == OWNER || name.starts_with("user.overlay.");
    name == CAPABILITY || name.starts_with("user.") && !is_ours
}

/// The attributes of a file that belong into a layer.
pub(super) fn kept(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut names = vec![0; LONGEST];
    let length = match llistxattr(path, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let names = names[..length].split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    let mut kept = BTreeMap::new();
    for name in names.filter(|name| is_kept(name)) {
        if let Some(value) = value(path, name)? {
            kept.insert(name.to_owned(), if name == CAPABILITY { without_namespace(value) } else { value });
        }
    }
    Ok(kept)
}

/// The value of one attribute.
pub(super) fn value(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    found(|value| lgetxattr(path, name, value))
}

/// The value of one attribute of the file that a symbolic link leads to.
pub(super) fn value_through_links(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    found(|value| getxattr(path, name, value))
}

fn found(get: impl FnOnce(&mut [u8]) -> Result<usize, Errno>) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; LONGEST];
    match get(&mut value) {
        Ok(length) => Ok(Some(value[..length].to_vec())),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Revision 3 of file capabilities ends with the id that is root in a user namespace of this machine; revision 2
/// is the same without it.
fn without_namespace(mut value: Vec<u8>) -> Vec<u8> {
    const REVISION_2_LENGTH: usize = 20;
    if value.len() > REVISION_2_LENGTH && value[3] == 3 {
        value.truncate(REVISION_2_LENGTH);
        value[3] = 2;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_lose_the_namespace() {
        let revision_2 = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut revision_3 = revision_2.to_vec();
        revision_3[3] = 3;
        revision_3.extend(1000_u32.to_le_bytes());
        assert_eq!(without_namespace(revision_3), revision_2);
        assert_eq!(without_namespace(revision_2.to_vec()), revision_2);
    }
}
