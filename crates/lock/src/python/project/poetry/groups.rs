//! Which dependency groups are installed: all that are not optional, and what the user says.

use std::collections::BTreeSet;

use imagewright_pypa::PackageName;
use toml::Value;

use super::Unknown;
use super::wire::{Lock, Pyproject};
use crate::python::project::choice::Chosen;

/// What a project's own dependencies are called.
const MAIN: &str = "main";

/// The groups that are installed.
#[derive(Debug)]
pub(super) struct Groups(BTreeSet<PackageName>);

impl Groups {
    pub(super) fn of(pyproject: &Pyproject, lock: &Lock, words: &[Chosen]) -> Result<Self, Unknown> {
        let named: PackageName = MAIN.parse().expect("it is a name");
        let known = known(pyproject, lock);
        let mut with: BTreeSet<PackageName> =
            known.iter().filter(|name| !is_optional(pyproject, name)).cloned().chain([named]).collect();
        let (mut without, mut only) = (BTreeSet::new(), BTreeSet::new());
        for word in words {
            let (text, set) = match word {
                Chosen::Group(text) => (text, &mut with),
                Chosen::NoGroup(text) => (text, &mut without),
                Chosen::OnlyGroup(text) => (text, &mut only),
                Chosen::AllGroups => {
                    with.extend(known.iter().cloned());
                    continue;
                }
                _ => continue,
            };
            let name = text.parse().ok().filter(|name| known.contains(name) || name.as_str() == MAIN);
            let unknown = || {
                let known = known.iter().map(ToString::to_string).collect();
                Unknown { kind: "group", name: text.clone(), known }
            };
            set.insert(name.ok_or_else(unknown)?);
        }
        Ok(Self(if only.is_empty() { with.difference(&without).cloned().collect() } else { only }))
    }

    /// Whether a group is installed.
    pub(super) fn has(&self, name: &str) -> bool {
        name.parse::<PackageName>().is_ok_and(|name| self.0.contains(&name))
    }

    /// Whether the project's own dependencies are.
    pub(super) fn has_main(&self) -> bool {
        self.has(MAIN)
    }
}

/// All groups but the main one.
fn known(pyproject: &Pyproject, lock: &Lock) -> BTreeSet<PackageName> {
    let of_poetry = pyproject.table(&["tool", "poetry", "group"]);
    let standard = pyproject.table(&["dependency-groups"]);
    let legacy = pyproject.table(&["tool", "poetry", "dev-dependencies"]).map(|_| "dev");
    let tables = of_poetry.into_iter().chain(standard).flat_map(toml::Table::keys).map(String::as_str);
    let locked = lock.package.iter().flat_map(|package| &package.groups).map(String::as_str);
    let names = tables.chain(legacy).chain(locked).filter(|name| *name != MAIN);
    names.filter_map(|name| name.parse().ok()).collect()
}

fn is_optional(pyproject: &Pyproject, name: &PackageName) -> bool {
    let groups = pyproject.table(&["tool", "poetry", "group"]);
    let is_same = |text: &String| text.parse::<PackageName>().is_ok_and(|other| other == *name);
    let group = groups.into_iter().flatten().find(|(text, _)| is_same(text));
    group.and_then(|(_, group)| group.get("optional")).and_then(Value::as_bool).unwrap_or(false)
}
