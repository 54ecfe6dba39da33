//! `doctor`: what is in force, where it came from, and whether builds can work.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use imagewright_lock::uv::{Host, UvSearch, find};
use imagewright_oci::Platform;
use imagewright_registry::{Credentials, CredentialsError};
use imagewright_sandbox::{Processor, Sandbox, executed_by};
use imagewright_store::Store;
use serde::Serialize;

use super::print;
use crate::configuration::{Configuration, Setting};
use crate::environment::Environment;
use crate::failure::{Failure, NO};
use crate::progress::bytes;
use crate::session::HELPER;
use crate::{interrupt, session};

/// Say what is in force on this machine and where it came from. Exit code 1 when builds cannot work.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Everything that was found out.
#[derive(Debug, Default, Serialize)]
struct Diagnosis {
    /// Whether builds can work.
    ok: bool,
    facts: Vec<Fact>,
}

/// One thing that is in force.
#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Why builds cannot work with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) fn run(environment: &Environment, arguments: &DoctorArguments) -> Result<ExitCode, Failure> {
    let configuration = Configuration::load(environment)?;
    let mut diagnosis = Diagnosis::default();
    diagnosis.settings(&configuration);
    let store = diagnosis.store(&configuration);
    diagnosis.uv(environment, &configuration, store.as_ref())?;
    diagnosis.credentials(&session::credentials(environment, &[]))?;
    diagnosis.sandbox(store.as_ref());
    diagnosis.emulators();
    diagnosis.ok = diagnosis.facts.iter().all(|fact| fact.problem.is_none());
    if arguments.json {
        print(serde_json::to_string(&diagnosis).expect("a diagnosis serialises"))?;
    } else {
        print(diagnosis.text().trim_end())?;
    }
    Ok(if diagnosis.ok { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

impl Diagnosis {
    fn add(&mut self, name: &'static str, value: impl Into<String>) -> &mut Fact {
        self.facts.push(Fact { name, value: value.into(), source: None, problem: None });
        self.facts.last_mut().expect("one was just added")
    }

    fn setting<T>(&mut self, name: &'static str, setting: &Setting<T>, value: impl Into<String>) {
        self.add(name, value).source = Some(setting.source.to_string());
    }

    fn settings(&mut self, configuration: &Configuration) {
        self.add("version", env!("CARGO_PKG_VERSION"));
        let files: Vec<String> = configuration.files.iter().map(|path| path.display().to_string()).collect();
        self.add("configuration", if files.is_empty() { "no file".to_owned() } else { files.join(", ") });
        let Configuration { python, threads, debian, python_mirror, attach_lock, .. } = configuration;
        self.setting("python", python, python.value.to_string());
        self.setting("threads", threads, threads.value.to_string());
        self.setting("debian mirror", debian, debian.value.to_string());
        self.setting("python mirror", python_mirror, python_mirror.value.to_string());
        self.setting("attach lock", attach_lock, attach_lock.value.to_string());
        if let Some(setting) = &configuration.docker_arguments {
            self.setting("docker build", setting, setting.value.join(" "));
        }
        for (name, hosts) in [("plain http", &configuration.plain_http), ("https", &configuration.https)] {
            if let Some(setting) = hosts {
                let hosts: Vec<&str> = setting.value.iter().map(String::as_str).collect();
                self.setting(name, setting, hosts.join(", "));
            }
        }
        if let Some(setting) = &configuration.mirrors {
            for (registry, mirrors) in &setting.value {
                let mirrors: Vec<&str> = mirrors.iter().map(imagewright_registry::Mirror::registry).collect();
                self.setting("registry mirror", setting, format!("{registry}: {}", mirrors.join(", ")));
            }
        }
    }

    /// The store, opened as a build would.
    fn store(&mut self, configuration: &Configuration) -> Option<Store> {
        let setting = &configuration.store;
        let opened = session::store_at(&setting.value);
        let free = free_bytes(&setting.value).map(|free| format!(", {} free", bytes(free)));
        self.setting("store", setting, format!("{}{}", setting.value.display(), free.unwrap_or_default()));
        let fact = self.facts.last_mut().expect("one was just added");
        match opened {
            Ok(store) if store.is_read_only() => {
                fact.problem = Some("it cannot be written".to_owned());
                Some(store)
            }
            Ok(store) => Some(store),
            Err(error) => {
                fact.problem = Some(with_causes(&error));
                None
            }
        }
    }

    fn uv(
        &mut self,
        environment: &Environment,
        configuration: &Configuration,
        store: Option<&Store>,
    ) -> Result<(), Failure> {
        let Some(store) = store else { return Ok(()) };
        let host = Host::new(environment.variables.clone(), environment.directory.clone());
        let program = std::env::current_exe()?;
        let search = UvSearch {
            explicit: configuration.uv.as_ref().map(|uv| uv.value.as_path()),
            beside: program.parent(),
            tools: &store.tools(),
            host: &host,
        };
        let found = interrupt::run(async { Ok::<_, Failure>(find(&search).await) })?;
        match found {
            Ok(uv) => {
                let version = &uv.capabilities().version;
                self.add("uv", format!("{} {version}", uv.executable().display()));
                let source = configuration.uv.as_ref().map(|uv| uv.source.to_string());
                self.facts.last_mut().expect("one was just added").source = source;
            }
            Err(refused) => {
                let has_pip = ["python3", "pip3", "pip"].iter().any(|name| is_on_path(&host, name));
                let (value, fix) = match &configuration.uv {
                    Some(uv) => (uv.value.display().to_string(), Some("name a working uv, or none")),
                    None if has_pip => ("not here yet; a build installs it with pip".to_owned(), None),
                    None => ("not found".to_owned(), Some("put uv on PATH, or set IMAGEWRIGHT_UV")),
                };
                let fact = self.add("uv", value);
                fact.source = configuration.uv.as_ref().map(|uv| uv.source.to_string());
                let refused = refused.iter().map(|error| with_causes(error));
                fact.problem = fix.map(|fix| refused.chain([fix.to_owned()]).collect::<Vec<_>>().join("; "));
            }
        }
        Ok(())
    }

    fn credentials(&mut self, credentials: &Credentials) -> Result<(), Failure> {
        let overview = interrupt::run(async { Ok::<_, Failure>(credentials.overview().await) })?;
        match overview {
            Ok(files) if files.is_empty() => {
                self.add("credentials", "none: registries are asked without");
            }
            Ok(files) => {
                for file in files {
                    let registries = file.registries.join(", ");
                    let registries =
                        if registries.is_empty() { "no registry".to_owned() } else { registries };
                    self.add("credentials", registries).source = Some(file.path.display().to_string());
                }
            }
            Err(error @ (CredentialsError::Unreadable { .. } | CredentialsError::Malformed { .. })) => {
                self.add("credentials", "a file cannot be read").problem = Some(with_causes(&error));
            }
            Err(error) => {
                self.add("credentials", "unknown").problem = Some(with_causes(&error));
            }
        }
        Ok(())
    }

    /// How `run` isolates a command. Builds of wheels execute nothing, so none of this stops them.
    fn sandbox(&mut self, store: Option<&Store>) {
        let Some(store) = store else { return };
        match store.scratch_directory() {
            Ok(scratch) => {
                for report in Sandbox::detect(Path::new(HELPER), scratch.path()) {
                    self.add("sandbox", report.to_string());
                }
            }
            Err(error) => {
                self.add("sandbox", format!("not tried: {}", with_causes(&error)));
            }
        }
    }

    /// Whether commands of images for other machines run here. Their wheels need none of it.
    fn emulators(&mut self) {
        for platform in ["amd64", "arm64"].map(|architecture| Platform::new("linux", architecture)) {
            match executed_by(&platform) {
                Ok(Processor::Own) => {}
                Ok(Processor::Emulated { emulator }) => {
                    self.add("emulator", format!("{platform}: {}", emulator.display()));
                }
                Err(error) => {
                    self.add("emulator", format!("{platform}: none, {error}"));
                }
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Fact { name, value, source, problem } in &self.facts {
            let source = source.as_ref().map(|source| format!("  ({source})")).unwrap_or_default();
            writeln!(text, "{name:<16} {value}{source}").expect("a String takes every write");
            if let Some(problem) = problem {
                writeln!(text, "{:<16} problem: {problem}", "").expect("a String takes every write");
            }
        }
        text.push_str(if self.ok { "builds can work" } else { "builds cannot work: see the problems above" });
        text
    }
}

fn is_on_path(host: &Host, name: &str) -> bool {
    host.path().into_iter().any(|folder| folder.join(name).is_file())
}

/// The room on the file system of a path, or of the folder that it will be made in.
fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let room = rustix::fs::statvfs(there).ok()?;
    room.f_bavail.checked_mul(room.f_frsize)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    text
}
