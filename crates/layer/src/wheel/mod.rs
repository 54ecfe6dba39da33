//! Wheels: read, checked, and mapped to the files that an installation has.
//!
//! Follows the binary distribution format of packaging.python.org, and pip where it is silent.

mod archive;
mod entry_points;
mod install;
mod problem;
mod record;
mod scheme;
mod scripts;

pub use archive::Wheel;
pub use install::{FileContent, InstalledFile, InstalledWheel};
pub use problem::WheelProblem;
pub use record::record_paths;
pub use scheme::InstallScheme;
