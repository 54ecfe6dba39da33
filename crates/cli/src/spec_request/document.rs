//! Requests as JSON: an object with the key `spec`, or an array of such objects and of specs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imagewright_pypa::PythonVersion;
use imagewright_spec::{ParseOptions, parse_json};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{STDIN, SpecRequest};
use crate::failure::Failure;

/// Why requests cannot be read.
#[derive(Debug, Error)]
pub(crate) enum RequestError {
    /// The text is no JSON, or none that a request is.
    #[error("{of}standard input is no request: {source}")]
    Malformed {
        /// Which of several, with a colon.
        of: String,
        source: serde_json::Error,
    },
    /// An array without anything in it.
    #[error("standard input has no spec: the array is empty")]
    Empty,
    /// Several, where one spec is wanted.
    #[error("this command takes one spec, and these are {}: {}", titles.len(), titles.join(", "))]
    Several { titles: Vec<String> },
}

impl RequestError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let keys = "a request has `spec`, and may have `with`, `client`, `python`, `id`, `loaded_modules`, `force` and \
                    `push`; docs/python.md describes it";
        match self {
            Self::Malformed { .. } => Some(keys.to_owned()),
            Self::Empty => None,
            Self::Several { .. } => Some("give it the specs one by one".to_owned()),
        }
    }
}

/// A request as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    spec: &'a RawValue,
    #[serde(default)]
    with: Vec<String>,
    client: Option<PathBuf>,
    #[serde(default, deserialize_with = "python")]
    python: Option<PythonVersion>,
    id: Option<String>,
    loaded_modules: Option<Vec<PathBuf>>,
    #[serde(default)]
    force: bool,
    push: Option<bool>,
}

/// Whether a text is an array, or an object with a spec in it; all else is a spec, or wrong as one.
pub(super) fn has_requests(text: &str) -> bool {
    let text = trimmed(text);
    text.starts_with('[') || is_request(text)
}

/// The requests in a text that has some.
pub(super) fn requests(text: &str, options: &ParseOptions) -> Result<Vec<SpecRequest>, Failure> {
    let text = trimmed(text);
    if !text.starts_with('[') {
        return Ok(vec![request(text, None, options)?]);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|source| RequestError::Malformed { of: String::new(), source })?;
    if items.is_empty() {
        return Err(RequestError::Empty.into());
    }
    let items = items.into_iter().zip(1..).map(|(item, number)| {
        let text = in_its_place(text, item);
        if is_request(&text) {
            request(&text, Some(&place(number)), options)
        } else {
            let place = place(number);
            let spec = parse_json(&text, options).map_err(|error| error.in_file(&place))?;
            let title = place.display().to_string();
            Ok(SpecRequest { title, ..SpecRequest::of(Path::new(STDIN), spec) })
        }
    });
    items.collect()
}

/// One request, of standard input or of `place`.
pub(super) fn request(
    text: &str,
    place: Option<&Path>,
    options: &ParseOptions,
) -> Result<SpecRequest, Failure> {
    let of = || place.map(|place| format!("{}: ", place.display())).unwrap_or_default();
    let wire: Wire<'_> =
        serde_json::from_str(text).map_err(|source| RequestError::Malformed { of: of(), source })?;
    let spec = parse_json(&in_its_place(text, wire.spec), options);
    let spec = spec.map_err(|error| match place {
        Some(place) => error.in_file(place),
        None => error,
    })?;
    let spec = match wire.loaded_modules {
        Some(modules) => spec.with_loaded_modules(modules),
        None => spec,
    };
    let Wire { with, client, python, id, force, push, .. } = wire;
    let file = PathBuf::from(STDIN);
    let title = place.unwrap_or(&file).display().to_string();
    Ok(SpecRequest { title, file, spec, with, client, python, id, force, push })
}

/// What messages call the `number`th of several.
fn place(number: usize) -> PathBuf {
    format!("request {number}").into()
}

fn is_request(text: &str) -> bool {
    let entries: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(text);
    entries.is_ok_and(|entries| entries.contains_key("spec"))
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim_start()
}

/// The text of a value, behind as many blanks and lines as are before it, so that messages have its place.
fn in_its_place(text: &str, value: &RawValue) -> String {
    let before = (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let blank = text[..before].chars().map(|character| if character == '\n' { '\n' } else { ' ' });
    blank.chain(value.get().chars()).collect()
}

fn python<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PythonVersion>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<SpecRequest>, String> {
        requests(text, &ParseOptions::default()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn has_all_that_is_said_of_a_spec() {
        let text = r#"{
            "spec": {"name": "app", "packages": ["numpy"], "source_root": ".", "source_copy_mode": "LOADED_MODULES"},
            "with": ["flytekit==1.16.31"], "client": "/w/client-1-py3-none-any.whl", "python": "3.11", "id": "abc",
            "loaded_modules": ["/src/a.py"], "force": true, "push": false
        }"#;
        assert!(has_requests(text), "{text}");
        let requests = read(text).unwrap();
        let [request] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!(request.spec.packages, ["numpy"]);
        assert_eq!(request.spec.loaded_modules.as_deref(), Some(&["/src/a.py".into()][..]));
        assert_eq!(request.with, ["flytekit==1.16.31"]);
        assert_eq!(request.client.as_deref(), Some(std::path::Path::new("/w/client-1-py3-none-any.whl")));
        assert_eq!(request.python.map(|python| python.to_string()).as_deref(), Some("3.11"));
        assert_eq!((request.id.as_deref(), request.force, request.push), (Some("abc"), true, Some(false)));
    }

    #[test]
    fn an_array_has_requests_and_specs() {
        let requests = read(r#" [{"name": "a"}, {"spec": {"name": "b"}, "with": ["six"]}]"#).unwrap();
        let names: Vec<(&str, usize)> =
            requests.iter().map(|request| (request.spec.name.as_str(), request.with.len())).collect();
        assert_eq!(names, [("a", 0), ("b", 1)]);
    }

    #[test]
    fn a_spec_alone_is_no_request() {
        for text in ["", "{}", r#"{"name": "spec"}"#, "name: spec", "{spec: 1}", r#"{"spec": "#] {
            assert!(!has_requests(text), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let cases = [
            "[]",
            r#"{"spec": {}, "wiht": []}"#,
            r#"[{}, {"spec": {}, "with": "six"}]"#,
            r#"{"spec": {}, "python": "three"}"#,
            "[{},\n {\"spec\":\n  {\"nam\": \"x\"}}]",
            "[{}",
        ];
        let said: Vec<String> = cases.iter().map(|text| read(text).unwrap_err()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        standard input has no spec: the array is empty
        standard input is no request: unknown field `wiht`, expected one of `spec`, `with`, `client`, `python`, `id`, `loaded_modules`, `force`, `push` at line 1 column 19
        request 2: standard input is no request: invalid type: string "six", expected a sequence at line 1 column 31
        standard input is no request: `three` is not a Python version of the form 3.11 or 3.11.4 at line 1 column 31
        request 2: nam (line 3, column 11): ImageSpec has no such field
        standard input is no request: EOF while parsing a list at line 1 column 3
        "#);
    }
}
