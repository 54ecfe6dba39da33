//! What a command is asked for: a spec, and what a front end knows besides.

mod document;
mod each;

use std::io;
use std::path::{Path, PathBuf};

use imagewright_oci::Platform;
use imagewright_pypa::PythonVersion;
use imagewright_spec::{
    HostArchitecture, ImageSpec, Overrides, ParseOptions, SpecError, load, parse, script,
};

use crate::arguments::{OverrideArguments, SpecArguments};
use crate::discovery::{self, Found, Named, PythonFile};
use crate::environment::Environment;
use crate::failure::Failure;
pub(crate) use document::RequestError;
pub(crate) use each::{OneOf, read_each};

/// The name of standard input where a file is named.
pub(crate) const STDIN: &str = "-";

/// A spec, and what a front end says of it that no spec can say (docs/python.md).
#[derive(Clone, Debug)]
pub(crate) struct SpecRequest {
    /// What messages call it.
    pub(crate) title: String,
    /// The file that it is in, or what its lock is beside; [`STDIN`] where there is none.
    pub(crate) file: PathBuf,
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
    fn of(file: &Path, spec: ImageSpec) -> Self {
        let (title, file) = (file.display().to_string(), file.to_owned());
        Self {
            title,
            file,
            spec,
            with: Vec::new(),
            client: None,
            python: None,
            id: None,
            force: false,
            push: None,
        }
    }
}

/// Reads the one spec that the arguments name.
pub(crate) fn read(environment: &Environment, arguments: &SpecArguments) -> Result<SpecRequest, Failure> {
    let mut requests = read_all(environment, arguments)?;
    match (requests.pop(), requests.as_slice()) {
        (Some(request), []) => Ok(request),
        (last, others) => {
            let titles = others.iter().chain(&last).map(|request| request.title.clone()).collect();
            Err(RequestError::Several { titles }.into())
        }
    }
}

/// Reads the specs that the arguments name; at least one.
pub(crate) fn read_all(
    environment: &Environment,
    arguments: &SpecArguments,
) -> Result<Vec<SpecRequest>, Failure> {
    let folder = arguments.all.iter().cloned().map(Named::Folder);
    let mut requests = Vec::new();
    for named in discovery::named(&arguments.specs)?.into_iter().chain(folder) {
        requests.extend(read_named(environment, &named, &arguments.overrides)?);
    }
    Ok(requests)
}

/// Reads the spec in a file, or all that are on standard input or in a Python file; at least one.
pub(crate) fn read_named(
    environment: &Environment,
    named: &Named,
    overrides: &OverrideArguments,
) -> Result<Vec<SpecRequest>, Failure> {
    let options = options(overrides);
    let read = match named {
        Named::Python(PythonFile { path, names }) if names.is_empty() && is_script(path) => {
            let spec = script::load(path, &options);
            spec.map(|spec| vec![SpecRequest::of(path, spec)]).map_err(Failure::from)
        }
        Named::Python(file) => requests_of(discovery::found(environment, file)?, &options),
        Named::Folder(folder) => requests_of(discovery::found_below(environment, folder)?, &options),
        Named::Spec(file) if file == Path::new(STDIN) => {
            let text = io::read_to_string(io::stdin()).map_err(|source| SpecError::Read { source })?;
            if document::has_requests(&text) {
                document::requests(&text, &options)
            } else {
                parse(&text, &options).map(|spec| vec![SpecRequest::of(file, spec)]).map_err(Failure::from)
            }
        }
        Named::Spec(file) => {
            load(file, &options).map(|spec| vec![SpecRequest::of(file, spec)]).map_err(Failure::from)
        }
    };
    read.map_err(|failure| match failure {
        Failure::Build(imagewright_build::BuildError::Spec(error)) => {
            of_the_options(error, &options.overrides).into()
        }
        other => other,
    })
}

/// Whether a Python file says itself what it needs; what is in it besides has to be named.
fn is_script(path: &Path) -> bool {
    // That it cannot be read, whoever reads it says.
    fs_err::read_to_string(path).is_ok_and(|text| script::has_metadata(&text))
}

/// The requests that the user's Python gave.
fn requests_of(found: Vec<Found>, options: &ParseOptions) -> Result<Vec<SpecRequest>, Failure> {
    let requests = found.into_iter().map(|found| {
        let request = document::request(&found.request, Some(Path::new(&found.title)), options)?;
        Ok(SpecRequest { title: found.title, file: found.place, ..request })
    });
    requests.collect()
}

/// What a spec depends on beside its text, on this machine.
pub(crate) fn options(overrides: &OverrideArguments) -> ParseOptions {
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
