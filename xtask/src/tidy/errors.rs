//! Error variants that carry one bare string.

use super::File;
use crate::source::end_of_body;

const BARE: [&str; 2] = ["(String)", "(Box<str>)"];

/// Names every variant of an error enum whose whole payload is a string.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let sources = files.iter().filter_map(|file| Some((file, file.code.as_ref()?)));
    sources
        .flat_map(|(file, code)| bare(code).into_iter().map(move |name| (file, name)))
        .map(|(file, name)| format!("{}: {name} carries one bare string", file.path.display()))
        .collect()
}

fn bare(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("enum ") {
        let name: String = code[at + 5..].chars().take_while(char::is_ascii_alphanumeric).collect();
        let Some(end) = end_of_body(code, at) else { continue };
        if !name.ends_with("Error") && !is_derived(&code[..at]) {
            continue;
        }
        for variant in code[at..end].lines().map(|line| line.trim().trim_end_matches(',')) {
            if BARE.iter().any(|payload| variant.ends_with(payload) && !variant.contains("fn ")) {
                found.push(format!("{name}::{variant}"));
            }
        }
    }
    found
}

/// Whether the attributes that end this text derive `Error`.
fn is_derived(before: &str) -> bool {
    let attributes = before.rsplit(['}', ';']).next().unwrap_or_default();
    attributes.match_indices("derive(").any(|(at, _)| {
        let list = attributes[at + 7..].split(')').next().unwrap_or_default();
        list.split(',').any(|item| matches!(item.trim(), "Error" | "thiserror::Error"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_error_variants_with_one_string_are_named() {
        let code = "#[derive(Debug, Error)]\npub enum Failure {\n  Bare(String),\n  Good { what: String },\n}\n\
                    pub enum Text {\n  Plain(String),\n}\npub enum ReadError {\n  Io(std::io::Error),\n  Other(Box<str>),\n}";
        assert_eq!(bare(code), ["Failure::Bare(String)", "ReadError::Other(Box<str>)"]);
    }
}
