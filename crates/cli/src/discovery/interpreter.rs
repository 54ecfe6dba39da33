//! Which Python reads the user's files.

use std::path::{Path, PathBuf};

use crate::configuration::Configuration;
use crate::environment::Environment;

/// The one that is set, of the active virtual environment, of the environment that this program is installed in, or on
/// `PATH`; the first that there is.
pub(super) fn find(environment: &Environment, configuration: &Configuration) -> Option<PathBuf> {
    if let Some(setting) = &configuration.python_program {
        return Some(setting.value.clone());
    }
    let active = environment.path("VIRTUAL_ENV").map(|folder| folder.join("bin/python"));
    let beside = || {
        let folder = std::env::current_exe().ok()?.parent()?.to_owned();
        is_environment(folder.parent()?).then(|| folder.join("python"))
    };
    active.filter(|path| path.is_file()).or_else(|| beside().filter(|path| path.is_file())).or_else(|| {
        let folders = std::env::split_paths(environment.get("PATH")?).collect::<Vec<_>>();
        let named = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        named("python3").or_else(|| named("python"))
    })
}

fn is_environment(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").is_file() || folder.join("conda-meta").is_dir()
}
