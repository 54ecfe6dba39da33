//! ImageSpec: reading, validating, and the id and tag that flytekit gives it.
//!
//! A spec is what a user wrote, in YAML, JSON or Python: flytekit 1.16.31's `ImageSpec`, all of its fields. Text
//! becomes a document of typed scalars as PyYAML would read them, then a valid [`ImageSpec`] or the list of all
//! its problems. Its `id` and `tag` are, byte for byte, those that flytekit computes, because running tasks and
//! existing registries know images by them.
//!
//! Invariants: parsing reads no files, no environment and no clock; an `ImageSpec` does not change; paths in it
//! are relative to a directory that the caller gives to whatever reads files.
//!
//! ```
//! use imagewright_spec::{ParseOptions, parse_yaml};
//!
//! let spec = parse_yaml("packages: [numpy]\npython_version: 3.10", &ParseOptions::default())?;
//! assert_eq!(spec.packages, ["numpy"]);
//! assert_eq!(spec.python_version.unwrap().to_string(), "3.10");
//! # Ok::<(), imagewright_spec::SpecError>(())
//! ```

mod builder_options;
mod field;
mod image_spec;
mod local_image;
mod project_lock;
mod source_copy_mode;

mod error;
mod hint;
mod problem;

mod document;
mod json;
mod load;
mod node;
mod write_json;
mod write_yaml;
mod yaml;
mod yaml_scalar;
mod yaml_timestamp;

mod declaration;
mod pyproject;
pub mod script;
mod toml_node;

mod unsupported;

mod builder_config;
mod copy_options;
mod layers;
mod platform;
mod reader;
mod registry;
mod secret;
mod wire;

mod printable;
mod py_date;
mod py_text;
mod py_value;

pub mod requirements;

mod declared;
mod docker_pattern;
mod identity;
mod served;
mod source_tree;
mod sources;
mod tag_format;
mod tag_inputs;

pub use builder_config::BuilderConfig;
pub use builder_options::{BuilderOptions, CopyOptions, Layout};
pub use declaration::ProjectProblem;
pub use declared::{Declared, DeclaredContext, DeclaredPython, declared};
pub use document::{SpecDocument, SpecFormat, WrittenSpec};
pub use error::SpecError;
pub use field::{FIELDS, Field, FieldInfo};
pub use image_spec::{BaseImage, BuilderName, HostArchitecture, ImageSpec, Overrides, ParseOptions};
pub use load::{load, parse, parse_json, parse_yaml};
pub use local_image::{LocalFormat, LocalImage, LocalImageTextError};
pub use problem::{Position, Problem, ProblemKind, Wanted};
pub use project_lock::ProjectLock;
pub use py_date::{PyDate, PyDateTime};
pub use py_value::PyValue;
pub use reader::nearest;
pub use secret::{SecretMount, SecretSource, SecretTarget};
pub use served::{InputDigests, Outcome, WITH, as_asked, as_locked, as_made};
pub use source_copy_mode::SourceCopyMode;
pub use sources::{
    GIT_VARIABLES, Source, SourceEntry, SourceTree, SourceWarning, Sources, below, clean, entry_name, led_to,
    project, source_name,
};
pub use unsupported::{Arrives, PENDING, Pending, Unsupported};
pub use yaml_scalar::ScalarError;
