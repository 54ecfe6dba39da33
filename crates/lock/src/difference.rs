use std::collections::{BTreeMap, BTreeSet};

/// The names whose values differ, or that only one side has.
pub fn differing_names<'a, V: PartialEq>(
    one: &'a BTreeMap<String, V>,
    other: &'a BTreeMap<String, V>,
) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).collect()
}
