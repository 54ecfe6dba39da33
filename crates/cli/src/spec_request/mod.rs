//! What a command is asked for: a spec, and what a front end knows besides.

mod document;

use std::io;
use std::path::{Path, PathBuf};

use imagewright_oci::Platform;
use imagewright_pypa::PythonVersion;
use imagewright_spec::{HostArchitecture, ImageSpec, Overrides, ParseOptions, SpecError, load, parse};

use crate::arguments::{OverrideArguments, SpecArguments};
use crate::failure::Failure;
pub(crate) use document::RequestError;

/// The name of standard input where a file is named.
pub(crate) const STDIN: &str = "-";

/// A spec, and what a front end says of it that no spec can say (docs/python.md).
#[derive(Clone, Debug)]
pub(crate) struct SpecRequest {
    pub(crate) spec: ImageSpec,
    /// Further requirements, which are in neither id nor tag.
    pub(crate) with: Vec<String>,
    /// The wheel of the front end's own part in the image, which no image is made again for.
    pub(crate) client: Option<PathBuf>,
    /// The Python of an image for which neither spec nor base names one.
    pub(crate) python: Option<PythonVersion>,
    /// What `_F_IMG_ID` is in the image, where it is not the spec's own id.
    pub(crate) id: Option<String>,
    /// As `--force`.
    pub(crate) force: bool,
    /// As `--push` or `--no-push`.
    pub(crate) push: Option<bool>,
}

impl SpecRequest {
    /// Of a spec that nothing more is said of.
    fn of(spec: ImageSpec) -> Self {
        Self { spec, with: Vec::new(), client: None, python: None, id: None, force: false, push: None }
    }
}

/// Reads the one spec that the arguments name.
pub(crate) fn read(arguments: &SpecArguments) -> Result<SpecRequest, Failure> {
    read_one(&arguments.spec, &arguments.overrides)
}

/// Reads the one spec in a file, or on standard input.
pub(crate) fn read_one(file: &Path, overrides: &OverrideArguments) -> Result<SpecRequest, Failure> {
    let mut requests = read_all(file, overrides)?;
    match (requests.pop(), requests.len()) {
        (Some(request), 0) => Ok(request),
        (_, others) => Err(RequestError::Several { count: others + 1 }.into()),
    }
}

/// Reads the spec in a file, or all that are on standard input; at least one.
pub(crate) fn read_all(file: &Path, overrides: &OverrideArguments) -> Result<Vec<SpecRequest>, Failure> {
    let options = options(overrides);
    let read = if file == Path::new(STDIN) {
        let text = io::read_to_string(io::stdin()).map_err(|source| SpecError::Read { source })?;
        if document::has_requests(&text) {
            document::requests(&text, &options)
        } else {
            parse(&text, &options).map(|spec| vec![SpecRequest::of(spec)]).map_err(Failure::from)
        }
    } else {
        load(file, &options).map(|spec| vec![SpecRequest::of(spec)]).map_err(Failure::from)
    };
    read.map_err(|failure| match failure {
        Failure::Build(imagewright_build::BuildError::Spec(error)) => {
            of_the_options(error, &options.overrides).into()
        }
        other => other,
    })
}

/// What a spec depends on beside its text, on this machine.
fn options(overrides: &OverrideArguments) -> ParseOptions {
    let overrides = Overrides {
        name: overrides.name.clone(),
        registry: overrides.registry.clone(),
        platform: overrides.platform.clone(),
        builder: overrides.builder.clone(),
    };
    let is_arm = Platform::of_this_machine().architecture == "arm64";
    let host = if is_arm { HostArchitecture::Arm64 } else { HostArchitecture::Other };
    ParseOptions { host, overrides }
}

/// What is wrong with an option is not looked for in the file.
fn of_the_options(mut error: SpecError, overrides: &Overrides) -> SpecError {
    let given = [
        ("name", &overrides.name),
        ("registry", &overrides.registry),
        ("platform", &overrides.platform),
        ("builder", &overrides.builder),
    ];
    if let SpecError::Invalid { file, problems } = &mut error {
        let is_given = |path: &str| given.iter().any(|(name, value)| *name == path && value.is_some());
        if problems.iter().all(|problem| is_given(&problem.path)) {
            *file = None;
        }
        for problem in problems.iter_mut().filter(|problem| is_given(&problem.path)) {
            problem.path.insert_str(0, "--");
        }
    }
    error
}
