//! A strict reader of zip archives as wheels are: every reader of an accepted archive sees the same files.
//!
//! Follows PKWARE's APPNOTE 6.3, and refuses what two readers could understand differently.

mod central;
mod end;
mod fields;
mod inflate;
mod local;
mod member;
mod problem;

pub(crate) use inflate::inflate_member;
pub use member::{Method, ZipMember};
pub use problem::ZipProblem;

use crate::ReadAt;

/// The members of an archive in the order of its central directory, directories among them.
///
/// Reads the central directory and every local header, and no content.
pub fn read_members(archive: &dyn ReadAt) -> Result<Vec<ZipMember>, ZipProblem> {
    let end = end::find(archive)?;
    let entries = central::read(archive, &end)?;
    let members = local::check(archive, entries, end.directory_offset)?;
    member::check_names(&members)?;
    Ok(members)
}
