use std::sync::Arc;

use imagewright_oci::Digest;
use imagewright_plan::LayerKind;
use serde::Serialize;

/// What happens while an image is made (design D13): bars, lines, JSON and Python are readers of this.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A part of the work begins.
    Started {
        /// Which.
        stage: Stage,
        /// On what.
        subject: String,
    },
    /// A part of the work is done; told of those only that other work goes on after, as part of something else.
    Ended {
        /// Which.
        stage: Stage,
        /// On what.
        subject: String,
    },
    /// Some bytes of a task were handled.
    Progress {
        /// Names the task: the wheel or the layer.
        subject: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, when that is known.
        total: Option<u64>,
    },
    /// A layer is here, and where it came from; whether the registry has it is told by what is pushed.
    Layer {
        /// What it holds.
        title: String,
        /// What it is for.
        kind: LayerKind,
        /// Its digest.
        digest: Digest,
        /// Compressed bytes.
        size: u64,
        /// Whether it was made now.
        source: LayerSource,
    },
    /// A blob is in the registry.
    Pushed {
        /// What it is, for people.
        subject: String,
        /// Its digest.
        digest: Digest,
        /// How it came there.
        outcome: PushOutcome,
    },
    /// A command of the spec has written a line.
    Log {
        /// The layer that it makes.
        subject: String,
        /// The line, without its end.
        line: String,
    },
    /// Something the user should know.
    Warning {
        /// What.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The image is there.
    Done {
        /// Its name.
        image: String,
        /// The digest of its manifest.
        digest: Digest,
    },
}

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The registry is asked whether the image exists.
    Check,
    /// A lock that covers the spec is taken as it is.
    Lock,
    /// The base image is read.
    Base,
    /// A program that imagewright needs is installed for it.
    Install,
    /// What there is to choose from is fetched.
    Index,
    /// Packages are resolved.
    Resolve,
    /// A project without a wheel is built in the sandbox.
    Build,
    /// An artifact is downloaded.
    Download,
    /// A layer is made.
    Produce,
    /// Docker builds the image.
    Docker,
    /// A layer becomes a directory.
    Unpack,
    /// Manifest and tag are sent: all that they refer to is there.
    Push,
    /// The image is written to a sink.
    Output,
}

/// Where a layer of an image came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerSource {
    /// The store knew it.
    Cached,
    /// It was made now.
    Produced,
    /// It is the base's.
    Base,
    /// The registry took it from another repository.
    Mounted,
}

/// How a blob came into the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum PushOutcome {
    /// It was there.
    Present,
    /// The registry took it from another repository.
    Mounted {
        /// Which.
        from: String,
    },
    /// Its bytes were sent.
    Uploaded {
        /// How many.
        bytes: u64,
    },
}

/// Takes events; cheap to clone, called from any thread.
#[derive(Clone)]
pub struct Reporter {
    reader: Arc<Reader>,
    about: Option<Arc<str>>,
}

/// Is given what an event is about, when several images are made, and the event.
type Reader = dyn Fn(Option<&str>, Event) + Send + Sync;

impl Reporter {
    /// A reporter that gives each event to `reader`, whatever image it is about.
    pub fn new(reader: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self::of_several(move |_, event| reader(event))
    }

    /// A reporter that gives each event to `reader`, with the image that it is about if there are several.
    pub fn of_several(reader: impl Fn(Option<&str>, Event) + Send + Sync + 'static) -> Self {
        Self { reader: Arc::new(reader), about: None }
    }

    /// The same reporter for events about one of several images.
    #[must_use]
    pub fn about(&self, image: &str) -> Self {
        Self { reader: Arc::clone(&self.reader), about: Some(image.into()) }
    }

    /// A reporter that nobody listens to.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Reports `event`.
    pub fn report(&self, event: Event) {
        (self.reader)(self.about.as_deref(), event);
    }

    /// Reports that a part of the work begins.
    pub(crate) fn started(&self, stage: Stage, subject: impl Into<String>) {
        self.report(Event::Started { stage, subject: subject.into() });
    }

    /// Reports that a part of the work is done.
    pub(crate) fn ended(&self, stage: Stage, subject: impl Into<String>) {
        self.report(Event::Ended { stage, subject: subject.into() });
    }

    /// Reports a warning.
    pub fn warn(&self, message: impl Into<String>, hint: Option<String>) {
        self.report(Event::Warning { message: message.into(), hint });
    }
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}
