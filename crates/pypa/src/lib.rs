//! The PyPA vocabulary that the resolvers, the plan and the wheel reader share.
//!
//! Types follow the specifications of packaging.python.org; each is parsed once and holds only valid values
//! afterwards. Nothing here does I/O.
//!
//! ```
//! use imagewright_oci::Platform;
//! use imagewright_pypa::{Libc, TargetPython, WheelFilename};
//!
//! let target = TargetPython::new(3, 11, Platform::linux_amd64(), Libc::Glibc(2, 36))?;
//! let files: Vec<WheelFilename> = vec![
//!     "demo-1.0-py3-none-any.whl".parse()?,
//!     "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl".parse()?,
//!     "demo-1.0-cp311-cp311-manylinux_2_39_x86_64.whl".parse()?,
//! ];
//! assert_eq!(target.preference().best(&files), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod marker;
mod marker_text;
mod metadata;
mod package_name;
mod python_version;
mod requires_python;
mod specifiers;
mod stated_version;
mod tag;
mod target;
mod version;
mod wheel_filename;

pub use marker::{Marker, MarkerEnvironment, MarkerError, Operand, Operator, Variable};
pub use metadata::metadata_header;
pub use package_name::{PackageName, PackageNameError};
pub use python_version::{PythonMinor, PythonVersion, PythonVersionError};
pub use requires_python::{RequiresPython, RequiresPythonError};
pub use specifiers::{Specifiers, SpecifiersError};
pub use stated_version::StatedVersion;
pub use tag::Tag;
pub use target::{Libc, TargetError, TargetPython, WheelPreference};
pub use version::{Version, VersionError};
pub use wheel_filename::{BuildTag, WheelFilename, WheelFilenameError};
