use std::collections::BTreeSet;

use super::ZipProblem;
use crate::tree_path::is_clean;

/// How a member's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As they are.
    Stored,
    /// As one raw deflate stream.
    Deflated,
}

impl Method {
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// One member of an archive, with all that its two headers agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipMember {
    /// The name; that of a directory ends with a slash.
    pub name: String,
    /// How its bytes are kept.
    pub method: Method,
    /// The CRC-32 of its content.
    pub crc32: u32,
    /// How many bytes it takes in the archive.
    pub compressed_size: u64,
    /// How many bytes its content has.
    pub size: u64,
    /// Where its bytes start in the archive.
    pub data_offset: u64,
    /// The upper half of the external attributes: type and permissions, or 0.
    pub unix_mode: u32,
}

impl ZipMember {
    /// Whether it is a directory, which has no content.
    pub fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Whether its content is to be executable, by pip's rule: a regular file with any execute bit.
    pub fn is_executable(&self) -> bool {
        self.unix_mode & 0o170_000 == 0o100_000 && self.unix_mode & 0o111 != 0
    }
}

/// Names are clean relative paths, no two are equal, and none is below a file.
pub(super) fn check_names(members: &[ZipMember]) -> Result<(), ZipProblem> {
    let mut names = BTreeSet::new();
    for member in members {
        let name = member.name.strip_suffix('/').unwrap_or(&member.name);
        if !is_clean(name) {
            return Err(ZipProblem::member(&member.name, "has a name that is not a clean relative path"));
        }
        if !names.insert(name) {
            return Err(ZipProblem::member(&member.name, "is there twice"));
        }
        if member.is_directory() && member.size > 0 {
            return Err(ZipProblem::member(&member.name, "is a directory with content"));
        }
    }
    for member in members.iter().filter(|member| !member.is_directory()) {
        let inside = format!("{}/", member.name);
        if names.range(inside.as_str()..).next().is_some_and(|next| next.starts_with(&inside)) {
            return Err(ZipProblem::member(&member.name, "is both a file and a directory"));
        }
    }
    Ok(())
}
