use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use imagewright_build::{InspectedLayer, Inspection, Reporter};

use super::print;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::progress::bytes;
use crate::subject::{Subject, SubjectArguments};
use crate::{interrupt, session};

/// Say what is in an image and what it was made from, without reading its layers.
///
/// Builds nothing: the exit code is 1 if the image of a spec is not there.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(environment: &Environment, arguments: &InspectArguments) -> Result<ExitCode, Failure> {
    let subject = arguments.subject.subject(environment)?;
    let machine = session::machine_with(environment, subject.spec(), Reporter::silent())?;
    let (name, image) = match subject {
        Subject::Spec { asked } => {
            let title = asked.title.clone();
            let name = asked.spec.image_name_text(&environment.directory)?;
            let request = session::request(environment, *asked, None)?;
            let image =
                interrupt::run_with(&machine.store, machine.find_built(&request))?.ok_or_else(|| {
                    Failure::No {
                        message: format!("the image of {title} is not there"),
                        hint: Some("make it with `imagewright build`".to_owned()),
                    }
                })?;
            (name, image)
        }
        Subject::Image { name, reference, platform } => {
            (name, interrupt::run_with(&machine.store, machine.find(&reference, &platform))?)
        }
    };
    let inspection = Inspection::of(&image, name)?;
    if arguments.json {
        print(serde_json::to_string(&inspection).expect("an inspection serialises"))?;
    } else {
        print(text(&inspection).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(inspection: &Inspection) -> String {
    let mut text = format!("{}\n", inspection.image);
    let size = format!("{} in {} layers", bytes(inspection.size), inspection.layers.len());
    if let Some(index) = &inspection.index {
        line(&mut text, "index", &index.digest.to_string());
        for part in &index.images {
            line(&mut text, "", &format!("{} {}", part.digest, part.platform));
        }
    }
    for (name, value) in [("digest", inspection.digest.to_string()), ("size", size)] {
        line(&mut text, name, &value);
    }
    line(&mut text, "platform", &inspection.platform.to_string());
    line(&mut text, "created", inspection.created.as_deref().unwrap_or_default());
    if let Some(base) = &inspection.base {
        let digest = base.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        line(&mut text, "base", &format!("{}{digest}", base.name));
    }
    if let Some(provenance) = &inspection.provenance {
        line(&mut text, "declared", &provenance.declared.to_string());
        line(&mut text, "lock", &provenance.lock.map(|lock| lock.whole.to_string()).unwrap_or_default());
    }
    let config = &inspection.config;
    line(&mut text, "user", &config.user);
    line(&mut text, "workdir", &config.working_dir);
    line(&mut text, "entrypoint", &words(&config.entrypoint));
    line(&mut text, "command", &words(&config.cmd));
    for variable in &config.env {
        line(&mut text, "env", variable);
    }
    text.push_str("\nlayers, lowest first\n");
    for layer in &inspection.layers {
        text.push_str(&layer_text(layer));
    }
    text
}

/// A line with a name and a value; none without a value.
fn line(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        writeln!(text, "  {name:<10} {value}").expect("a string takes what is written");
    }
}

fn words(words: &[String]) -> String {
    if words.is_empty() { String::new() } else { serde_json::to_string(words).expect("texts serialise") }
}

fn layer_text(layer: &InspectedLayer) -> String {
    let size = bytes(layer.size);
    let digest: String = layer.digest.hex().chars().take(12).collect();
    let title = layer.title.as_deref().unwrap_or("(nothing is said of it)");
    let mut text = format!("  {size:>9}  {digest}  {}\n", shortened(title));
    // A title that names the only package says it all.
    if layer.packages.len() > 1 || layer.packages.first().is_some_and(|package| package != title) {
        for line in lines(&layer.packages, 80) {
            writeln!(text, "{:27}{line}", "").expect("a string takes what is written");
        }
    }
    text
}

/// The items joined by commas, in lines of about `width` characters.
fn lines(items: &[String], width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (number, item) in items.iter().enumerate() {
        let separator = if number + 1 < items.len() { "," } else { "" };
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = format!("{item}{separator}"),
            Some(line) if line.len() + item.len() < width => {
                write!(line, " {item}{separator}").expect("a string takes what is written");
            }
            _ => lines.push(format!("{item}{separator}")),
        }
    }
    lines
}

/// A Dockerfile's instruction may have many lines; the beginning of the first ones tells it from others.
fn shortened(title: &str) -> String {
    const MOST: usize = 100;
    let words = title.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= MOST {
        return words;
    }
    words.chars().take(MOST - 1).chain(['…']).collect()
}
