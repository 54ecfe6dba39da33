//! Requirements whose distribution has to be built: a repository, a folder, an archive of source.

use std::path::{Path, PathBuf};

use imagewright_oci::Digest;
use imagewright_pypa::PackageName;
use url::Url;

use super::{PythonError, Requirement};
use crate::uv::Host;
use crate::wheel_build::SourcePin;

/// A requirement on what is built, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRequirement {
    /// As it was written.
    pub requirement: Requirement,
    /// `[a,b]`, or nothing.
    pub extras: String,
    /// What is behind the `;`.
    pub marker: Option<String>,
    /// Where the source is.
    pub location: SourceLocation,
    /// The folder of the project in it.
    pub subdirectory: Option<String>,
    /// The archives that are allowed; any when there are none.
    pub hashes: Vec<Digest>,
}

/// Where a source is, without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceLocation {
    /// A repository of git.
    Git {
        /// What git clones.
        url: Url,
        /// A branch, tag or commit; none for what the repository shows first.
        revision: Option<String>,
    },
    /// A folder of this machine.
    Folder {
        /// As the user wrote it.
        path: PathBuf,
    },
    /// An archive of this machine.
    File {
        /// As the user wrote it.
        path: PathBuf,
    },
    /// An archive.
    Archive {
        /// Where it is.
        url: Url,
    },
}

/// Kinds of archive that are unpacked, the one that is taken first at the front.
pub(super) const ARCHIVES: [&str; 7] = [".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tbz", ".tar.xz", ".txz"];
const OTHER_CONTROL: [&str; 3] = ["hg+", "svn+", "bzr+"];

impl Requirement {
    /// What has to be built for it; none for a package of an index, or a wheel.
    pub fn source(&self, host: &Host) -> Result<Option<SourceRequirement>, PythonError> {
        let (text, hashes) = self.without_hashes()?;
        let (text, marker) = split_marker(&text);
        let (extras, target) = split_name(text);
        let refused = || PythonError::NeedsBuild { requirement: self.clone() };
        if OTHER_CONTROL.iter().any(|scheme| target.starts_with(scheme)) {
            return Err(refused());
        }
        let (target, fragment) = target.split_once('#').unwrap_or((target, ""));
        let (target, own_extras) = split_extras(target);
        let field = |name: &str| {
            fragment.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        let Some(location) = location(target, host).map_err(|Unreadable| refused())? else { return Ok(None) };
        let egg = field("egg").and_then(|egg| Some(egg.split_once('[')?.1.trim_end_matches(']').to_owned()));
        let extras = [extras, own_extras].into_iter().find(|extras| !extras.is_empty());
        let extras = extras.map(str::to_owned).or(egg.map(|extras| format!("[{extras}]")));
        let stated = field("sha256").and_then(|digits| Digest::from_hex(&digits).ok());
        Ok(Some(SourceRequirement {
            requirement: self.clone(),
            extras: extras.unwrap_or_default(),
            marker: marker.map(str::to_owned),
            location,
            subdirectory: field("subdirectory").map(|path| path.trim_matches('/').to_owned()),
            hashes: hashes.into_iter().chain(stated).collect(),
        }))
    }
}

impl SourceRequirement {
    /// Whether a pin is of the same revision of the same repository.
    pub(crate) fn is_git_of(&self, pin: &SourcePin) -> bool {
        match (&self.location, pin) {
            (SourceLocation::Git { url, revision }, SourcePin::Git { url: pinned, revision: asked, .. }) => {
                url == pinned && revision == asked
            }
            _ => false,
        }
    }

    /// The same requirement on the wheel at `path` that was built for it.
    pub(crate) fn on_wheel(&self, name: &PackageName, path: &Path) -> Requirement {
        let marker = self.marker.as_ref().map(|marker| format!(" ; {marker}")).unwrap_or_default();
        self.requirement.replaced(format!("{name}{} @ {}{marker}", self.extras, file_url(path)))
    }
}

fn file_url(path: &Path) -> Url {
    Url::from_file_path(path).expect("the store's folders have absolute paths")
}

/// The text in front of a marker, and the marker. In a URL, only a `;` behind a space begins one.
pub(super) fn split_marker(text: &str) -> (&str, Option<&str>) {
    let split = if text.contains("://") { text.split_once(" ;") } else { text.split_once(';') };
    split.map_or((text.trim(), None), |(text, marker)| (text.trim(), Some(marker.trim())))
}

/// The extras and the target of `name[extras] @ target`; of what has no name, the target.
fn split_name(text: &str) -> (&str, &str) {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match text.split_once('@') {
        Some((name, target)) => match split_extras(name.trim()) {
            (name, extras) if is_name(name) => (extras, target.trim()),
            _ => ("", text),
        },
        None => ("", text),
    }
}

fn split_extras(text: &str) -> (&str, &str) {
    match text.find('[') {
        Some(at) if text.ends_with(']') => (text[..at].trim_end(), &text[at..]),
        _ => (text, ""),
    }
}

/// An address that is none.
struct Unreadable;

/// Where a target is; none for what is not built.
fn location(target: &str, host: &Host) -> Result<Option<SourceLocation>, Unreadable> {
    if let Some(rest) = target.strip_prefix("git+") {
        return repository(rest).map(Some).ok_or(Unreadable);
    }
    let lower = target.split('?').next().unwrap_or(target).to_ascii_lowercase();
    let is_archive = ARCHIVES.iter().any(|end| lower.ends_with(end));
    if Path::new(&lower).extension().is_some_and(|extension| extension == "whl") {
        return Ok(None);
    }
    let path = if target.starts_with("file:") {
        imagewright_spec::requirements::local_path(target).ok_or(Unreadable)?
    } else if target.contains("://") {
        let url = || Url::parse(target).ok().and_then(bare).ok_or(Unreadable);
        return if is_archive { Ok(Some(SourceLocation::Archive { url: url()? })) } else { Ok(None) };
    } else if target.starts_with(['.', '/', '~']) || is_archive {
        PathBuf::from(target)
    } else {
        return Ok(None);
    };
    let is_folder = host.absolute(&path).is_dir();
    Ok(Some(if is_folder { SourceLocation::Folder { path } } else { SourceLocation::File { path } }))
}

/// `https://host/path@revision`: the revision is behind the last `@` of the path.
fn repository(text: &str) -> Option<SourceLocation> {
    let (start, path) = text.split_at(text.find("://")? + 3);
    let slash = path.find('/').unwrap_or(path.len());
    let (path, revision) = match path[slash..].rsplit_once('@') {
        Some((before, revision)) if !revision.is_empty() => (&path[..slash + before.len()], Some(revision)),
        _ => (path, None),
    };
    let url = bare(Url::parse(&format!("{start}{path}")).ok()?)?;
    Some(SourceLocation::Git { url, revision: revision.map(str::to_owned) })
}

/// Without user and password; the user of SSH names an account, and is no secret.
pub(super) fn bare(mut url: Url) -> Option<Url> {
    url.set_fragment(None);
    if url.scheme() != "file" {
        url.set_password(None).ok()?;
        if url.scheme() != "ssh" {
            url.set_username("").ok()?;
        }
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str) -> String {
        let host = Host::new(BTreeMap::new(), env!("CARGO_MANIFEST_DIR").into());
        let found = match Requirement::of_field(text, "packages").source(&host) {
            Ok(Some(found)) => found,
            Ok(None) => return "none".to_owned(),
            Err(error) => return error.to_string(),
        };
        let location = match &found.location {
            SourceLocation::Git { url, revision } => {
                format!("git {url} {}", revision.as_deref().unwrap_or("-"))
            }
            SourceLocation::Folder { path } => format!("folder {}", path.display()),
            SourceLocation::File { path } => format!("file {}", path.display()),
            SourceLocation::Archive { url } => format!("archive {url}"),
        };
        let SourceRequirement { extras, marker, subdirectory, hashes, .. } = found;
        let rest = [Some(extras).filter(|it| !it.is_empty()), marker, subdirectory];
        let rest: Vec<String> = rest.into_iter().flatten().collect();
        let hashes = if hashes.is_empty() { String::new() } else { format!(" {} hash", hashes.len()) };
        format!("{location} {}", rest.join(" ")).trim_end().to_owned() + &hashes
    }

    #[test]
    fn sources_are_taken_apart() {
        let zeros = "0".repeat(64);
        for (text, expected) in [
            ("numpy>=1 ; python_version > '3'", "none"),
            ("./w/a-1-py3-none-any.whl", "none"),
            ("a @ https://h/a-1-py3-none-any.whl#sha256=0", "none"),
            ("git+https://u:p@host/x.git", "git https://host/x.git -"),
            (
                "git+https://host/x.git@main#egg=x[a,b]&subdirectory=/sub/",
                "git https://host/x.git main [a,b] sub",
            ),
            (
                "x[a]@ git+https://host/x@v1 ; python_version > '3'",
                "git https://host/x v1 [a] python_version > '3'",
            ),
            ("git+ssh://git@host/o/x@refs/pull/1/head", "git ssh://git@host/o/x refs/pull/1/head"),
            ("git+file:///srv/x", "git file:///srv/x -"),
            (".", "folder ."),
            (".[dev]; python_version > '3'", "folder . [dev] python_version > '3'"),
            ("./src", "folder ./src"),
            ("x @ ./src", "folder ./src"),
            ("./x-1.tar.gz", "file ./x-1.tar.gz"),
            ("x-1.zip", "file x-1.zip"),
            (&format!("https://t@h/x-1.tar.gz#sha256={zeros}"), "archive https://h/x-1.tar.gz 1 hash"),
            (&format!("x @ https://h/x.zip --hash=sha256:{zeros}"), "archive https://h/x.zip 1 hash"),
            ("hg+https://host/x", "`hg+https://host/x` in `packages` must be built from source"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn the_wheel_takes_the_place_of_the_source() {
        let host = Host::new(BTreeMap::new(), "/".into());
        let asked = Requirement::of_field("git+https://h/x#egg=x[a] ; python_version > '3'", "packages");
        let source = asked.source(&host).unwrap().unwrap();
        let on_wheel = source.on_wheel(&"x".parse().unwrap(), Path::new("/s/x-1-py3-none-any.whl"));
        let parsed = on_wheel.parse(&host).unwrap();
        assert_eq!(parsed.line, "x[a] @ file:///s/x-1-py3-none-any.whl ; python_version > '3'");
        assert_eq!(on_wheel.to_string(), asked.to_string());
    }
}
