use std::io;

use thiserror::Error;

/// Why a file is not accepted as a zip archive.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ZipProblem {
    /// The file could not be read.
    #[error("it cannot be read")]
    Read {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// The end of the archive, or its central directory, is not there or contradicts itself.
    #[error("it is no zip archive, or cut off: {problem}")]
    Structure {
        /// What was looked for.
        problem: &'static str,
    },
    /// A member's record cannot be accepted.
    #[error("its member `{member}` {problem}")]
    Member {
        /// The name, with unreadable bytes replaced.
        member: String,
        /// What is wrong, as the rest of a sentence.
        problem: &'static str,
    },
    /// A member's bytes are not what the directory says.
    #[error("the content of its member `{member}` {problem}")]
    Content {
        /// The name.
        member: String,
        /// What is wrong, as the rest of a sentence.
        problem: &'static str,
    },
}

impl ZipProblem {
    pub(crate) fn member(name: &str, problem: &'static str) -> Self {
        Self::Member { member: name.to_owned(), problem }
    }

    pub(crate) fn content(name: &str, problem: &'static str) -> Self {
        Self::Content { member: name.to_owned(), problem }
    }
}
