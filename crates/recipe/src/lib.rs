//! A spec lowered to an ordered list of typed steps over a base (design sections 2 and 3).
//!
//! Every front end lowers to a [`Recipe`]: what is different about ImageSpec, `flyte.Image` or a PEP 723 script
//! ends here. A recipe holds requests, nothing is resolved; lowering does no I/O.
//!
//! Steps are in flytekit's order: user, interpreter, packages of the system, packages, source root, copies, commands. What a step does not know
//! (whether the base has a Python, say) is decided when the lock is made.

mod copies;
mod environment;
mod error;
mod from_spec;
mod step;

use imagewright_oci::{ImageReference, Platform};
use imagewright_spec::{Layout, LocalImage};

pub use environment::{expand_variables, plain_references};
pub use error::RecipeError;
pub use from_spec::{FrontEnd, lower};
pub use step::{
    AptPackagesStep, CommandsStep, CopyStep, Destination, InterpreterStep, PackagesStep, Requirement, Step,
    UserRole, UserStep,
};

/// An image, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What it starts from.
    pub base: Base,
    /// What it is for; several make an index.
    pub platforms: Vec<Platform>,
    /// What is done to the base, in order.
    pub steps: Vec<Step>,
    /// How a container of it starts.
    pub settings: Settings,
}

/// What an image starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Debian, assembled from its packages without running them (design D6).
    Debian,
    /// An image in a registry.
    Image(ImageReference),
    /// An image in a folder or archive of this machine.
    Local(LocalImage),
    /// The image of another spec, which is built first.
    Spec,
}

/// How a container of the image starts, as far as the spec says so; the rest is the base's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Variables of the spec, in its order; values may refer to earlier ones as `$NAME` or `${NAME}`.
    pub environment: Vec<(String, String)>,
    /// Replaces the base's entry point; an empty list clears it.
    pub entrypoint: Option<Vec<String>>,
    /// Whose images it looks like.
    pub layout: Layout,
    /// Where containers start, instead of where the layout says.
    pub working_directory: Option<String>,
    /// flytekit's id of the spec, by which a running task knows its own image (`_F_IMG_ID`).
    pub image_id: String,
}

impl Recipe {
    /// The interpreter that is asked for.
    pub fn interpreter(&self) -> &InterpreterStep {
        self.steps
            .iter()
            .find_map(|step| match step {
                Step::Interpreter(interpreter) => Some(interpreter),
                _ => None,
            })
            .expect("lowering always adds an interpreter step")
    }

    /// What is copied, in order.
    pub fn copies(&self) -> impl Iterator<Item = &CopyStep> {
        self.steps.iter().filter_map(|step| match step {
            Step::Copy(copy) => Some(copy),
            _ => None,
        })
    }

    /// The packages that are asked for.
    pub fn packages(&self) -> &PackagesStep {
        self.steps
            .iter()
            .find_map(|step| match step {
                Step::Packages(packages) => Some(packages),
                _ => None,
            })
            .expect("lowering always adds a packages step")
    }

    /// The packages of the system; none if there are none.
    pub fn apt_packages(&self) -> Option<&AptPackagesStep> {
        self.steps.iter().find_map(|step| match step {
            Step::AptPackages(packages) => Some(packages),
            _ => None,
        })
    }

    /// The commands that run last; none if there are none.
    pub fn commands(&self) -> Option<&CommandsStep> {
        self.steps.iter().find_map(|step| match step {
            Step::Commands(commands) => Some(commands),
            _ => None,
        })
    }

    /// The user that is made.
    pub fn user(&self) -> &UserStep {
        self.steps
            .iter()
            .find_map(|step| match step {
                Step::User(user) => Some(user),
                _ => None,
            })
            .expect("lowering always adds a user step")
    }
}
