//! Readers of the event stream: bars and lines for people, JSON for programs.

mod bars;

use std::io::{IsTerminal as _, Write as _};

use imagewright_build::{Event, LayerSource, PushOutcome, Reporter, Stage};

use crate::arguments::ProgressStyle;

/// A reader of events in the style that was asked for.
pub(crate) fn reporter(style: ProgressStyle) -> Reporter {
    match style {
        ProgressStyle::Json => Reporter::new(|event| {
            let line = serde_json::to_string(&event).expect("an event serialises");
            say(&line);
        }),
        ProgressStyle::None => Reporter::new(|event| {
            if let Event::Warning { .. } = &event {
                say(&line(&event).unwrap_or_default());
            }
        }),
        ProgressStyle::Tty => bars::reporter(),
        ProgressStyle::Auto if std::io::stderr().is_terminal() => bars::reporter(),
        ProgressStyle::Auto | ProgressStyle::Plain => Reporter::new(|event| {
            // A layer that is being made has a line when it is.
            let is_passing = matches!(&event, Event::Started { stage: Stage::Produce, .. });
            if let Some(line) = line(&event).filter(|_| !is_passing) {
                say(&line);
            }
        }),
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
