//! The index settings a user made for pip, which uv does not read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::uv_config::{location, words};
use super::{Index, IndexSettings, IndexUrl, PythonError, PythonWarning};
use crate::uv::Host;

/// Where pip looks in the container of a build, whose user is root.
const IN_CONTAINER: [&str; 4] =
    ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", "/root/.pip/pip.conf", "/root/.config/pip/pip.conf"];

/// pip's settings by their long option names, as `index-url`.
type Options = BTreeMap<String, String>;

/// `PIP_INDEX_URL` and those like it.
pub(super) fn of_variables(host: &Host) -> IndexSettings {
    let named = host.variables().iter().filter_map(|(name, value)| {
        let option = name.strip_prefix("PIP_")?.to_ascii_lowercase().replace('_', "-");
        (!value.is_empty()).then(|| (option, value.clone()))
    });
    settings(&named.collect(), host)
}

/// `pip.conf`: the machine's, the user's, the virtual environment's, the named one, a secret; later ones override.
pub(super) fn of_files(host: &Host) -> Result<IndexSettings, PythonError> {
    let mut options = Options::new();
    for path in files(host).into_iter().filter(|path| path.is_file()) {
        let text = fs_err::read_to_string(&path)
            .map_err(|source| PythonError::File { path: path.clone(), source })?;
        options.extend(parse(&text));
    }
    Ok(settings(&options, host))
}

pub(super) fn files(host: &Host) -> Vec<PathBuf> {
    let own =
        if host.variable("PIP_CONFIG_FILE") == Some("/dev/null") { Vec::new() } else { own_files(host) };
    own.into_iter().chain(host.placed(&IN_CONTAINER)).collect()
}

fn own_files(host: &Host) -> Vec<PathBuf> {
    let machine = host.config_directories().into_iter().rev().map(|folder| folder.join("pip/pip.conf"));
    let user = host.home().map(|home| home.join(".pip/pip.conf"));
    let user = user.into_iter().chain(host.config_home().map(|folder| folder.join("pip/pip.conf")));
    let environment = host.variable("VIRTUAL_ENV").map(|folder| Path::new(folder).join("pip.conf"));
    let named = host.variable("PIP_CONFIG_FILE").map(|path| host.absolute(path));
    let last = [PathBuf::from("/etc/pip.conf")].into_iter();
    machine.chain(last).chain(user).chain(environment).chain(named).collect()
}

/// The `[global]` section, overridden by `[install]`; a value may go on in indented lines.
fn parse(text: &str) -> Options {
    let mut sections: BTreeMap<String, Options> = BTreeMap::new();
    let mut section = String::new();
    let mut key = String::new();
    for line in text.lines() {
        let body = line.split_once(" #").map_or(line, |(body, _)| body).trim();
        if body.is_empty() || body.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = body.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_ascii_lowercase();
        } else if line.starts_with(char::is_whitespace) && !key.is_empty() {
            let value = sections.entry(section.clone()).or_default().entry(key.clone()).or_default();
            value.push(' ');
            value.push_str(body);
        } else if let Some((name, value)) = body.split_once(['=', ':']) {
            key = name.trim().to_ascii_lowercase().replace('_', "-");
            sections.entry(section.clone()).or_default().insert(key.clone(), value.trim().to_owned());
        }
    }
    let mut options = sections.remove("global").unwrap_or_default();
    options.extend(sections.remove("install").unwrap_or_default());
    options
}

fn settings(options: &Options, host: &Host) -> IndexSettings {
    let option = |name: &str| options.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let folder = host.working_directory();
    let links = words(option("find-links")).into_iter().map(|link| location(&link, folder));
    // pip passes over a folder that is not there; uv would fail.
    let (find_links, missing): (Vec<String>, Vec<String>) =
        links.partition(|link| link.contains("://") || Path::new(link).is_dir());
    IndexSettings {
        default: option("index-url").map(Index::parse),
        additional: words(option("extra-index-url")).iter().map(|url| Index::parse(url)).collect(),
        find_links,
        no_index: option("no-index").is_some_and(|value| matches!(value, "1" | "true" | "yes" | "on")),
        insecure_hosts: words(option("trusted-host")),
        certificates: option("cert").map(|path| host.absolute(path)),
        proxy: option("proxy").map(IndexUrl::new),
        warnings: missing.into_iter().map(|folder| PythonWarning::NoSuchFolder { folder }).collect(),
        ..IndexSettings::default()
    }
}
