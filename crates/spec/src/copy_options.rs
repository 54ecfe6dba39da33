//! `copy` in `builder_options`: a list of entries, each with what to copy and how.

use std::path::PathBuf;

use crate::node::{Content, Node, Scalar};
use crate::reader::{Reader, nearest};
use crate::wire::outside;
use crate::{CopyOptions, Field, ProblemKind, PyValue, Wanted};

/// What an entry may say.
const KEYS: [&str; 4] = ["source", "destination", "owner", "mode"];

/// The entries of the option, or a problem for each that is wrong.
pub(crate) fn copy_options(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<CopyOptions> {
    let Content::Sequence(items) = &node.content else {
        let kind = ProblemKind::WrongType { wanted: Wanted::Copies, got: node.describe(), written: None };
        reader.problem_at(Field::BuilderOptions, ".copy", node.position, kind);
        return Vec::new();
    };
    let items = items.iter().enumerate();
    items.filter_map(|(index, item)| entry(reader, &format!(".copy[{index}]"), item)).collect()
}

fn entry(reader: &mut Reader<'_, '_>, path: &str, node: &Node) -> Option<CopyOptions> {
    let Content::Mapping(pairs) = &node.content else {
        let kind = ProblemKind::WrongType { wanted: Wanted::Copy, got: node.describe(), written: None };
        reader.problem_at(Field::BuilderOptions, path, node.position, kind);
        return None;
    };
    let mut copy = CopyOptions { source: PathBuf::new(), destination: None, owner: None, mode: None };
    for (key, value) in pairs {
        let name = key.scalar.text.as_str();
        let (parsed, position) = match name {
            "source" => (source(value).map(|source| copy.source = source), value.position),
            "destination" => (destination(value).map(|it| copy.destination = Some(it)), value.position),
            "owner" => (owner(value).map(|owner| copy.owner = Some(owner)), value.position),
            "mode" => (mode(value).map(|mode| copy.mode = Some(mode)), value.position),
            _ => {
                let nearest = nearest(name, KEYS.into_iter());
                (Err(ProblemKind::UnknownOption { name: name.to_owned(), nearest }), key.position)
            }
        };
        if let Err(kind) = parsed {
            reader.problem_at(Field::BuilderOptions, &format!("{path}.{name}"), position, kind);
        }
    }
    if !pairs.iter().any(|(key, _)| key.scalar.text == "source") {
        reader.problem_at(Field::BuilderOptions, path, node.position, ProblemKind::NoCopySource);
    }
    Some(copy)
}

fn text(node: &Node) -> Result<String, ProblemKind> {
    match node.as_str() {
        Some("") => Err(ProblemKind::Empty),
        Some(text) if text.contains('\0') => Err(ProblemKind::Nul),
        Some(text) => Ok(text.to_owned()),
        None => Err(ProblemKind::WrongType { wanted: Wanted::Text, got: node.describe(), written: None }),
    }
}

fn source(node: &Node) -> Result<PathBuf, ProblemKind> {
    let path = text(node)?;
    match outside(&path) {
        Some(why) => Err(ProblemKind::OutsidePath { path, why }),
        None => Ok(PathBuf::from(path)),
    }
}

fn destination(node: &Node) -> Result<String, ProblemKind> {
    let path = text(node)?;
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let why = match parts[..] {
        _ if parts.contains(&"..") => "has a `..` in it",
        [] if path.starts_with('/') => "is the root of the image, whose folders are the base's",
        ["dev" | "proc" | "sys", ..] if path.starts_with('/') => {
            "is covered by a file system of the kernel's when a container runs"
        }
        _ => return Ok(path),
    };
    Err(ProblemKind::CopyDestination { path, why })
}

fn owner(node: &Node) -> Result<String, ProblemKind> {
    let got = || ProblemKind::CopyOwner { got: node.describe() };
    let Content::Scalar(Scalar { text, value: PyValue::Str(_) | PyValue::Int(_) }) = &node.content else {
        return Err(got());
    };
    let is_name = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '\0');
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() <= 2 && parts.into_iter().all(is_name) { Ok(text.clone()) } else { Err(got()) }
}

/// Octal digits. A number counts as it is written, and only with the zero in front that makes it octal for YAML: what
/// `420` and `644` mean without quotes, people and programs do not agree on.
fn mode(node: &Node) -> Result<u32, ProblemKind> {
    let wrong = || ProblemKind::CopyMode { got: node.describe() };
    let digits = match &node.content {
        Content::Scalar(Scalar { text, value: PyValue::Str(_) }) => text.strip_prefix("0o").unwrap_or(text),
        Content::Scalar(Scalar { text, value: PyValue::Int(_) }) if text.starts_with('0') => text,
        _ => return Err(wrong()),
    };
    let is_octal = digits.len() >= 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(wrong)
}
