use std::fmt;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Job {
    /// Three packages, nothing in any cache.
    Cold,
    /// One small package more, after the image without it has been built and pushed.
    PlusOne,
    /// The same again.
    Nothing,
    /// The same again of a spec that executes: packages of the system, a package without a wheel, a command.
    Again,
    /// torch with its CUDA packages, nothing in any cache.
    Torch,
}

/// docopt has no wheel.
const EXECUTED: [&str; 2] = ["docopt", "six"];

const SCIENCE: [&str; 3] = ["numpy", "pandas", "scikit-learn"];

impl Job {
    pub(super) const ALL: [Self; 5] = [Self::Cold, Self::PlusOne, Self::Nothing, Self::Again, Self::Torch];

    /// What is built and pushed before the clock starts, without being measured.
    pub(super) fn before(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Cold | Self::Torch => None,
            Self::PlusOne | Self::Nothing => Some(SCIENCE.to_vec()),
            Self::Again => Some(EXECUTED.to_vec()),
        }
    }

    /// What is built and pushed.
    pub(super) fn packages(self) -> Vec<&'static str> {
        match self {
            Self::Cold | Self::Nothing => SCIENCE.to_vec(),
            Self::PlusOne => [&SCIENCE[..], &["httpx"]].concat(),
            Self::Again => EXECUTED.to_vec(),
            Self::Torch => vec!["torch"],
        }
    }

    /// What the spec asks for besides.
    pub(super) fn further(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Again => vec![("apt_packages", "curl"), ("commands", "curl --version > /opt/curl")],
            Self::Cold | Self::PlusOne | Self::Nothing | Self::Torch => Vec::new(),
        }
    }

    /// Whether BuildKit does the same: benchmarks/Dockerfile installs packages of Python only.
    pub(super) fn is_compared(self) -> bool {
        self.further().is_empty()
    }

    /// How often it is measured.
    pub(super) fn runs(self) -> usize {
        match self {
            Self::Cold => 3,
            Self::PlusOne | Self::Nothing | Self::Again => 5,
            Self::Torch => 1,
        }
    }

    /// In a sentence.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Cold => {
                "numpy, pandas and scikit-learn; nothing in any cache, wheels come over the network."
            }
            Self::PlusOne => {
                "httpx is added to an image with numpy, pandas and scikit-learn that has been built and pushed. \
                 Index pages are younger than ten minutes; its wheels are in no cache of imagewright's, and in \
                 BuildKit's from the second run on."
            }
            Self::Nothing => "The image with numpy, pandas and scikit-learn is built and pushed again.",
            Self::Again => {
                "An image with a package of the system, a Python package that is built from source, and a command is built and \
                 pushed again. No step runs: with `--force`, too, which resolves and pushes as if there were no such image."
            }
            Self::Torch => {
                "torch with its CUDA packages, about 3 GB; nothing in any cache, wheels come over the network."
            }
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cold => "cold",
            Self::PlusOne => "plus-one",
            Self::Nothing => "nothing",
            Self::Again => "again",
            Self::Torch => "torch",
        })
    }
}
