use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use imagewright_layer::{Content, TreeEntry, TreeKind};
use md5::{Digest as _, Md5};

use super::tree::{Tree, place};
use crate::control::Stanza;
use crate::{DebianError, DebianPackage, UnpackedPackage};

const FOLDER: &str = "var/lib/dpkg";

/// What the shared files of dpkg's database say of one package.
#[derive(Clone, Debug)]
pub struct PackageRecord {
    name: String,
    /// The paragraph of `status`.
    stanza: String,
    /// The name or path, and the package as the trigger's file names it.
    triggers: Vec<(String, String)>,
}

impl PackageRecord {
    /// Reads what the database must know from a package file.
    pub fn read(package: &DebianPackage, file: &mut dyn Read) -> Result<Self, DebianError> {
        Self::of(package, &UnpackedPackage::read(&package.name, file, None)?)
    }

    /// The record of a package that has been unpacked.
    pub fn of(package: &DebianPackage, unpacked: &UnpackedPackage) -> Result<Self, DebianError> {
        let control = control(package, unpacked)?;
        let (head, rest) = control.split_once('\n').unwrap_or((control, ""));
        let mut stanza = format!("{head}\nStatus: install ok unpacked\n{}", rest.trim_end());
        let conffiles = conffiles(unpacked);
        if !conffiles.is_empty() {
            stanza.push_str("\nConffiles:");
            for (path, hash) in conffiles {
                stanza.extend(["\n ", path, " ", &hash]);
            }
        }
        let triggers =
            interests(unpacked.control_text("triggers").unwrap_or_default(), &info_name(package, control));
        Ok(Self { name: package.name.to_string(), stanza, triggers })
    }
}

/// The layer with the files of dpkg's database that all packages share.
///
/// `status` says of each package that it is unpacked and not configured. Configuration files are at their places
/// with the hashes that they have in the package, so `dpkg --configure -a` takes them as they are, and a later
/// version of a package finds them unmodified.
pub fn database_layer(mut records: Vec<PackageRecord>) -> Vec<TreeEntry> {
    records.sort_by(|a, b| a.name.cmp(&b.name));
    let status: String = records.iter().flat_map(|record| [&record.stanza, "\n\n"]).collect();
    let mut tree = Tree::default();
    tree.add_file(&format!("{FOLDER}/status"), status);
    for empty in ["available", "diversions", "statoverride"] {
        tree.add_file(&format!("{FOLDER}/{empty}"), "");
    }
    tree.add_file(&format!("{FOLDER}/info/format"), "1\n");
    for folder in ["alternatives", "parts", "triggers", "updates"] {
        tree.add_default(TreeEntry::directory(place(&format!("{FOLDER}/{folder}")), 0o755));
    }
    for (file, lines) in trigger_files(&records) {
        tree.add_file(
            &format!("{FOLDER}/triggers/{file}"),
            lines.into_iter().map(|line| line + "\n").collect::<String>(),
        );
    }
    tree.into_entries()
}

/// The files that dpkg keeps for each package: the list of its paths, and its control files.
pub(super) fn info_files(
    package: &DebianPackage,
    unpacked: &UnpackedPackage,
) -> Result<Vec<TreeEntry>, DebianError> {
    let stem = format!("{FOLDER}/info/{}", info_name(package, control(package, unpacked)?));
    let list: String = unpacked.list.iter().flat_map(|path| [path, "\n"]).collect();
    let mut entries = vec![TreeEntry::file(place(&format!("{stem}.list")), 0o644, list.into_bytes())];
    for file in unpacked.control.iter().filter(|file| file.name != "control") {
        let path = place(&format!("{stem}.{}", file.name));
        entries.push(TreeEntry::file(path, file.mode, file.content.clone()));
    }
    Ok(entries)
}

/// `bash`, or `libc6:amd64` for packages of which several architectures can be installed side by side.
fn info_name(package: &DebianPackage, control: &str) -> String {
    match Stanza::new(control).field("Multi-Arch") {
        Some("same") => format!("{}:{}", package.name, package.architecture),
        _ => package.name.to_string(),
    }
}

fn control<'a>(package: &DebianPackage, unpacked: &'a UnpackedPackage) -> Result<&'a str, DebianError> {
    let text = unpacked.control_text("control").filter(|text| text.starts_with("Package:"));
    text.ok_or_else(|| DebianError::PackageField { package: package.name.clone(), field: "Package" })
}

/// The configuration files, each with the MD5 that dpkg compares; one that is to be removed is not there.
fn conffiles(unpacked: &UnpackedPackage) -> Vec<(&str, String)> {
    let paths = unpacked.control_text("conffiles").unwrap_or_default().lines().map(str::trim);
    let content = |path: &str| {
        unpacked.entries.iter().find_map(|entry| match &entry.kind {
            TreeKind::File { content: Content::Bytes(bytes), .. }
                if entry.path.as_str() == path.trim_start_matches('/') =>
            {
                Some(bytes)
            }
            _ => None,
        })
    };
    paths.filter_map(|path| Some((path, hex::encode(Md5::digest(content(path)?))))).collect()
}

/// The triggers that a package is interested in (deb-triggers(5)).
fn interests(triggers: &str, package: &str) -> Vec<(String, String)> {
    let interest = |line: &str| {
        let mut words = line.split_whitespace();
        let (directive, trigger) = (words.next()?, words.next()?);
        let waits = match directive {
            "interest" | "interest-await" => "",
            "interest-noawait" => "/noawait",
            _ => return None,
        };
        Some((trigger.to_owned(), format!("{package}{waits}")))
    };
    triggers.lines().filter_map(interest).collect()
}

/// The files below `triggers`: one a name, and `File` for all paths.
fn trigger_files(records: &[PackageRecord]) -> BTreeMap<String, BTreeSet<String>> {
    let mut files: BTreeMap<String, BTreeSet<String>> =
        ["File", "Unincorp"].map(|name| (name.to_owned(), BTreeSet::new())).into();
    for (trigger, package) in records.iter().flat_map(|record| &record.triggers) {
        let (file, line) = if trigger.starts_with('/') {
            ("File", format!("{trigger} {package}"))
        } else {
            (trigger.as_str(), package.clone())
        };
        files.entry(file.to_owned()).or_default().insert(line);
    }
    files
}
