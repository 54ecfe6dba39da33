use thiserror::Error;

use crate::ZipProblem;

/// Why a wheel is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WheelProblem {
    /// Its archive is damaged, or two readers could see different files in it.
    #[error("{source}")]
    Zip {
        /// What is wrong with the archive.
        #[from]
        source: ZipProblem,
    },
    /// It has no, or more than one, `.dist-info` directory at its top.
    #[error("it has {} `.dist-info` directories and needs one", .found.len())]
    DistInfo {
        /// Their names.
        found: Vec<String>,
    },
    /// A file that every wheel has is not there.
    #[error("it has no {file}")]
    MissingFile {
        /// The file's name in the archive.
        file: String,
    },
    /// A metadata file is not text, or too long.
    #[error("its {file} is not readable text")]
    NotText {
        /// The file's name in the archive.
        file: String,
    },
    /// A header of a metadata file is missing or malformed.
    #[error("its {file} has no usable `{header}`")]
    Header {
        /// The file's name in the archive.
        file: String,
        /// The header.
        header: &'static str,
    },
    /// The wheel is of a format that is not known.
    #[error("it has Wheel-Version {version}, and only 1.x is known")]
    WheelVersion {
        /// What it says.
        version: String,
    },
    /// The metadata names another distribution than the file name does.
    #[error("its metadata is of {found} and its file name of {expected}")]
    OtherDistribution {
        /// Name and version in METADATA.
        found: String,
        /// Name and version in the file name.
        expected: String,
    },
    /// RECORD cannot be understood.
    #[error("line {line} of its RECORD is malformed")]
    RecordLine {
        /// Counted from 1.
        line: usize,
    },
    /// A file is not what RECORD says.
    #[error("its member `{member}` does not have the sha256 that its RECORD states")]
    RecordMismatch {
        /// The file's name in the archive.
        member: String,
    },
    /// A file is in a `.data` directory in a place that has no meaning.
    #[error(
        "its member `{member}` is in no known folder of `.data`: purelib, platlib, headers, scripts, data"
    )]
    UnknownScheme {
        /// The file's name in the archive.
        member: String,
    },
    /// A file would be where it may not be.
    #[error("its member `{member}` would replace {path}, which belongs to the environment")]
    Reserved {
        /// The file's name in the archive, or of the entry point.
        member: String,
        /// The path in the image.
        path: String,
    },
    /// An entry point cannot be made a script.
    #[error("its entry point `{entry_point}` {problem}")]
    EntryPoint {
        /// The line.
        entry_point: String,
        /// What is wrong, as the rest of a sentence.
        problem: &'static str,
    },
    /// A file and a directory, from different folders of the wheel, meet at one path.
    #[error("it installs both a file and a directory at {path}")]
    FileAndDirectory {
        /// The path in the image.
        path: String,
    },
}
