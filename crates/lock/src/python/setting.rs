//! Settings of this machine that uv refuses, and where they were made.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{IndexUrl, Refresh, config_file, explain, pip_config, uv_config};
use crate::uv::Host;

/// A setting of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A package index in a configuration file of uv or pip.
    Index {
        /// Its address.
        address: IndexUrl,
        /// The file.
        path: PathBuf,
    },
    /// Another setting in such a file.
    Key {
        /// As uv calls it.
        key: String,
        /// The file.
        path: PathBuf,
    },
}

/// A value of the configuration that is written for uv.
#[derive(Debug)]
struct Entry<'a> {
    key: &'a str,
    /// As it is written, with its quotes.
    written: &'a str,
    value: String,
}

/// The setting that uv's words are about, and those of them that say what is wrong with it.
///
/// `configuration` is what was written for uv: what it quotes of it is looked up where the user has it.
pub(super) fn refused(explanation: &str, configuration: &str, host: &Host) -> Option<(Setting, String)> {
    let name = variable(explanation).or_else(|| option_variable(explanation, host));
    if let Some(name) = name {
        return Some((Setting::Variable { name }, explain::usage(explanation)));
    }
    let entry = entry(explanation, configuration)?;
    let variable =
        host.variables().iter().find(|(name, value)| holds_settings(name) && value.contains(&entry.value));
    let setting = match variable {
        Some((name, _)) => Setting::Variable { name: name.clone() },
        None => in_file(&entry, file_of(&entry, host)?),
    };
    let is_mark = |line: &str| line.contains('^') && line.chars().all(|c| " |^".contains(c));
    let words = explanation.lines().skip_while(|line| !is_mark(line)).skip(1).map(str::trim);
    Some((setting, words.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")))
}

/// `Failed to parse environment variable `UV_HTTP_TIMEOUT` …`
fn variable(explanation: &str) -> Option<String> {
    let rest = explanation.trim_start().strip_prefix("error: ")?;
    let rest = rest.strip_prefix("Failed to parse environment variable `")?;
    Some(rest.split('`').next()?.to_owned())
}

/// `invalid value 'x' for '--index-strategy <INDEX_STRATEGY>'`, where no option but a variable has it.
fn option_variable(explanation: &str, host: &Host) -> Option<String> {
    let value = explanation.trim_start().strip_prefix("error: invalid value '")?;
    let (value, option) = value.split_once("' for '--")?;
    let option = option.split([' ', '\'']).next()?;
    let name = format!("UV_{}", option.replace('-', "_").to_ascii_uppercase());
    (host.variable(&name) == Some(value)).then_some(name)
}

/// `TOML parse error at line 2, column 7`, and as many `^` as the value is long.
fn entry<'a>(explanation: &str, configuration: &'a str) -> Option<Entry<'a>> {
    let (_, place) = explanation.split_once("TOML parse error at line ")?;
    let (line, rest) = place.split_once(", column ")?;
    let column: usize = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let length = rest.lines().find(|line| line.contains('^'))?.matches('^').count();
    let line = configuration.lines().nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
    let (start, _) = line.char_indices().nth(column.checked_sub(1)?)?;
    let end = line[start..].char_indices().nth(length).map_or(line.len(), |(at, _)| start + at);
    let written = &line[start..end];
    let value = match format!("x = {written}").parse::<Table>().ok()?.remove("x")? {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Some(Entry { key: line.split(" = ").next()?, written, value })
}

/// Whether a variable is one of uv's or pip's settings, and no password.
fn holds_settings(name: &str) -> bool {
    let is_login = name.ends_with("_USERNAME") || name.ends_with("_PASSWORD");
    (name.starts_with("UV_") || name.starts_with("PIP_")) && !is_login
}

/// The configuration file that has an entry.
fn file_of(entry: &Entry<'_>, host: &Host) -> Option<PathBuf> {
    let of_uv = |path: &PathBuf| {
        let settings = uv_config::of_file(path).unwrap_or_default();
        let text = config_file::text(&settings, "", Refresh::WhenOld);
        text.lines().any(|line| line.split(" = ").next() == Some(entry.key) && line.contains(entry.written))
    };
    let of_pip = |path: &PathBuf| fs_err::read_to_string(path).is_ok_and(|text| text.contains(&entry.value));
    let found = uv_config::files(host).into_iter().find(of_uv);
    // Of pip's files the later override.
    found.or_else(|| pip_config::files(host).into_iter().rev().find(of_pip))
}

fn in_file(entry: &Entry<'_>, path: PathBuf) -> Setting {
    if entry.key == "url" {
        Setting::Index { address: IndexUrl::new(entry.value.as_str()), path }
    } else {
        Setting::Key { key: entry.key.to_owned(), path }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::Variable { name } => write!(f, "the variable `{name}`"),
            Self::Index { address, path } => write!(f, "the index `{address}` in {}", shown(path)),
            Self::Key { key, path } => write!(f, "`{key}` in {}", shown(path)),
        }
    }
}
