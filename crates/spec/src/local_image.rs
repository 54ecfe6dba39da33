use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use imagewright_oci::{Annotations, Descriptor, Digest, ImageIndex, ImageReference, canonical_json};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// An image in a folder or archive of this machine: `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`, each with the
/// image's name behind a further colon, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalImage {
    /// How it is kept.
    pub format: LocalFormat,
    /// Where.
    pub path: PathBuf,
    /// Its name or tag, where there are several.
    pub name: Option<String>,
}

/// How an image is kept on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFormat {
    /// A folder with an OCI image layout.
    OciLayout,
    /// The same in a tar archive.
    OciArchive,
    /// What `docker save` writes.
    DockerArchive,
}

/// The names that an index of a layout has for an image: the specification's, and containerd's.
const NAMES: [&str; 2] = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];

/// A text that names no image on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is none of oci:DIR, oci-archive:FILE and docker-archive:FILE")]
pub struct LocalImageTextError {
    text: String,
}

impl LocalFormat {
    const ALL: [Self; 3] = [Self::OciLayout, Self::OciArchive, Self::DockerArchive];

    /// What stands before the colon.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::OciLayout => "oci",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
        }
    }
}

impl LocalImage {
    /// The names that an entry of a layout's index has.
    pub fn names(annotations: &Annotations) -> impl Iterator<Item = &str> {
        NAMES.iter().filter_map(|name| annotations.get(*name)).map(String::as_str)
    }

    /// Whether this may be the image with these names: one that is asked for without a name may be any.
    pub fn is_among<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        let Some(wanted) = &self.name else { return true };
        let normal = |name: &str| name.parse::<ImageReference>().map_or(name.to_owned(), |it| it.to_string());
        names.any(|name| name == wanted || normal(name) == normal(wanted))
    }

    /// The entries of a layout's index that this may be.
    pub fn entries<'a>(&self, index: &'a ImageIndex) -> Vec<&'a Descriptor> {
        index.manifests.iter().filter(|entry| self.is_among(Self::names(&entry.annotations))).collect()
    }

    /// The digest of all that the image may be made of, by the index of its layout.
    pub(crate) fn declared_in(&self, index: &[u8]) -> Digest {
        match serde_json::from_slice::<ImageIndex>(index) {
            Ok(index) => Digest::of(&canonical_json(&self.entries(&index))),
            // What is wrong with it is said when it is read.
            Err(_) => Digest::of(index),
        }
    }

    /// The file that says which images there are.
    pub(crate) fn index_file(&self) -> PathBuf {
        match self.format {
            LocalFormat::OciLayout => self.path.join("index.json"),
            LocalFormat::OciArchive | LocalFormat::DockerArchive => self.path.clone(),
        }
    }
}

impl FromStr for LocalImage {
    type Err = LocalImageTextError;

    fn from_str(text: &str) -> Result<Self, LocalImageTextError> {
        let other = || LocalImageTextError { text: text.to_owned() };
        let (prefix, rest) = text.split_once(':').ok_or_else(other)?;
        let format =
            LocalFormat::ALL.into_iter().find(|format| format.prefix() == prefix).ok_or_else(other)?;
        let (path, name) = match rest.split_once(':') {
            Some((path, name)) => (path, Some(name.to_owned()).filter(|name| !name.is_empty())),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(other());
        }
        Ok(Self { format, path: PathBuf::from(path), name })
    }
}

impl Serialize for LocalImage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for LocalImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.format.prefix(), self.path.display())?;
        self.name.iter().try_for_each(|name| write!(f, ":{name}"))
    }
}
