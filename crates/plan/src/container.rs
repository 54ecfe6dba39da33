//! How a container of the image starts: the base's settings, continued as the builder of its layout does.

use std::fmt;

use imagewright_oci::{ContainerConfig, DEFAULT_PATH};
use imagewright_recipe::{expand_variables, plain_references};
use imagewright_spec::Layout;

use crate::certificates::named_bundle;
use crate::planner::Scope;
use crate::skeleton::Account;

/// A reference to a variable that nothing sets: nothing stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsetVariable {
    /// The variable in whose value it is.
    pub variable: String,
    /// What is referred to.
    pub name: String,
}

impl fmt::Display for UnsetVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, name } = self;
        write!(f, "`env`: {variable} refers to ${name}, which neither the spec nor the base sets before it")
    }
}

/// The settings of the image, and what their values refer to in vain.
pub(crate) fn container_config(
    scope: &Scope<'_>,
    account: &Account,
) -> (ContainerConfig, Vec<UnsetVariable>) {
    let mut unset = Vec::new();
    let mut config = scope.base.config.config.clone();
    layout_variables(scope, account, &mut config);
    for (name, value) in &scope.recipe.settings.environment {
        let missing = plain_references(value).into_iter().filter(|name| config.env_value(name).is_none());
        unset.extend(missing.map(|missing| UnsetVariable { variable: name.clone(), name: missing }));
        let expanded = expand_variables(value, &|name| config.env_value(name).map(str::to_owned));
        config.set_env(name, &expanded);
    }
    config.set_env("_F_IMG_ID", &scope.recipe.settings.image_id);
    if let Some(entrypoint) = &scope.recipe.settings.entrypoint {
        // As in a Dockerfile, an ENTRYPOINT makes the base's CMD void.
        config.cmd = None;
        config.entrypoint = (!entrypoint.is_empty()).then(|| entrypoint.clone());
    }
    config.user = Some(account.running().to_owned());
    config.working_dir = Some(working_directory(scope));
    (config, unset)
}

/// What flytekit's default builder sets, or Flyte 2's builder of Dockerfiles.
fn layout_variables(scope: &Scope<'_>, account: &Account, config: &mut ContainerConfig) {
    let prefix = &scope.lock.environment.prefix;
    let is_flytekits = scope.recipe.settings.layout == Layout::Flytekit;
    config.set_env("PATH", &path_variable(scope, account));
    if config.env_value("VIRTUAL_ENV").is_some() {
        // Else installers in the image would go to an environment of the base that is not in use any more.
        config.set_env("VIRTUAL_ENV", prefix);
    }
    if is_flytekits {
        config.set_env("PYTHONPATH", "/root");
    } else {
        config.set_env("VIRTUALENV", prefix);
    }
    config.set_env("UV_PYTHON", &format!("{prefix}/bin/python"));
    config.set_env("UV_COMPILE_BYTECODE", "1");
    config.set_env("UV_LINK_MODE", "copy");
    if is_flytekits {
        config.set_env("FLYTE_SDK_RICH_TRACEBACKS", "0");
        config.set_env("SSL_CERT_DIR", "/etc/ssl/certs");
    }
    if let Some(bundle) = named_bundle(scope).filter(|_| config.env_value("SSL_CERT_FILE").is_none()) {
        config.set_env("SSL_CERT_FILE", &bundle);
    }
    let libraries = config.env_value("LD_LIBRARY_PATH").unwrap_or_default();
    config.set_env("LD_LIBRARY_PATH", &joined(&["/usr/local/nvidia/lib64"], libraries, &[]));
}

/// Where containers start, with its leading slash.
pub(crate) fn working_directory(scope: &Scope<'_>) -> String {
    let settings = &scope.recipe.settings;
    let of_layout = match settings.layout {
        Layout::Flytekit => "/root",
        Layout::Flyte => scope.base.config.config.working_dir.as_deref().unwrap_or_default(),
    };
    let written = settings.working_directory.as_deref().unwrap_or_default();
    let whole = if written.starts_with('/') { written.to_owned() } else { format!("{of_layout}/{written}") };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `PATH`: the environment, the base's, NVIDIA's, and last what the user installs.
pub(crate) fn path_variable(scope: &Scope<'_>, account: &Account) -> String {
    let environment = format!("{}/bin", scope.lock.environment.prefix);
    let own = format!("{}/.local/bin", account.home);
    let base = scope.base.config.config.env_value("PATH").unwrap_or(DEFAULT_PATH);
    let devices = ["/usr/local/nvidia/bin", "/usr/local/cuda/bin"];
    match scope.recipe.settings.layout {
        Layout::Flytekit => joined(&[&environment], base, &[devices[0], devices[1], &own]),
        // An image of several steps has it from the first one on; what its variables put before it stays there.
        Layout::Flyte if base.split(':').any(|element| element == environment) => joined(&[], base, &devices),
        Layout::Flyte => joined(&[&environment], base, &devices),
    }
}

/// A search path without empty elements (which would mean the working directory) and without repetitions.
fn joined(before: &[&str], base: &str, after: &[&str]) -> String {
    let mut elements: Vec<&str> = Vec::new();
    for element in before.iter().copied().chain(base.split(':')).chain(after.iter().copied()) {
        if !element.is_empty() && !elements.contains(&element) {
            elements.push(element);
        }
    }
    elements.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_paths_have_no_holes() {
        assert_eq!(joined(&["/a"], "", &[]), "/a");
        assert_eq!(joined(&["/a"], "/b:/a:", &["/c", "/b"]), "/a:/b:/c");
    }
}
