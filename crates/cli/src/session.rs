//! What every command that needs the machine starts with: environment, store, client, runtime.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use imagewright_build::{BuildRequest, GivenLock, Machine, Reporter, SandboxChoice, Workplace};
use imagewright_lock::python::Refresh;
use imagewright_lock::uv::Host;
use imagewright_lock::{DEFAULT_EPOCH, Upgrade};
use imagewright_oci::ImageReference;
use imagewright_registry::{Client, ClientOptions, CredentialSource, Credentials};
use imagewright_spec::{Field, ImageSpec, SpecError};
use imagewright_store::{Options, Store, StoreError};

use crate::arguments::{LockArguments, ProgressStyle};
use crate::configuration::{Configuration, Setting, Source};
use crate::environment::Environment;
use crate::failpoint::Failpoints;
use crate::failure::Failure;
use crate::spec_request::{OneOf, STDIN, SpecRequest};
use crate::{lock_file, progress};

/// The program that the sandbox starts as its helper: this one, also when its file has been replaced since.
pub(crate) const HELPER: &str = "/proc/self/exe";

/// The engine, with this machine's store and credentials.
pub(crate) fn machine(
    environment: &Environment,
    spec: &ImageSpec,
    reporter: Reporter,
) -> Result<Machine, Failure> {
    machine_with(environment, Some(spec), reporter)
}

/// The same, where there may be no spec.
pub(crate) fn machine_with(
    environment: &Environment,
    spec: Option<&ImageSpec>,
    reporter: Reporter,
) -> Result<Machine, Failure> {
    let named = spec.map_or_else(|| Ok(Vec::new()), |spec| credentials_in(environment, spec))?;
    let configuration = Configuration::load(environment)?;
    let points = Failpoints::of(environment);
    let store_options = Options { observer: points.observer(), ..Options::new(now()) };
    let store = Store::open_with(&configuration.store.value, store_options)?;
    let reporter = points.reporter(reporter);
    tell_index_rebuilt(&store, &reporter);
    let options = client_options(&configuration, credentials(environment, &named));
    Ok(Machine {
        store,
        client: Client::new(options),
        mirrors: configuration.debian.value,
        python_mirror: configuration.python_mirror.value,
        host: Host::new(environment.variables.clone(), environment.directory.clone()),
        uv: configuration.uv.map(|uv| uv.value),
        program_folder: std::env::current_exe()?.parent().map(Path::to_owned),
        attach_lock: configuration.attach_lock.value,
        docker_arguments: configuration.docker_arguments.map(|setting| setting.value).unwrap_or_default(),
        threads: configuration.threads.value,
        sandbox: SandboxChoice { helper: HELPER.into(), mode: None },
        reporter,
        workplace: Workplace::default(),
    })
}

/// The engine for each of several specs. They share one store and, where they name the same credentials, one client.
#[derive(Debug)]
pub(crate) struct Machines<'a> {
    environment: &'a Environment,
    machine: Machine,
    clients: Vec<(Vec<NamedCredentials<'a>>, Client)>,
}

impl<'a> Machines<'a> {
    pub(crate) fn new(environment: &'a Environment, reporter: Reporter) -> Result<Self, Failure> {
        let machine = machine_with(environment, None, reporter)?;
        let clients = vec![(Vec::new(), machine.client.clone())];
        Ok(Self { environment, machine, clients })
    }

    /// That for one of them; its client counts for itself, and its events say what they are about.
    pub(crate) fn of(&mut self, one: &'a OneOf) -> Result<Machine, Failure> {
        let named = credentials_in(self.environment, &one.spec)?;
        let known = self.clients.iter().find(|(of, _)| *of == named).map(|(_, client)| client.clone());
        let client = known.unwrap_or_else(|| {
            let client = self.machine.client.with_credentials(credentials(self.environment, &named));
            self.clients.push((named, client.clone()));
            client
        });
        let reporter = &self.machine.reporter;
        let reporter = one.label.as_ref().map_or_else(|| reporter.clone(), |label| reporter.about(label));
        Ok(Machine { client: client.counting_apart(), reporter, ..self.machine.clone() })
    }
}

/// The store that is in force.
pub(crate) fn store(environment: &Environment) -> Result<Store, Failure> {
    Ok(store_at(&store_directory(environment)?)?)
}

/// Where that is.
pub(crate) fn store_directory(environment: &Environment) -> Result<PathBuf, Failure> {
    Ok(Configuration::load(environment)?.store.value)
}

pub(crate) fn store_at(directory: &Path) -> Result<Store, StoreError> {
    let store = Store::open(directory, now())?;
    tell_index_rebuilt(&store, &progress::reporter(ProgressStyle::Plain));
    Ok(store)
}

/// Says what was lost with a damaged index; whoever opens the store first after the damage sees it.
fn tell_index_rebuilt(store: &Store, reporter: &Reporter) {
    if let Some(rebuilt) = store.index_rebuilt() {
        let hint = "layers are made again when they are needed; a lock file (`imagewright lock`) keeps what is pinned";
        reporter.warn(rebuilt.to_string(), Some(hint.to_owned()));
    }
}

/// The `registry_config` of a spec, and the repository that its image goes to.
#[derive(Debug, PartialEq)]
pub(crate) struct NamedCredentials<'a> {
    path: &'a Path,
    repository: Option<ImageReference>,
}

/// Those of a spec, which must be there.
fn credentials_in<'a>(
    environment: &Environment,
    spec: &'a ImageSpec,
) -> Result<Vec<NamedCredentials<'a>>, SpecError> {
    let named = named_credentials(spec);
    for NamedCredentials { path, .. } in &named {
        // It is read when a registry asks for credentials, which may be after a long download, or never.
        fs_err::metadata(environment.directory.join(path))
            .map_err(|source| SpecError::file(Field::RegistryConfig, path.to_path_buf(), source))?;
    }
    Ok(named)
}

/// Those of a spec and of the specs that make its bases, the uppermost first.
fn named_credentials(spec: &ImageSpec) -> Vec<NamedCredentials<'_>> {
    let named = spec.with_bases().filter_map(|spec| {
        let path = spec.registry_config.as_deref()?;
        let repository = ImageReference::new(spec.registry.as_deref(), &spec.name, None, None).ok();
        Some(NamedCredentials { path, repository })
    });
    named.collect()
}

/// The places to look for credentials of registries: the files that were named, which must be there, then the usual.
/// Each is asked first for the repository of its own spec, as several may be in one registry.
pub(crate) fn credentials(environment: &Environment, named: &[NamedCredentials<'_>]) -> Credentials {
    let absolute = |path: &Path| environment.directory.join(path);
    let own = named.iter().filter_map(|NamedCredentials { path, repository }| {
        let repository = repository.clone()?;
        Some(CredentialSource::Repository { repository, path: absolute(path) })
    });
    let given = named.iter().map(|it| (absolute(it.path), true));
    let usual = environment.auth_files().into_iter().map(|path| (path, false));
    let files = given.chain(usual).map(|(path, required)| CredentialSource::File { path, required });
    Credentials::new(own.chain(files).collect())
}

fn client_options(configuration: &Configuration, credentials: Credentials) -> ClientOptions {
    let hosts = |setting: &Option<Setting<BTreeSet<String>>>| {
        setting.as_ref().map(|setting| setting.value.clone()).unwrap_or_default()
    };
    ClientOptions {
        credentials,
        plain_http: hosts(&configuration.plain_http),
        https: hosts(&configuration.https),
        mirrors: configuration.mirrors.as_ref().map(|setting| setting.value.clone()).unwrap_or_default(),
        ..ClientOptions::default()
    }
}

/// What is to be built, from what is asked for, and the arguments about its lock.
pub(crate) fn request(
    environment: &Environment,
    asked: SpecRequest,
    arguments: Option<&LockArguments>,
) -> Result<BuildRequest, Failure> {
    let lock = match arguments {
        Some(arguments) => lock_file::find(arguments.lock.as_deref(), &asked.file)?,
        None => None,
    };
    request_with(environment, asked, arguments, lock)
}

/// The same, with the lock to start from.
pub(crate) fn request_with(
    environment: &Environment,
    asked: SpecRequest,
    arguments: Option<&LockArguments>,
    lock: Option<GivenLock>,
) -> Result<BuildRequest, Failure> {
    let epoch = epoch(environment)?;
    if asked.push == Some(true) {
        check_can_be_pushed(&asked)?;
    }
    let SpecRequest { file, spec, with, client, python, id, force, push, .. } = asked;
    let (fallback_python, python_is_chosen) = if let Some(python) = python {
        // A front end's is that of the machine it runs on.
        (python, false)
    } else {
        let Setting { value, source } = Configuration::load(environment)?.python;
        (value, source != Source::Default)
    };
    let by_default = || spec.registry.is_some() && environment.flag("FLYTE_PUSH_IMAGE_SPEC") != Some(false);
    let request = BuildRequest {
        push: push.unwrap_or_else(by_default),
        force: force || environment.flag("FLYTE_FORCE_PUSH_IMAGE_SPEC") == Some(true),
        sinks: Vec::new(),
        spec,
        with,
        client,
        id,
        directory: environment.directory.clone(),
        left_out: lock_file::beside(&file)
            .into_iter()
            .chain(arguments.and_then(|arguments| arguments.lock.clone()))
            .collect(),
        fallback_python,
        python_is_chosen,
        further_tags: Vec::new(),
        no_cache: false,
        lock: None,
        upgrade: Upgrade::Nothing,
        frozen: arguments.is_some_and(|arguments| arguments.frozen),
        refresh: if arguments.is_some_and(|arguments| arguments.refresh) {
            Refresh::Always
        } else {
            Refresh::WhenOld
        },
        offline: arguments.is_some_and(|arguments| arguments.offline),
        epoch: epoch.unwrap_or(DEFAULT_EPOCH),
    };
    Ok(starting_from(request, lock))
}

/// Fails for an image that is meant for no registry.
pub(crate) fn check_can_be_pushed(asked: &SpecRequest) -> Result<(), Failure> {
    if asked.spec.registry.is_some() {
        return Ok(());
    }
    let named = if asked.title == STDIN { "the spec" } else { &asked.title };
    Err(Failure::Arguments {
        message: format!("{named} has no registry to push to"),
        hint: Some("set `registry` in the spec, or give `--registry`".to_owned()),
    })
}

/// The time of files that the environment asks for, in seconds since 1970.
fn epoch(environment: &Environment) -> Result<Option<u64>, Failure> {
    let Some(text) = environment.get("SOURCE_DATE_EPOCH") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Failure::Arguments {
        message: format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds since 1970"),
        hint: Some("unset it, or set it to a number such as 1700000000".to_owned()),
    })
}

/// The same, with a lock to start from: its epoch stays, because that is part of every layer.
pub(crate) fn starting_from(request: BuildRequest, lock: Option<GivenLock>) -> BuildRequest {
    let epoch = lock.as_ref().map_or(request.epoch, |given| given.lock.epoch);
    BuildRequest { epoch, lock, ..request }
}

/// Seconds since 1970, for the store's bookkeeping only.
#[expect(
    clippy::disallowed_methods,
    reason = "the one clock: when a thing was last used never reaches an image"
)]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
