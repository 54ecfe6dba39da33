//! The packages of an image as a `pylock.toml` (PEP 751), which uv installs exactly.

use imagewright_lock::python::{LockedPackage, WheelSource};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Pylock<'a> {
    lock_version: &'static str,
    created_by: &'static str,
    packages: Vec<Package<'a>>,
}

#[derive(Debug, Serialize)]
struct Package<'a> {
    name: &'a str,
    version: String,
    wheels: [Wheel; 1],
}

#[derive(Debug, Serialize)]
struct Wheel {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    hashes: Hashes,
}

#[derive(Debug, Serialize)]
struct Hashes {
    sha256: String,
}

/// The text, with the wheels for which `is_beside` says so in the same folder.
pub(super) fn pylock(packages: &[LockedPackage], is_beside: impl Fn(&LockedPackage) -> bool) -> String {
    let packages = packages.iter().map(|package| {
        let url = match &package.source {
            WheelSource::Url(url) if !is_beside(package) => Some(url.to_string()),
            _ => None,
        };
        let path = url.is_none().then(|| package.filename.as_str().to_owned());
        let hashes = Hashes { sha256: package.sha256.hex() };
        Package {
            name: package.name.as_str(),
            version: package.version.to_string(),
            wheels: [Wheel { url, path, hashes }],
        }
    });
    let document = Pylock { lock_version: "1.0", created_by: "imagewright", packages: packages.collect() };
    toml::to_string(&document).expect("the document has string keys only")
}
