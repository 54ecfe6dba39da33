use std::collections::{BTreeMap, BTreeSet};
use std::io;

use imagewright_oci::{Digest, Hasher};

use super::entry_points::{self, Script};
use super::{InstallScheme, Wheel, WheelProblem, record, scripts};
use crate::zip::inflate_member;
use crate::{LayerError, TreePath, ZipMember, ZipProblem};

const INSTALLER: &[u8] = b"imagewright\n";

/// A wheel with the files that it installs into one environment.
#[derive(Clone, Debug)]
pub struct InstalledWheel {
    wheel: Wheel,
    files: Vec<InstalledFile>,
}

/// One file of an installed distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledFile {
    /// Where it is in the image.
    pub path: TreePath,
    /// Whether it has mode 0755, else 0644.
    pub is_executable: bool,
    /// How many bytes it has.
    pub size: u64,
    /// Where its bytes come from.
    pub content: FileContent,
}

/// Where the bytes of an installed file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// The member of the wheel with this index.
    Member(usize),
    /// Made here.
    Bytes(Vec<u8>),
}

/// The sha256 that the content of a file must have, because RECORD says so.
pub(crate) type StatedDigest = Option<Digest>;

impl Wheel {
    /// Maps the wheel to the files that it installs under `scheme`.
    ///
    /// Where two of its members meet at one path the later wins, in pip's order: the root of the archive, then
    /// `.data`, then scripts, then scripts made from entry points.
    pub fn install(&self, scheme: &InstallScheme) -> Result<InstalledWheel, LayerError> {
        self.map(scheme).map_err(|problem| self.refuse(problem))
    }

    fn map(&self, scheme: &InstallScheme) -> Result<InstalledWheel, WheelProblem> {
        let entry_points = self.optional_text("entry_points.txt")?.unwrap_or_default();
        let entry_points = entry_points::scripts(&entry_points, scheme.python)?;
        let mut files = BTreeMap::new();
        let (root, data): (Vec<_>, Vec<_>) =
            self.file_members().partition(|(_, member)| data_path(member).is_none());
        let (scripts, data): (Vec<_>, Vec<_>) = data.into_iter().partition(|(_, member)| is_script(member));
        for (index, member) in root.into_iter().filter(|(_, member)| !self.is_bytecode(member)) {
            let path = clean(scheme.site_packages.join(&member.name));
            files.insert(scheme.admit(&member.name, path)?, self.member_file(index, member));
        }
        for (index, member) in data {
            files.insert(self.data_target(member, scheme)?, self.member_file(index, member));
        }
        for (index, member) in scripts {
            let path = self.data_target(member, scheme)?;
            if !is_wrapper(path.file_name(), &entry_points) {
                files.insert(path, self.script_file(index, member, scheme)?);
            }
        }
        for script in entry_points.values() {
            let path = scheme.admit(&script.name, clean(scheme.scripts.join(&script.name)))?;
            files.insert(path, Draft::made(scripts::wrapper(script, &scheme.interpreter), true));
        }
        let dist_info = clean(scheme.site_packages.join(&self.dist_info));
        files.insert(clean(dist_info.join("INSTALLER")), Draft::made(INSTALLER.to_vec(), false));
        let record_path = clean(dist_info.join("RECORD"));
        files.remove(&record_path);
        check_directories(files.keys())?;
        let record = self.record_text(&files, &record_path, scheme)?;
        files.insert(record_path, Draft::made(record, false));
        let files = files.into_iter().map(|(path, draft)| draft.at(path)).collect();
        Ok(InstalledWheel { wheel: self.clone(), files })
    }

    /// Whether a member is the bytecode of a module beside it. Its source has another time in the image, so Python would
    /// not use it, and it would be in the place of bytecode that Python uses.
    fn is_bytecode(&self, member: &ZipMember) -> bool {
        let source = member.name.strip_suffix(".pyc").and_then(|path| {
            let (directory, name) = path.rsplit_once("__pycache__/")?;
            Some(format!("{directory}{}.py", name.split('.').next()?))
        });
        source.is_some_and(|source| self.members.iter().any(|member| member.name == source))
    }

    fn file_members(&self) -> impl Iterator<Item = (usize, &ZipMember)> {
        self.members.iter().enumerate().filter(|(_, member)| !member.is_directory())
    }

    fn member_file(&self, index: usize, member: &ZipMember) -> Draft {
        Draft {
            is_executable: member.is_executable(),
            size: member.size,
            content: FileContent::Member(index),
            digest: self.stated_digest(member),
        }
    }

    fn script_file(
        &self,
        index: usize,
        member: &ZipMember,
        scheme: &InstallScheme,
    ) -> Result<Draft, WheelProblem> {
        if self.starts_with_placeholder(member)? {
            let content = scripts::with_interpreter(&self.read_member(member)?, &scheme.interpreter);
            return Ok(Draft::made(content, true));
        }
        Ok(Draft { is_executable: true, ..self.member_file(index, member) })
    }

    /// Looks at the first bytes only: a script may be a binary of any size.
    fn starts_with_placeholder(&self, member: &ZipMember) -> Result<bool, WheelProblem> {
        enum Seen {
            Start(bool),
            Problem(ZipProblem),
        }
        impl From<ZipProblem> for Seen {
            fn from(problem: ZipProblem) -> Self {
                Self::Problem(problem)
            }
        }
        let seen = inflate_member(&self.source, member, |bytes| {
            if bytes.is_empty() { Ok(()) } else { Err(Seen::Start(scripts::has_placeholder(bytes))) }
        });
        match seen {
            Ok(()) => Ok(false),
            Err(Seen::Start(found)) => Ok(found),
            Err(Seen::Problem(problem)) => Err(problem.into()),
        }
    }

    fn data_target(&self, member: &ZipMember, scheme: &InstallScheme) -> Result<TreePath, WheelProblem> {
        let unknown = || WheelProblem::UnknownScheme { member: member.name.clone() };
        let (folder, rest) = data_path(member).and_then(|path| path.split_once('/')).ok_or_else(unknown)?;
        let headers;
        let directory = match folder {
            "purelib" | "platlib" => &scheme.site_packages,
            "scripts" => &scheme.scripts,
            "data" => &scheme.prefix,
            "headers" => {
                headers = clean(scheme.headers.join(self.filename.name().as_str()));
                &headers
            }
            _ => return Err(unknown()),
        };
        scheme.admit(&member.name, clean(directory.join(rest)))
    }

    /// What RECORD states of a member; signatures of RECORD itself are never in it.
    pub(crate) fn stated_digest(&self, member: &ZipMember) -> StatedDigest {
        self.record.get(&member.name).copied().flatten()
    }

    fn record_text(
        &self,
        files: &BTreeMap<TreePath, Draft>,
        own_path: &TreePath,
        scheme: &InstallScheme,
    ) -> Result<Vec<u8>, WheelProblem> {
        let mut lines = BTreeMap::new();
        for (path, draft) in files {
            let digest = match (draft.digest, &draft.content) {
                (Some(digest), _) => digest,
                (None, FileContent::Bytes(bytes)) => Digest::of(bytes),
                (None, FileContent::Member(index)) => self.hash_member(&self.members[*index])?,
            };
            let path = path.relative_to(&scheme.site_packages);
            let line = record::line(&path, &digest, draft.size);
            lines.insert(path, line);
        }
        let path = own_path.relative_to(&scheme.site_packages);
        let line = record::line_without_hash(&path);
        lines.insert(path, line);
        Ok(lines.into_values().collect::<String>().into_bytes())
    }

    fn hash_member(&self, member: &ZipMember) -> Result<Digest, WheelProblem> {
        let mut hasher = Hasher::new();
        inflate_member(&self.source, member, |bytes| {
            hasher.update(bytes);
            Ok::<_, ZipProblem>(())
        })?;
        Ok(hasher.finish())
    }
}

impl InstalledWheel {
    /// The wheel.
    pub fn wheel(&self) -> &Wheel {
        &self.wheel
    }

    /// The installed files, sorted by path.
    pub fn files(&self) -> &[InstalledFile] {
        &self.files
    }

    /// The installed modules that have bytecode: `.py` files in directories of modules.
    pub fn sources<'a>(&'a self, scheme: &'a InstallScheme) -> impl Iterator<Item = &'a InstalledFile> {
        self.files
            .iter()
            .filter(|file| file.path.has_suffix(".py") && file.path.below(&scheme.site_packages).is_some())
    }

    /// Passes the content of `file` to `out`, and checks it.
    pub fn copy(&self, file: &InstalledFile, out: &mut dyn io::Write) -> Result<(), LayerError> {
        let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(|source| LayerError::Write { source });
        match &file.content {
            FileContent::Bytes(bytes) => write(bytes),
            FileContent::Member(index) => self.wheel.copy_member(self.member(*index), write),
        }
    }

    /// The installed member whose bytes are at an offset of the wheel.
    pub(crate) fn member_at(&self, offset: u64) -> Option<&ZipMember> {
        let members = self.files.iter().filter_map(|file| match file.content {
            FileContent::Member(index) => Some(self.member(index)),
            FileContent::Bytes(_) => None,
        });
        let holds = |member: &ZipMember| {
            (member.data_offset..=member.data_offset + member.compressed_size).contains(&offset)
        };
        members.into_iter().find(|member| holds(member))
    }

    pub(crate) fn member(&self, index: usize) -> &ZipMember {
        &self.wheel.members[index]
    }
}

/// A file whose path is still the key of a map.
struct Draft {
    is_executable: bool,
    size: u64,
    content: FileContent,
    digest: StatedDigest,
}

impl Draft {
    fn made(content: Vec<u8>, is_executable: bool) -> Self {
        Self { is_executable, size: content.len() as u64, content: FileContent::Bytes(content), digest: None }
    }

    fn at(self, path: TreePath) -> InstalledFile {
        InstalledFile { path, is_executable: self.is_executable, size: self.size, content: self.content }
    }
}

/// The path below `<name>-<version>.data/`, for a member that is there.
fn data_path(member: &ZipMember) -> Option<&str> {
    let (first, rest) = member.name.split_once('/').unwrap_or((member.name.as_str(), ""));
    first.strip_suffix(".data").map(|_| rest)
}

fn is_script(member: &ZipMember) -> bool {
    data_path(member).is_some_and(|path| path.starts_with("scripts/"))
}

/// Whether a script is the wrapper that old build tools made of an entry point, which is made anew.
fn is_wrapper(name: &str, entry_points: &BTreeMap<String, Script>) -> bool {
    let lower = name.to_ascii_lowercase();
    let suffix =
        [".exe", "-script.py", ".pya"].into_iter().find(|suffix| lower.ends_with(suffix)).unwrap_or("");
    entry_points.contains_key(&name[..name.len() - suffix.len()])
}

fn check_directories<'a>(paths: impl Iterator<Item = &'a TreePath>) -> Result<(), WheelProblem> {
    let paths: BTreeSet<TreePath> = paths.cloned().collect();
    let mut directories = paths.iter().flat_map(TreePath::ancestors);
    match directories.find(|directory| paths.contains(directory)) {
        Some(path) => Err(WheelProblem::FileAndDirectory { path: path.to_string() }),
        None => Ok(()),
    }
}

/// Names of members were found clean when the archive was read.
fn clean(path: Result<TreePath, LayerError>) -> TreePath {
    path.expect("a clean path below a clean path is clean")
}
