//! Readers of the event stream: bars and lines for people, JSON for programs.

mod bars;

use std::io::{IsTerminal as _, Write as _};

use imagewright_build::{Event, LayerSource, PushOutcome, Reporter, Stage};
use serde::Serialize;

use crate::arguments::ProgressStyle;

/// A reader of events in the style that was asked for.
pub(crate) fn reporter(style: ProgressStyle) -> Reporter {
    match style {
        ProgressStyle::Json => Reporter::of_several(|about, event| {
            let line = serde_json::to_string(&Line { about, event }).expect("an event serialises");
            say(&line);
        }),
        ProgressStyle::None => Reporter::of_several(|about, event| {
            if let Event::Warning { .. } = &event {
                say(&about_image(about, line(&event).unwrap_or_default()));
            }
        }),
        ProgressStyle::Tty => bars::reporter(),
        ProgressStyle::Auto if std::io::stderr().is_terminal() => bars::reporter(),
        ProgressStyle::Auto | ProgressStyle::Plain => Reporter::of_several(|about, event| {
            // A layer that is being made has a line when it is.
            let is_passing = matches!(&event, Event::Started { stage: Stage::Produce, .. });
            if let Some(line) = line(&event).filter(|_| !is_passing) {
                say(&about_image(about, line));
            }
        }),
    }
}

/// An event as JSON.
#[derive(Serialize)]
struct Line<'a> {
    /// The image that it is about, when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    #[serde(flatten)]
    event: Event,
}

/// Lines with the image before them that they are about, when there are several.
pub(crate) fn about_image(about: Option<&str>, lines: String) -> String {
    match about {
        Some(image) => lines.lines().map(|line| format!("[{image}] {line}")).collect::<Vec<_>>().join("\n"),
        None => lines,
    }
}

/// Writes a line to stderr.
pub(crate) fn say(line: &str) {
    // A closed stderr is nothing that could be told to anyone.
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn line(event: &Event) -> Option<String> {
    match event {
        Event::Started { stage, subject } => Some(format!("{} {subject}", verb(*stage))),
        Event::Layer { title, size, source, .. } => {
            let source = match source {
                LayerSource::Cached => "cached",
                LayerSource::Produced => "made",
                LayerSource::Base => "base",
                LayerSource::Mounted => "mounted",
            };
            Some(format!("{source:>9} {title} ({})", bytes(*size)))
        }
        Event::Pushed { subject, outcome, .. } => Some(match outcome {
            PushOutcome::Present => format!("  present {subject}"),
            PushOutcome::Mounted { from } => format!("  mounted {subject} from {from}"),
            PushOutcome::Uploaded { bytes: sent } => format!(" uploaded {subject} ({})", bytes(*sent)),
        }),
        Event::Warning { message, hint } => Some(match hint {
            Some(hint) => format!("warning: {message}\n   hint: {hint}"),
            None => format!("warning: {message}"),
        }),
        Event::Log { line, .. } => Some(format!("        | {line}")),
        Event::Done { image, digest } => Some(format!("     done {image} {digest}")),
        Event::Progress { .. } | Event::Ended { .. } => None,
    }
}

fn verb(stage: Stage) -> &'static str {
    match stage {
        Stage::Check => " checking",
        Stage::Lock => "   locked by",
        Stage::Base => "  reading",
        Stage::Install | Stage::Index => " fetching",
        Stage::Resolve => "resolving",
        Stage::Download => "  getting",
        Stage::Produce => "   making",
        Stage::Docker | Stage::Build => " building",
        Stage::Unpack => "unpacking",
        Stage::Push => "  pushing",
        Stage::Output => "  writing",
    }
}

/// `12.3 MB`, in powers of ten as registries and package indexes count.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", count / unit, count % unit * 10 / unit),
        None => format!("{count} B"),
    }
}
