use std::fmt;
use std::sync::Arc;

/// What kind of thing is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An input.
    Artifact,
    /// A layer or another blob.
    Blob,
    /// An unpacked root.
    Root,
}

/// A point in the life of a write, in the order in which they come.
///
/// The order is the store's crash safety: whatever is killed between two of them leaves a store that the next
/// process uses. Tests that kill a process do it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The first bytes are in a staged file, or a staged directory exists.
    Writing(Kind),
    /// All bytes are in the staged file, its digest is known and right.
    Written(Kind),
    /// The bytes are on the disk.
    Synced(Kind),
    /// The file has its final name; the index does not know it yet.
    Renamed(Kind),
    /// The index knows it.
    Recorded(Kind),
    /// The rows of what is to be removed are gone, its files are not.
    Forgotten,
    /// The files are gone too.
    Removed,
}

/// Something that is told of every [`Stage`], on the thread that does the work.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Stage) + Send + Sync>>);

impl Observer {
    /// Calls `observe` at every stage.
    pub fn new(observe: impl Fn(Stage) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(crate) fn see(&self, stage: Stage) {
        if let Some(observe) = &self.0 {
            observe(stage);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer(set)" } else { "Observer(none)" })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Artifact => "artifact",
            Self::Blob => "blob",
            Self::Root => "root",
        })
    }
}

impl fmt::Display for Stage {
    /// `renamed-blob`, the name of the point for a switch on a command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writing(kind) => write!(f, "writing-{kind}"),
            Self::Written(kind) => write!(f, "written-{kind}"),
            Self::Synced(kind) => write!(f, "synced-{kind}"),
            Self::Renamed(kind) => write!(f, "renamed-{kind}"),
            Self::Recorded(kind) => write!(f, "recorded-{kind}"),
            Self::Forgotten => f.write_str("forgotten"),
            Self::Removed => f.write_str("removed"),
        }
    }
}
