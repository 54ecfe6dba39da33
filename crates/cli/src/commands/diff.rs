use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use imagewright_build::{ImageContents, LayerListings, Reporter};
use serde::Serialize;

use super::print;
use crate::environment::Environment;
use crate::failure::{Failure, NO};
use crate::progress::bytes;
use crate::subject::{Subject, SubjectArguments};
use crate::{interrupt, session};

/// Say how two images differ: packages, environment, user, working directory, entry point, labels; and their sizes.
///
/// Files are compared with `--files`. The exit code is 0 if they are equal but for their sizes, and 1 if they differ.
/// Builds nothing.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// A spec, or the name of an image, as in `inspect`.
    #[arg(value_name = "SPEC|IMAGE")]
    left: String,
    /// Another one.
    #[arg(value_name = "SPEC|IMAGE")]
    right: String,
    /// Compare the files too: permissions, owners, contents. That reads all layers.
    #[arg(long)]
    files: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What differs, and by how much.
#[derive(Debug, Serialize)]
struct Difference {
    equal: bool,
    /// By what it is about: `python`, `debian`, `environment`, `start`, `labels`, `files`.
    changes: BTreeMap<&'static str, Vec<Change>>,
    left: Side,
    right: Side,
}

/// One name that the images do not have alike.
#[derive(Debug, Serialize)]
struct Change {
    name: String,
    left: Option<String>,
    right: Option<String>,
}

#[derive(Debug, Serialize)]
struct Side {
    image: String,
    size: u64,
    layers: usize,
}

pub(crate) fn run(environment: &Environment, arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    let mut listings = arguments.files.then(LayerListings::default);
    let left = contents(environment, &arguments.left, listings.as_mut())?;
    let right = contents(environment, &arguments.right, listings.as_mut())?;
    let side = |name: &str, Compared { contents, .. }: &Compared| Side {
        image: name.to_owned(),
        size: contents.size,
        layers: contents.layers,
    };
    let changes = changes(&left, &right);
    let difference = Difference {
        equal: changes.is_empty(),
        changes,
        left: side(&arguments.left, &left),
        right: side(&arguments.right, &right),
    };
    if arguments.json {
        print(serde_json::to_string(&difference).expect("a difference serialises"))?;
    } else {
        print(text(&difference).trim_end())?;
    }
    Ok(if difference.equal { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

/// What of an image is compared.
#[derive(Debug)]
struct Compared {
    contents: ImageContents,
    /// In words, by path; empty unless they are compared.
    files: BTreeMap<String, String>,
}

fn contents(
    environment: &Environment,
    image: &str,
    listings: Option<&mut LayerListings>,
) -> Result<Compared, Failure> {
    let subject = SubjectArguments::of(image).subject(environment)?;
    let machine = session::machine_with(environment, subject.spec(), Reporter::silent())?;
    let image = match subject {
        Subject::Spec { asked } => {
            let title = asked.title.clone();
            let request = session::request(environment, *asked, None)?;
            // No image is not the same as a different one, as for diff(1).
            interrupt::run_with(&machine.store, machine.find_built(&request))?.ok_or_else(|| {
                Failure::Arguments {
                    message: format!("the image of {title} is not there"),
                    hint: Some("make it with `imagewright build`".to_owned()),
                }
            })?
        }
        Subject::Image { reference, platform, .. } => {
            interrupt::run_with(&machine.store, machine.find(&reference, &platform))?
        }
    };
    let contents = interrupt::run_with(&machine.store, machine.contents(&image))?;
    let files = match listings {
        Some(listings) => interrupt::run_with(&machine.store, machine.files(&image, listings))?,
        None => BTreeMap::new(),
    };
    Ok(Compared { contents, files })
}

fn changes(left: &Compared, right: &Compared) -> BTreeMap<&'static str, Vec<Change>> {
    let files = ("files", &left.files, &right.files);
    let (left, right) = (&left.contents, &right.contents);
    let parts = [
        ("python", &left.python, &right.python),
        ("debian", &left.debian, &right.debian),
        ("environment", &left.environment, &right.environment),
        ("start", &left.start, &right.start),
        ("labels", &left.labels, &right.labels),
        files,
    ];
    let parts = parts.into_iter().map(|(name, left, right)| (name, between(left, right)));
    parts.filter(|(_, changes)| !changes.is_empty()).collect()
}

fn between(left: &BTreeMap<String, String>, right: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let different = names.into_iter().filter(|name| left.get(*name) != right.get(*name));
    different
        .map(|name| Change {
            name: name.clone(),
            left: left.get(name).cloned(),
            right: right.get(name).cloned(),
        })
        .collect()
}

/// As diff(1) marks lines: what the first image has with a `-`, what the second has with a `+`.
fn text(difference: &Difference) -> String {
    let Difference { changes, left, right, .. } = difference;
    let mut text = String::new();
    for (mark, Side { image, size, layers }) in [("---", left), ("+++", right)] {
        writeln!(text, "{mark} {image} ({} in {layers} layers)", bytes(*size))
            .expect("a String takes every write");
    }
    for (part, changes) in changes {
        writeln!(text, "{part}").expect("a String takes every write");
        for Change { name, left, right } in changes {
            for (mark, value) in [("-", left), ("+", right)] {
                if let Some(value) = value {
                    writeln!(text, "{mark} {name} {value}").expect("a String takes every write");
                }
            }
        }
    }
    text
}
