//! What Python answers: images, or why there are none.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Cause, DiscoveryError};
use super::place;

/// How many tasks are told for one image.
const MOST_USERS: usize = 4;

/// An image that a Python file has.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// `file.py:name`, and the tasks that need it.
    pub(crate) title: String,
    /// What stands for the file of the spec.
    pub(crate) place: PathBuf,
    /// The request, as JSON.
    pub(crate) request: String,
    /// What tells it from others.
    pub(super) identity: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer<'a> {
    #[serde(borrow)]
    Images(Vec<Image<'a>>),
    Error(Refusal),
}

#[derive(Deserialize)]
struct Image<'a> {
    file: PathBuf,
    name: String,
    #[serde(rename = "for")]
    users: Vec<String>,
    #[serde(borrow)]
    request: &'a RawValue,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

pub(super) fn parse(program: &Path, file: &Path, line: &[u8]) -> Result<Vec<Found>, DiscoveryError> {
    let answer = serde_json::from_slice(line)
        .map_err(|source| DiscoveryError::Answer { program: program.to_owned(), source })?;
    match answer {
        Answer::Images(images) => Ok(images.into_iter().map(|image| found(file, image)).collect()),
        Answer::Error(Refusal { message, causes, hint }) => {
            Err(DiscoveryError::Refused { message, source: Cause::chain(causes), hint })
        }
    }
}

fn found(file: &Path, image: Image<'_>) -> Found {
    let Image { name, users, request, .. } = image;
    // Of one file that was asked for, the name is as it was written.
    let file = if file.is_file() { file } else { &image.file };
    Found {
        title: format!("{}:{name}{}", file.display(), shown(&users)),
        place: place(file, &name),
        identity: identity(request),
        request: request.get().to_owned(),
    }
}

/// Its spec and id. The folder with its source may be a copy that only this answer has; the id depends on what is in it.
fn identity(request: &RawValue) -> serde_json::Value {
    let mut request: serde_json::Value = serde_json::from_str(request.get()).expect("it was parsed before");
    if let Some(spec) = request["spec"].as_object_mut() {
        spec.remove("source_root");
    }
    serde_json::json!([request["spec"], request["id"]])
}

/// The first few tasks, without their modules, and how many there are besides.
fn shown(users: &[String]) -> String {
    let short = users.iter().map(|user| user.rsplit('.').next().unwrap_or(user));
    let first = short.take(MOST_USERS).collect::<Vec<_>>().join(", ");
    match users.len().saturating_sub(MOST_USERS) {
        _ if users.is_empty() => String::new(),
        0 => format!(" ({first})"),
        more => format!(" ({first} and {more} more)"),
    }
}
