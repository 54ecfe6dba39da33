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
    /// Ten specs that share nothing but their base, by one command.
    TenDisjoint,
    /// Ten specs that share most of their packages, by one command.
    TenSharing,
    /// The Python package: its import, and the first tag of a spec.
    Python,
}

/// docopt has no wheel.
const EXECUTED: [&str; 2] = ["docopt", "six"];

/// Neither these nor what they need meet.
const DISJOINT: [&str; 10] = [
    "requests",
    "flask",
    "rich",
    "sqlalchemy",
    "numpy",
    "lxml",
    "pillow",
    "cryptography",
    "networkx",
    "tornado",
];

const SMALL: [&str; 10] =
    ["six", "idna", "certifi", "toml", "pluggy", "iniconfig", "attrs", "click", "markupsafe", "tabulate"];

const SCIENCE: [&str; 3] = ["numpy", "pandas", "scikit-learn"];

impl Job {
    pub(super) const ALL: [Self; 8] = [
        Self::Cold,
        Self::PlusOne,
        Self::Nothing,
        Self::Again,
        Self::Torch,
        Self::TenDisjoint,
        Self::TenSharing,
        Self::Python,
    ];

    /// What each of ten specs asks for.
    pub(super) fn ten(self) -> Vec<Vec<&'static str>> {
        match self {
            Self::TenDisjoint => DISJOINT.iter().map(|&package| vec![package]).collect(),
            Self::TenSharing => SMALL.iter().map(|small| [&SCIENCE[..], &[small]].concat()).collect(),
            _ => Vec::new(),
        }
    }

    /// What is built and pushed before the clock starts, without being measured.
    pub(super) fn before(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Cold | Self::Torch | Self::TenDisjoint | Self::TenSharing | Self::Python => None,
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
            Self::TenDisjoint | Self::TenSharing | Self::Python => Vec::new(),
        }
    }

    /// What the spec asks for besides.
    pub(super) fn further(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Again => vec![("apt_packages", "curl"), ("commands", "curl --version > /opt/curl")],
            _ => Vec::new(),
        }
    }

    /// Whether BuildKit does the same: benchmarks/Dockerfile installs packages of Python only.
    pub(super) fn is_compared(self) -> bool {
        matches!(self, Self::Cold | Self::PlusOne | Self::Nothing | Self::Torch)
    }

    /// How often it is measured.
    pub(super) fn runs(self) -> usize {
        match self {
            Self::Cold | Self::TenSharing => 3,
            Self::PlusOne | Self::Nothing | Self::Again | Self::TenDisjoint => 5,
            Self::Torch => 1,
            Self::Python => 15,
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
            Self::TenDisjoint => {
                "Ten specs, each with one of ten packages that share nothing, are built and pushed by one command, and by ten \
                 commands one after the other with one store; uv is there, as beside the Python package, and nothing in any cache."
            }
            Self::TenSharing => {
                "Ten specs, each with numpy, pandas, scikit-learn and one small package, are built and pushed by one command, and \
                 one of them alone; uv is there, and nothing in any cache. Each layer is made once, and each blob is sent once, as \
                 the registry's log says."
            }
            Self::Python => {
                "An interpreter is started with nothing to do, with the package to import, and asks for the tag of a spec."
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
            Self::TenDisjoint => "ten-disjoint",
            Self::TenSharing => "ten-sharing",
            Self::Python => "python",
        })
    }
}
