//! The index settings a user made for uv.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Index, IndexSettings, PythonError};
use crate::uv::Host;

/// Settings that say how indexes are reached and chosen, and not what is resolved; they are taken as they are.
const FURTHER: [&str; 10] = [
    "index-strategy",
    "keyring-provider",
    "native-tls",
    "system-certs",
    "exclude-newer",
    "exclude-newer-package",
    "concurrent-downloads",
    "http-proxy",
    "https-proxy",
    "no-proxy",
];

/// Where uv looks in the container of a build, whose user is root.
const IN_CONTAINER: [&str; 3] = ["/root/.config/uv/uv.toml", "/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml"];

/// `UV_DEFAULT_INDEX`, `UV_INDEX`, their older names, and those like them.
pub(super) fn of_variables(host: &Host) -> IndexSettings {
    let variable = |name: &str| host.variable(name);
    let indexes = ["UV_INDEX", "UV_EXTRA_INDEX_URL"].into_iter().filter_map(variable);
    let links = variable("UV_FIND_LINKS").unwrap_or_default();
    IndexSettings {
        default: variable("UV_DEFAULT_INDEX").or_else(|| variable("UV_INDEX_URL")).map(Index::parse),
        additional: indexes.flat_map(str::split_whitespace).map(Index::parse).collect(),
        find_links: links
            .split([',', ' '])
            .filter(|it| !it.is_empty())
            .map(|it| location(it, host.working_directory()))
            .collect(),
        no_index: variable("UV_NO_INDEX").is_some_and(is_true),
        insecure_hosts: words(variable("UV_INSECURE_HOST")),
        ..IndexSettings::default()
    }
}

/// The configuration files that uv would read: the secrets of a build, and the named one, or the project's, the user's,
/// the machine's.
pub(super) fn of_files(host: &Host) -> Result<IndexSettings, PythonError> {
    let mut settings = IndexSettings::default();
    for path in files(host) {
        settings = settings.or(of_file(&path)?);
    }
    Ok(settings)
}

/// The files themselves, the most important first.
pub(super) fn files(host: &Host) -> Vec<PathBuf> {
    let is_void = host.variable("UV_NO_CONFIG").is_some_and(is_true);
    let own = if is_void { Vec::new() } else { own_files(host) };
    host.placed(&IN_CONTAINER).chain(own).collect()
}

fn own_files(host: &Host) -> Vec<PathBuf> {
    if let Some(named) = host.variable("UV_CONFIG_FILE") {
        return vec![host.absolute(named)];
    }
    let project = host.working_directory().ancestors().find_map(|folder| {
        let own = folder.join("uv.toml");
        let shared = folder.join("pyproject.toml");
        if own.is_file() { Some(own) } else { shared.is_file().then_some(shared) }
    });
    let user = host.config_home().map(|folder| folder.join("uv/uv.toml"));
    let machine = host.config_directories().into_iter().map(|folder| folder.join("uv/uv.toml"));
    let machine = machine.chain([PathBuf::from("/etc/uv/uv.toml")]).find(|path| path.is_file());
    project.into_iter().chain(user).chain(machine).filter(|path| path.is_file()).collect()
}

pub(super) fn of_file(path: &Path) -> Result<IndexSettings, PythonError> {
    let text =
        fs_err::read_to_string(path).map_err(|source| PythonError::File { path: path.to_owned(), source })?;
    let bad = |source| PythonError::Configuration { path: path.to_owned(), source: Box::new(source) };
    let mut table: Table = text.parse().map_err(bad)?;
    if path.ends_with("pyproject.toml") {
        table = child(child(table, "tool"), "uv");
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    // In `uv pip`, the section of that name comes before the general settings.
    let pip = child(table.clone(), "pip");
    Ok(of_table(pip, folder).or(of_table(table, folder)))
}

fn child(mut table: Table, name: &str) -> Table {
    match table.remove(name) {
        Some(Value::Table(child)) => child,
        _ => Table::new(),
    }
}

fn of_table(mut table: Table, folder: &Path) -> IndexSettings {
    let mut settings = IndexSettings::default();
    for entry in tables(table.remove("index")) {
        let Some((mut index, is_default)) = Index::from_table(entry) else { continue };
        index.url = super::IndexUrl::new(location(index.url.reveal(), folder));
        if is_default {
            settings.default.get_or_insert(index);
        } else {
            settings.additional.push(index);
        }
    }
    let plain = strings(table.remove("index-url"));
    settings.default = settings.default.or_else(|| plain.first().map(|url| Index::parse(url)));
    let extra = strings(table.remove("extra-index-url"));
    settings.additional.extend(extra.iter().map(|url| Index::parse(url)));
    settings.find_links =
        strings(table.remove("find-links")).iter().map(|link| location(link, folder)).collect();
    settings.no_index = table.remove("no-index").and_then(|value| value.as_bool()).unwrap_or(false);
    settings.insecure_hosts = strings(table.remove("allow-insecure-host"));
    settings.further = FURTHER.iter().filter_map(|&key| Some((key.to_owned(), table.remove(key)?))).collect();
    settings
}

fn tables(value: Option<Value>) -> Vec<Table> {
    let items = match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items
        .into_iter()
        .filter_map(|item| if let Value::Table(table) = item { Some(table) } else { None })
        .collect()
}

fn strings(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// A URL as it is; a path from the folder it is relative to.
pub(super) fn location(text: &str, folder: &Path) -> String {
    if text.contains("://") { text.to_owned() } else { folder.join(text).display().to_string() }
}

pub(super) fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "y" | "on" | "t")
}
