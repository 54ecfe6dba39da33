use std::collections::HashMap;

use imagewright_oci::Digest;
use memchr::memmem;

use crate::control::Stanza;
use crate::relation::{Alternatives, Comparison, Relation, parse_relations};
use crate::{DebianError, DebianName, DebianPackage, DebianVersion, PackageGroup, Pocket};

/// The packages of one pocket and architecture.
///
/// The text has some 50 MB. One pass over it notes where each package and each provided name is; the fields of a
/// package are read when they are asked for, so the few hundred packages of a base cost nothing.
#[derive(Debug)]
pub(crate) struct PackageIndex {
    pocket: Pocket,
    text: String,
    by_name: HashMap<Box<str>, Vec<Span>>,
    by_provided: HashMap<Box<str>, Vec<Span>>,
}

/// Where a paragraph is in the text; an index is smaller than 4 GiB.
type Span = (u32, u32);

/// One package of an index.
#[derive(Clone, Debug)]
pub(crate) struct IndexEntry<'a> {
    /// Its name.
    pub(crate) name: DebianName,
    /// Its version.
    pub(crate) version: DebianVersion,
    /// The pocket it is in.
    pub(crate) pocket: Pocket,
    stanza: Stanza<'a>,
}

impl PackageIndex {
    /// Notes where the packages of a `Packages` file are.
    pub(crate) fn new(pocket: Pocket, text: String) -> Result<Self, DebianError> {
        let mut by_name: HashMap<Box<str>, Vec<Span>> = HashMap::new();
        let mut by_provided: HashMap<Box<str>, Vec<Span>> = HashMap::new();
        let provides = memmem::Finder::new("\nProvides: ");
        for span in spans(&text) {
            let stanza = slice(&text, span);
            by_name.entry(name_of(pocket, stanza)?.into()).or_default().push(span);
            if let Some(start) = provides.find(stanza.as_bytes()) {
                let line = stanza[start + 11..].split('\n').next().unwrap_or_default();
                for provided in line.split(',').filter_map(|part| part.split_whitespace().next()) {
                    by_provided.entry(provided.into()).or_default().push(span);
                }
            }
        }
        Ok(Self { pocket, text, by_name, by_provided })
    }

    /// The packages of a name; there may be several versions.
    pub(crate) fn named<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = Result<IndexEntry<'a>, DebianError>> {
        self.entries(self.by_name.get(name))
    }

    /// The packages that provide a name.
    pub(crate) fn providing<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = Result<IndexEntry<'a>, DebianError>> {
        self.entries(self.by_provided.get(name))
    }

    /// The names of the packages that are marked essential.
    pub(crate) fn essential(&self) -> Result<Vec<DebianName>, DebianError> {
        memmem::find_iter(self.text.as_bytes(), "\nEssential: yes\n")
            .map(|position| {
                let start =
                    memmem::rfind(&self.text.as_bytes()[..position], b"\n\n").map_or(0, |end| end + 2);
                name_of(self.pocket, &self.text[start..])?.parse()
            })
            .collect()
    }

    fn entries<'a>(
        &'a self,
        spans: Option<&'a Vec<Span>>,
    ) -> impl Iterator<Item = Result<IndexEntry<'a>, DebianError>> {
        spans.into_iter().flatten().map(|span| IndexEntry::new(self.pocket, slice(&self.text, *span)))
    }
}

impl<'a> IndexEntry<'a> {
    fn new(pocket: Pocket, text: &'a str) -> Result<Self, DebianError> {
        let stanza = Stanza::new(text);
        let name: DebianName = name_of(pocket, text)?.parse()?;
        let version = stanza.field("Version").map(DebianVersion::new);
        let version = version.ok_or_else(|| missing(&name, "Version"))?;
        Ok(Self { name, version, pocket, stanza })
    }

    /// A field that every package has.
    pub(crate) fn required(&self, field: &'static str) -> Result<&'a str, DebianError> {
        self.stanza.field(field).ok_or_else(|| missing(&self.name, field))
    }

    /// The sha256 of the package file.
    pub(crate) fn digest(&self) -> Result<Digest, DebianError> {
        Digest::from_hex(self.required("SHA256")?).map_err(|_| missing(&self.name, "SHA256"))
    }

    /// The size of the package file in bytes.
    pub(crate) fn size(&self) -> Result<u64, DebianError> {
        self.required("Size")?.parse().map_err(|_| missing(&self.name, "Size"))
    }

    /// It as a lock pins it, in a group that the index says nothing of.
    pub(crate) fn package(&self, group: PackageGroup) -> Result<DebianPackage, DebianError> {
        Ok(DebianPackage {
            name: self.name.clone(),
            version: self.version.clone(),
            architecture: self.required("Architecture")?.to_owned(),
            filename: self.required("Filename")?.to_owned(),
            size: self.size()?,
            sha256: self.digest()?,
            pocket: self.pocket,
            group,
        })
    }

    /// What must be there for it to work: `Pre-Depends`, then `Depends`.
    pub(crate) fn dependencies(&self) -> Result<Vec<Alternatives>, DebianError> {
        let mut all = self.relations("Pre-Depends")?;
        all.extend(self.relations("Depends")?);
        Ok(all)
    }

    /// What must not be there: `Conflicts` and `Breaks`.
    pub(crate) fn exclusions(&self) -> Result<Vec<Relation>, DebianError> {
        let mut all = self.relations("Conflicts")?;
        all.extend(self.relations("Breaks")?);
        Ok(all.into_iter().flat_map(|alternatives| alternatives.0).collect())
    }

    /// Whether it is what `relation` asks for, by its own name or by one that it provides.
    ///
    /// A name that is provided without a version satisfies no relation that has one (policy 7.5).
    pub(crate) fn satisfies(&self, relation: &Relation) -> Result<bool, DebianError> {
        if self.name == relation.name && relation.accepts(&self.version) {
            return Ok(true);
        }
        self.provides(relation)
    }

    /// Whether a name that it provides is what `relation` asks for.
    pub(crate) fn provides(&self, relation: &Relation) -> Result<bool, DebianError> {
        let provided = self.relations("Provides")?.into_iter().flat_map(|alternatives| alternatives.0);
        Ok(provided.filter(|provided| provided.name == relation.name).any(|provided| {
            match provided.constraint {
                Some((Comparison::Equal, version)) => relation.accepts(&version),
                _ => relation.constraint.is_none(),
            }
        }))
    }

    /// How much a plain installation wants it: 0 for `required` to 4 for `extra`.
    pub(crate) fn priority(&self) -> usize {
        const PRIORITIES: [&str; 4] = ["required", "important", "standard", "optional"];
        let priority = self.stanza.field("Priority").unwrap_or_default();
        PRIORITIES.iter().position(|name| *name == priority).unwrap_or(PRIORITIES.len())
    }

    fn relations(&self, field: &str) -> Result<Vec<Alternatives>, DebianError> {
        self.stanza.field(field).map_or(Ok(Vec::new()), |value| parse_relations(self.name.as_str(), value))
    }
}

fn spans(text: &str) -> impl Iterator<Item = Span> + '_ {
    let narrow = |offset: usize| u32::try_from(offset).expect("an index is smaller than 4 GiB");
    let mut ends = memmem::find_iter(text.as_bytes(), "\n\n").chain([text.len()]);
    let mut start = 0;
    std::iter::from_fn(move || {
        loop {
            let end = ends.next()?;
            let span = (start.min(end), end);
            start = end + 2;
            if text[span.0..span.1].trim() != "" {
                return Some((narrow(span.0), narrow(span.1)));
            }
        }
    })
}

fn slice(text: &str, span: Span) -> &str {
    &text[span.0 as usize..span.1 as usize]
}

/// Archives write `Package` first; that makes noting the names cheap.
fn name_of(pocket: Pocket, stanza: &str) -> Result<&str, DebianError> {
    let line = stanza.trim_start_matches('\n').split('\n').next().unwrap_or_default();
    line.strip_prefix("Package: ")
        .map(str::trim)
        .ok_or_else(|| DebianError::Index { pocket, line: line.chars().take(80).collect() })
}

fn missing(package: &DebianName, field: &'static str) -> DebianError {
    DebianError::PackageField { package: package.clone(), field }
}
