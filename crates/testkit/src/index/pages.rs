//! The page of a project: JSON for who asks for it, else HTML.

use std::fmt::Write as _;

use imagewright_oci::Digest;
use serde_json::json;

use super::{IndexFile, State};

/// The JSON of PEP 691, with the sizes of PEP 700.
pub(super) const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// The HTML of PEP 503.
pub(super) const HTML: &str = "text/html";

/// The files of a project, by name.
pub(super) fn files_of<'a>(state: &'a State, project: &str) -> Vec<(&'a str, &'a IndexFile)> {
    let of_project = |name: &str| {
        let written = name.split('-').next().unwrap_or_default();
        written.replace(['_', '.'], "-").eq_ignore_ascii_case(project)
    };
    state
        .files
        .iter()
        .map(|(name, file)| (name.as_str(), file))
        .filter(|(name, _)| of_project(name))
        .collect()
}

pub(super) fn json_page(project: &str, files: &[(&str, &IndexFile)]) -> String {
    let entry = |(name, file): &(&str, &IndexFile)| {
        let metadata = file.metadata.as_ref().map(|text| json!({"sha256": hash_of(text)}));
        let hashes = file.sha256.map_or(json!({}), |sha256| json!({"sha256": sha256.hex()}));
        json!({
            "filename": name,
            "url": format!("/files/{name}"),
            "size": file.bytes.len(),
            "hashes": hashes,
            "requires-python": file.requires_python,
            "core-metadata": metadata.unwrap_or(json!(false)),
            "yanked": false,
        })
    };
    let files: Vec<_> = files.iter().map(entry).collect();
    json!({"meta": {"api-version": "1.1"}, "name": project, "files": files}).to_string()
}

pub(super) fn html_page(files: &[(&str, &IndexFile)]) -> String {
    let mut page = "<!DOCTYPE html><html><body>\n".to_owned();
    for (name, file) in files {
        let hash = file.sha256.map(|sha256| format!("#sha256={}", sha256.hex())).unwrap_or_default();
        let metadata =
            file.metadata.as_ref().map(|text| format!(" data-core-metadata=\"sha256={}\"", hash_of(text)));
        let python = file.requires_python.as_ref().map(|text| {
            format!(" data-requires-python=\"{}\"", text.replace('<', "&lt;").replace('>', "&gt;"))
        });
        let attributes = metadata.unwrap_or_default() + &python.unwrap_or_default();
        writeln!(page, "<a href=\"/files/{name}{hash}\"{attributes}>{name}</a>")
            .expect("a string takes everything");
    }
    page + "</body></html>"
}

fn hash_of(text: &str) -> String {
    Digest::of(text.as_bytes()).hex()
}
