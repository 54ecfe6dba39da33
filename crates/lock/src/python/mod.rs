//! Python packages: what the user asked for becomes one pinned wheel for each distribution.
//!
//! uv resolves, this module asks it and judges its answer: [`resolve`] writes the requirements, the preferences
//! and a configuration with the user's index settings into a temporary folder, runs one `uv pip compile`, and
//! chooses each distribution's wheel by the target's own tags. Nothing is built and nothing of a package runs: uv is never
//! started without `--no-build`. What has no wheel is told, chosen by what indexes say of it ([`sdist`]), and built
//! elsewhere.
//! Credentials are in the configuration file or the environment, never on a command line, in a lock or a message.

mod asked;
mod chosen;
mod config_file;
mod credentials;
mod error;
mod explain;
mod index;
mod interpreter;
mod listing;
mod local_wheel;
mod locked;
mod log;
mod marker;
mod misnomer;
mod netrc;
mod option;
mod option_table;
mod page;
mod pip_config;
mod preferences;
mod project;
mod pylock;
mod request;
mod requirement;
mod resolve;
mod sdist;
mod select;
mod setting;
mod source_requirement;
mod stub_wheel;
mod surroundings;
mod uv_config;
mod warning;

pub use asked::Asked;
pub use chosen::ChosenPackage;
pub use credentials::Credentials;
pub use error::{Finding, PythonError, PythonErrorKind};
pub use index::{Index, IndexSettings, IndexUrl};
pub use listing::IndexPages;
pub use locked::{LockedPackage, WheelSource};
pub(crate) use marker::holds;
pub use option::{InstallOptions, OptionProblem, OverrideFile, Written};
pub use project::{LockedProject, ProjectChoice, ProjectError, ProjectPin, ProjectPins, pins};
pub use request::{PythonRequest, PythonResolution, Refresh};
pub use requirement::{Origin, Requirement};
pub use resolve::resolve;
pub use sdist::{Lacking, sdist};
pub use setting::Setting;
pub use source_requirement::{SourceLocation, SourceRequirement};
pub use warning::{NetrcProblem, PythonWarning};
