use std::fmt;
use std::sync::Arc;

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, Version, WheelFilename, metadata_header};

use super::WheelProblem;
use super::record::{self, Record};
use crate::zip::inflate_member;
use crate::{LayerError, ReadAt, ZipMember, ZipProblem, read_members};

/// Metadata files above this size are refused; the largest RECORD files have a few MiB.
const MAX_TEXT: u64 = 64 << 20;

/// An opened wheel: its archive is well formed and its metadata fits its file name.
///
/// The contents are not yet checked; that happens while they are read, at the latest when the layer that has
/// them is verified.
#[derive(Clone)]
pub struct Wheel {
    pub(super) filename: WheelFilename,
    pub(super) artifact: Digest,
    pub(super) source: Arc<dyn ReadAt>,
    pub(super) members: Vec<ZipMember>,
    pub(super) dist_info: String,
    pub(super) record: Record,
}

impl Wheel {
    /// Opens the wheel that is `artifact` and is read through `source`.
    pub fn open(
        artifact: Digest,
        source: Arc<dyn ReadAt>,
        filename: &WheelFilename,
    ) -> Result<Self, LayerError> {
        let refuse = |problem| LayerError::Wheel { wheel: filename.to_string(), problem };
        let members = read_members(&source).map_err(|source| refuse(source.into()))?;
        let dist_info = find_dist_info(&members).map_err(refuse)?;
        let mut wheel =
            Self { filename: filename.clone(), artifact, source, members, dist_info, record: Record::new() };
        wheel.check_metadata().map_err(refuse)?;
        wheel.record = record::parse(&wheel.text("RECORD").map_err(refuse)?).map_err(refuse)?;
        Ok(wheel)
    }

    /// The wheel's file name, which names the distribution.
    pub fn filename(&self) -> &WheelFilename {
        &self.filename
    }

    /// The digest of the wheel.
    pub fn artifact(&self) -> Digest {
        self.artifact
    }

    /// Where the wheel's bytes are.
    pub fn source(&self) -> &dyn ReadAt {
        &*self.source
    }

    /// The text of METADATA, with what is not UTF-8 replaced, since descriptions in other encodings occur.
    pub fn metadata(&self) -> Result<String, LayerError> {
        self.metadata_text().map_err(|problem| self.refuse(problem))
    }

    pub(crate) fn refuse(&self, problem: WheelProblem) -> LayerError {
        LayerError::Wheel { wheel: self.filename.to_string(), problem }
    }

    fn check_metadata(&self) -> Result<(), WheelProblem> {
        let header = |file: &str, text: &str, header| match metadata_header(text, header) {
            Some(value) => Ok(value.to_owned()),
            None => Err(WheelProblem::Header { file: file.to_owned(), header }),
        };
        let version = header("WHEEL", &self.text("WHEEL")?, "Wheel-Version")?;
        if version.split('.').next() != Some("1") {
            return Err(WheelProblem::WheelVersion { version });
        }
        let metadata = self.metadata_text()?;
        let (name, version) =
            (header("METADATA", &metadata, "Name")?, header("METADATA", &metadata, "Version")?);
        let same_name = name.parse().is_ok_and(|name: PackageName| name == *self.filename.name());
        let same_version = version.parse().is_ok_and(|version: Version| version == *self.filename.version());
        if same_name && same_version && self.is_named_in(&self.dist_info) {
            return Ok(());
        }
        let expected = format!("{} {}", self.filename.name(), self.filename.version());
        let found = format!("{name} {version} in {}", self.dist_info);
        Err(WheelProblem::OtherDistribution { found, expected })
    }

    /// Whether a directory's name starts with the distribution's, by pip's rule.
    fn is_named_in(&self, directory: &str) -> bool {
        let words = directory.split(['-', '_', '.']).filter(|word| !word.is_empty());
        let normal = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
        normal.strip_prefix(self.filename.name().as_str()).is_some_and(|rest| rest.starts_with('-'))
    }

    fn metadata_text(&self) -> Result<String, WheelProblem> {
        let content = self.content("METADATA")?.ok_or_else(|| self.missing("METADATA"))?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    /// The text of a file in `.dist-info`; an error when there is none.
    fn text(&self, file: &str) -> Result<String, WheelProblem> {
        self.optional_text(file)?.ok_or_else(|| self.missing(file))
    }

    pub(super) fn optional_text(&self, file: &str) -> Result<Option<String>, WheelProblem> {
        let Some(content) = self.content(file)? else { return Ok(None) };
        let text = String::from_utf8(content).map_err(|_| WheelProblem::NotText { file: self.path(file) })?;
        Ok(Some(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)))
    }

    fn content(&self, file: &str) -> Result<Option<Vec<u8>>, WheelProblem> {
        let path = self.path(file);
        let member = self.members.iter().find(|member| member.name == path);
        member.map(|member| self.read_member(member)).transpose()
    }

    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.dist_info)
    }

    fn missing(&self, file: &str) -> WheelProblem {
        WheelProblem::MissingFile { file: self.path(file) }
    }

    /// Passes the content of a member to `sink`, and checks it; see [`inflate_member`].
    pub(crate) fn copy_member(
        &self,
        member: &ZipMember,
        mut sink: impl FnMut(&[u8]) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        inflate_member(&self.source, member, |bytes| Ok(sink(bytes)?)).map_err(|error| match error {
            CopyError::Sink(error) => error,
            CopyError::Zip(problem) => self.refuse(problem.into()),
        })
    }

    /// The whole content of a small member.
    pub(super) fn read_member(&self, member: &ZipMember) -> Result<Vec<u8>, WheelProblem> {
        if member.size > MAX_TEXT {
            return Err(WheelProblem::NotText { file: member.name.clone() });
        }
        let mut content = Vec::with_capacity(usize::try_from(member.size).expect("at most the limit"));
        inflate_member(&self.source, member, |bytes| {
            content.extend_from_slice(bytes);
            Ok::<_, ZipProblem>(())
        })?;
        Ok(content)
    }
}

enum CopyError {
    Sink(LayerError),
    Zip(ZipProblem),
}

impl From<LayerError> for CopyError {
    fn from(error: LayerError) -> Self {
        Self::Sink(error)
    }
}

impl From<ZipProblem> for CopyError {
    fn from(problem: ZipProblem) -> Self {
        Self::Zip(problem)
    }
}

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("filename", &self.filename)
            .field("artifact", &self.artifact)
            .finish_non_exhaustive()
    }
}

fn find_dist_info(members: &[ZipMember]) -> Result<String, WheelProblem> {
    let mut found: Vec<String> = members
        .iter()
        .filter_map(|member| member.name.split_once('/'))
        .filter(|(directory, _)| directory.ends_with(".dist-info"))
        .map(|(directory, _)| directory.to_owned())
        .collect();
    found.sort_unstable();
    found.dedup();
    match found.pop() {
        Some(directory) if found.is_empty() => Ok(directory),
        last => Err(WheelProblem::DistInfo { found: found.into_iter().chain(last).collect() }),
    }
}
