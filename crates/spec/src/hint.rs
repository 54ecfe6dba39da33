//! What to do about a problem: kept apart from what the problem is.

use crate::{ProblemKind, Wanted};

impl ProblemKind {
    pub(crate) fn hint(&self, path: &str) -> Option<String> {
        let field = path.rsplit('.').next().unwrap_or(path);
        let field = field.split('[').next().unwrap_or(field);
        let fixed = |text: &str| Some(text.to_owned());
        match self {
            Self::UnknownField { nearest, .. }
            | Self::UnknownOption { nearest, .. }
            | Self::NoLayer { nearest, .. } => {
                nearest.map(|nearest| format!("did you mean `{nearest}`?")).or_else(|| options_of(path))
            }
            Self::Builder { nearest, .. } => Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "leave `builder` out, or write `native`".to_owned(),
            }),
            Self::WrongType { wanted, written, .. } => type_hint(field, *wanted, written.as_deref()),
            Self::Empty => (!path.ends_with(']')).then(|| format!("leave `{field}` out to have its default")),
            Self::Name { .. } => {
                fixed("a name is of a-z and 0-9, joined by `.`, `_`, `-` or `/`, such as `team/training`")
            }
            Self::Registry { registry, .. } => Some(registry_hint(registry)),
            Self::BaseImage { .. } => fixed("write it as for `docker pull`, such as `debian:bookworm-slim`"),
            Self::Platform { .. } => {
                fixed("write `linux/amd64`, `linux/arm64`, or both with a comma between them")
            }
            Self::ImpossiblePlatform { platform, .. } if platform.starts_with("linux/") => {
                fixed("write `linux/amd64` or `linux/arm64`")
            }
            Self::ImpossiblePlatform { .. } => fixed(
                "on a Mac or on Windows, containers run in a Linux machine: `linux/arm64` or `linux/amd64`",
            ),
            Self::RepeatedPlatform { .. } => fixed("name each platform once"),
            Self::PythonVersion { .. } => fixed("write `3.12`, or `3.12.4` for one patch release"),
            Self::OldPython { text, .. } if text == "3.1" => {
                fixed("if this was 3.10, put it in quotes: `python_version: \"3.10\"`")
            }
            Self::OldPython { .. } | Self::Nul | Self::Other { .. } => None,
            Self::BesideLayers => fixed("make a layer of it"),
            Self::EnvironmentName { .. } => {
                fixed("a name is of letters, digits and `_`, and does not start with a digit")
            }
            Self::OutsidePath { .. } => {
                fixed("write it relative to the working directory, or start imagewright further up")
            }
            Self::SourceCopyMode { .. } => fixed("write `ALL`, `LOADED_MODULES` or `NO_COPY`"),
            Self::NoSourceRoot => fixed("add `source_root: .`, or set `source_copy_mode: NO_COPY`"),
            Self::NoProject => fixed("name the project's folder in `packages`, as in `packages: [.]`"),
            Self::NoCopySource => fixed("add `source:` with a path below the working directory"),
            Self::CopyDestination { .. } => fixed(
                "write a path of the image, such as `/opt/app/settings.toml`, or leave it out for `/root`",
            ),
            Self::CopyOwner { .. } => {
                fixed("write a user, such as `root`, or numbers, such as \"1000:1000\"")
            }
            Self::CopyMode { .. } => fixed("put it in quotes, such as \"0644\" or \"0750\""),
            Self::SecretTarget { .. } => {
                fixed("write a path of the image, such as `/root/.netrc`, or `env:NAME` for a variable")
            }
            Self::Conflict { reason, .. } => fixed(reason),
        }
    }
}

/// The options that there are.
fn options_of(path: &str) -> Option<String> {
    let options = if path.contains("builder_config.") {
        "`uv_image` and `micromamba_image`"
    } else if path.contains("builder_options.copy[") {
        "`source`, `destination`, `owner` and `mode`"
    } else if path.contains("builder_options.") {
        "`bytecode`, `commands`, `copy`, `install_project`, `layout`, `user` and `working_directory`"
    } else {
        return None;
    };
    Some(format!("there are {options}"))
}

fn type_hint(field: &str, wanted: Wanted, written: Option<&str>) -> Option<String> {
    match (wanted, written) {
        (Wanted::Text, Some(text)) => Some(format!("put it in quotes: \"{text}\"")),
        (Wanted::Texts, Some(text)) => {
            Some(format!("write it as a list: `{field}: [{}]`", items(field, text)))
        }
        (Wanted::Mapping, _) if field == "env" => {
            Some("write `env:` and below it, indented, `NAME: value`".to_owned())
        }
        (Wanted::Pairs, _) => Some(format!("write `{field}: [[\".netrc\", \"/root/.netrc\"]]`")),
        (Wanted::Copies, _) => Some("write `copy: [{source: data, destination: /opt/data}]`".to_owned()),
        (Wanted::Truth, _) => Some(format!("write `{field}: true` or `{field}: false`")),
        _ => None,
    }
}

/// A text as the items of a list: each word of it, when all look like names of packages.
fn items(field: &str, text: &str) -> String {
    let is_name = |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if field.ends_with("packages") && words.iter().all(is_name) {
        words.join(", ")
    } else if field == "entrypoint" {
        command(text)
    } else {
        format!("\"{text}\"")
    }
}

/// The words of a command as the items of a list; what only a shell can read is left to one.
fn command(text: &str) -> String {
    let words: Vec<&str> = if text.contains(['"', '\'', '\\', '$', '|', '&', ';', '<', '>', '*']) {
        vec!["sh", "-c", text]
    } else {
        text.split_whitespace().collect()
    };
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

fn registry_hint(registry: &str) -> String {
    let without_scheme = registry.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
    match without_scheme {
        Some(rest) => format!("leave the scheme out: `{rest}`"),
        None => "write `localhost:30000`, `ghcr.io/username` or `docker.io/username`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_hinted_at_so_that_it_can_run() {
        assert_eq!(items("entrypoint", "python -m foo"), r#""python", "-m", "foo""#);
        assert_eq!(items("entrypoint", r#"echo "a b""#), r#""sh", "-c", "echo \"a b\"""#);
        assert_eq!(items("commands", "touch /x"), r#""touch /x""#);
    }
}
