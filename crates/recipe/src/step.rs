use std::path::PathBuf;

use imagewright_pypa::PythonVersion;

/// One thing that is done to the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A user is added, if the base has none of the name.
    User(UserStep),
    /// A Python interpreter and the environment for packages.
    Interpreter(InterpreterStep),
    /// Packages of the system are installed.
    AptPackages(AptPackagesStep),
    /// Python packages are installed.
    Packages(PackagesStep),
    /// A file or folder of the user's is copied.
    Copy(CopyStep),
    /// Commands run in what there is by then.
    Commands(CommandsStep),
}

/// Commands that run in the image as far as it is made, as root, by `/bin/sh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandsStep {
    /// As written, in order; there is at least one.
    pub commands: Vec<String>,
    /// Whether each is a layer of its own, instead of all of them one.
    pub separate: bool,
}

/// Packages of the system, which the base's apt installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptPackagesStep {
    /// `apt_packages` of the spec, in order; there is at least one.
    pub packages: Vec<Requirement>,
}

/// The user that what is copied belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStep {
    /// Login name.
    pub name: String,
    /// Whether tasks run as this user.
    pub role: UserRole,
}

/// What a user is in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRole {
    /// Containers run as it; it is made where the base does not have it.
    Runs,
    /// It owns what is copied where the base has it, else root does; containers run as root.
    Owns,
}

/// The interpreter that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterStep {
    /// `python_version` of the spec.
    pub version: Option<PythonVersion>,
    /// The version when neither the spec nor the base says one: the caller's own (design D7).
    pub fallback: PythonVersion,
    /// `python_exec` of the spec: an interpreter of the base, by its path.
    pub path: Option<String>,
}

/// The Python packages that are asked for, and how they are to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackagesStep {
    /// `packages` of the spec, in order.
    pub packages: Vec<Requirement>,
    /// The requirements file of the spec, or the lock of a project.
    pub requirements_file: Option<PathBuf>,
    /// Whether the project itself is installed when that is a lock.
    pub install_project: bool,
    /// `pip_index` of the spec.
    pub index: Option<String>,
    /// `pip_extra_index_url` of the spec.
    pub extra_indexes: Vec<String>,
    /// `pip_extra_args` of the spec, as written.
    pub extra_arguments: Option<String>,
    /// What a front end asks for besides, unless it is asked for or there anyway.
    pub with: Vec<Requirement>,
    /// A local wheel of the front end's, in the same way.
    pub client: Option<PathBuf>,
    /// Whether modules are compiled when the image is made (design D5).
    pub bytecode: bool,
}

/// A file or folder of the user's that is copied into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyStep {
    /// Where it was written: `source_root`, `copy[0]`.
    pub origin: String,
    /// The name of what is copied, as an input of the image; see [`imagewright_spec::source_name`].
    pub input: String,
    /// The last part of its name, for a copy into a folder.
    pub file_name: Option<String>,
    /// Where it is copied to.
    pub destination: Destination,
    /// Whether the destination is below the image's working directory.
    pub is_relative: bool,
    /// `user` or `user:group`, by name or number; without one it is the user that tasks run as.
    pub owner: Option<String>,
    /// Permissions of files; without them 0755 for those that may be executed and 0644 for others.
    pub mode: Option<u32>,
}

/// Where something is copied to; paths are clean, without a leading slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To this path.
    At(String),
    /// A file goes into this folder, under its own name; a folder's files do.
    Into(String),
}

/// A requirement (PEP 508, or a path or URL of a wheel; or a package of the system) and the words of the spec that ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// As written.
    pub text: String,
    /// Where it was written: `packages[2]`.
    pub origin: String,
}
