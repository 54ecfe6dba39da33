//! The root file system of a base, made of unpacked packages without running anything of them.
//!
//! What maintainer scripts would do for a first installation is a table here, as far as an image needs it before
//! `dpkg --configure -a` runs; the database says `unpacked`, so that run does the rest.

mod accounts;
mod alternatives;
mod apt;
mod certificates;
mod database;
mod defaults;
mod filter;
mod pam;
mod subject;
mod tree;

pub use database::{PackageRecord, database_layer};

use imagewright_layer::TreeEntry;

use crate::{Architecture, DebianError, DebianPackage, Suite, UnpackedPackage};
use tree::Tree;

/// The version of what this module makes of given packages; it is part of the key of every layer made here.
pub const BASE_FORMAT: u32 = 2;

/// The entries of the layer that holds some packages of a base: their files, the folders above them, their part of
/// the package database that is one file a package, and what their maintainer scripts would have set up.
///
/// The result depends on the packages only, and on nothing below or above it.
pub fn package_layer(
    suite: Suite,
    architecture: Architecture,
    mut packages: Vec<(&DebianPackage, UnpackedPackage)>,
) -> Result<Vec<TreeEntry>, DebianError> {
    // What `base-files` says of a folder counts, whichever other package has it too; then the names decide.
    packages.sort_by_key(|(package, _)| (package.name.as_str() != "base-files", package.name.clone()));
    let names: Vec<&str> = packages.iter().map(|(package, _)| package.name.as_str()).collect();
    let mut tree = Tree::default();
    for (package, unpacked) in packages {
        for entry in database::info_files(package, &unpacked)? {
            tree.add(package.name.as_str(), entry)?;
        }
        for entry in unpacked.entries.into_iter().filter(filter::is_kept) {
            tree.add(package.name.as_str(), entry)?;
        }
    }
    for name in names {
        defaults::apply(&mut tree, name, architecture);
        alternatives::apply(&mut tree, name);
        match name {
            "apt" => apt::apply(&mut tree, suite),
            "base-passwd" => accounts::apply(&mut tree)?,
            "ca-certificates" => certificates::apply(&mut tree)?,
            "dpkg" => filter::apply(&mut tree),
            "libpam-runtime" => pam::apply(&mut tree)?,
            _ => {}
        }
    }
    Ok(tree.into_entries())
}
