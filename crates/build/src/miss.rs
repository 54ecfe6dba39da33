//! Why a layer has to be made, told against the last build of the image in the words of the spec.

use std::collections::BTreeMap;
use std::fmt;

use imagewright_lock::differing_names;
use imagewright_plan::{LayerDefinition, LayerKind};
use serde::Serialize;

use crate::last_build::KnownLayer;
use crate::lookup::Absence;

/// Why a layer is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum MissReason {
    /// This machine has built no image of the name.
    FirstBuild,
    /// The last build had nothing of the kind.
    New {
        /// What is new: `httpx 0.28.1`, or the layer's title.
        subject: String,
        /// Where the spec asks for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        origin: Option<String>,
    },
    /// Something that the layer's bytes depend on is not what it was.
    Changed(InputChange),
    /// The last build had it elsewhere.
    Moved {
        /// `six 1.17.0`.
        subject: String,
        /// The layer that it was in.
        from: String,
    },
    /// It was made before, and the store keeps it no longer.
    Removed,
    /// It was made before, and its bytes, or what the store knows of them, are damaged or gone.
    Damaged,
}

/// An input of a layer that is not what it was in the last build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputChange {
    /// Its name in the plan: `package numpy`, `epoch`, `bytecode`, `file etc/passwd`.
    pub input: String,
    /// What it was; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// What it is; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Where the spec asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// The prefix of inputs that are distributions or Debian packages.
const PACKAGE: &str = "package ";

/// Why a layer that is not there is not there. `last` is what the last build had, `absence` what became of
/// an equal layer.
pub(crate) fn reasons(
    definition: &LayerDefinition,
    last: Option<&[KnownLayer]>,
    absence: Absence,
) -> Vec<MissReason> {
    match absence {
        Absence::Damaged => return vec![MissReason::Damaged],
        Absence::Removed => return vec![MissReason::Removed],
        Absence::Unknown => {}
    }
    let Some(last) = last else { return vec![MissReason::FirstBuild] };
    if last.iter().any(|layer| layer.key == definition.key.0) {
        return vec![MissReason::Removed];
    }
    match last.iter().find(|layer| is_counterpart(definition, layer)) {
        Some(before) => changes(definition, &before.inputs).into_iter().map(MissReason::Changed).collect(),
        None => new(definition, last),
    }
}

/// Whether a layer of the last build has the place that `definition` has now.
fn is_counterpart(definition: &LayerDefinition, before: &KnownLayer) -> bool {
    let same_kind = definition.kind == before.kind;
    match definition.kind {
        LayerKind::Package => same_kind && packages(&definition.inputs).eq(packages(&before.inputs)),
        LayerKind::Packages | LayerKind::Copy => same_kind && definition.title == before.title,
        _ => same_kind,
    }
}

fn packages(inputs: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    inputs.keys().filter_map(|name| name.strip_prefix(PACKAGE))
}

fn changes(definition: &LayerDefinition, before: &BTreeMap<String, String>) -> Vec<InputChange> {
    let now = &definition.inputs;
    let change = |name: &String| InputChange {
        input: name.clone(),
        then: before.get(name).cloned(),
        now: now.get(name).cloned(),
        origin: definition.origins.get(name).cloned(),
    };
    differing_names(now, before).into_iter().map(change).collect()
}

/// A layer without a counterpart: what in it is new, and what was in another layer.
fn new(definition: &LayerDefinition, last: &[KnownLayer]) -> Vec<MissReason> {
    let found = definition.inputs.iter().filter_map(|(input, value)| {
        let name = input.strip_prefix(PACKAGE)?;
        let subject = format!("{name} {}", version(value));
        let before = last.iter().find(|layer| layer.inputs.contains_key(input));
        Some(match before {
            Some(layer) => MissReason::Moved { subject, from: layer.title.clone() },
            None => MissReason::New { subject, origin: definition.origins.get(input).cloned() },
        })
    });
    let found: Vec<MissReason> = found.collect();
    if found.is_empty() {
        return vec![MissReason::New { subject: definition.title.clone(), origin: None }];
    }
    found
}

/// The version of an input such as `2.2.3 sha256:…`.
fn version(value: &str) -> &str {
    value.split(' ').next().unwrap_or(value)
}

impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstBuild => f.write_str("this machine has not built the image before"),
            Self::New { subject, origin } => write!(f, "{subject} is new{}", Place(origin.as_deref())),
            Self::Changed(change) => change.fmt(f),
            Self::Moved { subject, from } => write!(f, "{subject} was in the layer `{from}`"),
            Self::Removed => f.write_str("the store keeps it no longer"),
            Self::Damaged => f.write_str("what the store has of it is damaged"),
        }
    }
}

impl fmt::Display for InputChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place(self.origin.as_deref());
        if let Some(name) = self.input.strip_prefix(PACKAGE) {
            return match (self.then.as_deref().map(version), self.now.as_deref().map(version)) {
                (Some(then), Some(now)) if then == now => write!(f, "another file of {name} {now}{place}"),
                (Some(then), Some(now)) => write!(f, "{name} {then} -> {now}{place}"),
                (None, Some(now)) => write!(f, "{name} {now} is new{place}"),
                (then, None) => write!(f, "{name} {} is gone", then.unwrap_or_default()),
            };
        }
        if let Some(path) = self.input.strip_prefix("file ") {
            return match (&self.then, &self.now) {
                (Some(_), Some(_)) => write!(f, "/{path} changed"),
                (None, _) => write!(f, "/{path} is new"),
                (_, None) => write!(f, "/{path} is gone"),
            };
        }
        let name = match self.input.as_str() {
            "bytecode" => "compiler",
            "format" => "layer format",
            name => name,
        };
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "{name} {} -> {}{place}", word(&self.then), word(&self.now))
    }
}

/// ` (packages[1])`, or nothing.
struct Place<'a>(Option<&'a str>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}

#[cfg(test)]
mod tests {
    use imagewright_layer::LayerKey;
    use imagewright_oci::Digest;
    use imagewright_plan::Content;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn definition(kind: LayerKind, title: &str, inputs: &[(&str, &str)]) -> LayerDefinition {
        LayerDefinition {
            key: LayerKey(Digest::of(format!("{kind:?} {inputs:?}").as_bytes())),
            kind,
            title: title.to_owned(),
            inputs: map(inputs),
            because: Vec::new(),
            origins: map(&[("package numpy", "packages[1]"), ("package httpx", "requirements.txt")]),
            content: Content::Tree(Vec::new()),
        }
    }

    fn known(kind: LayerKind, title: &str, inputs: &[(&str, &str)]) -> KnownLayer {
        let LayerDefinition { key, kind, title, inputs, .. } = definition(kind, title, inputs);
        KnownLayer { key: key.0, kind, title, inputs }
    }

    fn last() -> Vec<KnownLayer> {
        vec![
            known(LayerKind::Skeleton, "skeleton", &[("epoch", "1"), ("file etc/passwd", "file 644 a")]),
            known(
                LayerKind::Package,
                "numpy 2.2.3",
                &[("bytecode", "Debian 3.11.2-6"), ("epoch", "1"), ("package numpy", "2.2.3 sha256:a")],
            ),
            known(LayerKind::Packages, "small packages (3 of 16)", &[("package six", "1.16.0 sha256:b")]),
        ]
    }

    fn told(definition: &LayerDefinition, last: Option<&[KnownLayer]>, absence: Absence) -> String {
        let reasons = reasons(definition, last, absence);
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn check(kind: LayerKind, title: &str, inputs: &[(&str, &str)], expected: &str) {
        assert_eq!(told(&definition(kind, title, inputs), Some(&last()), Absence::Unknown), expected);
    }

    #[test]
    fn says_which_inputs_differ() {
        let numpy = [("bytecode", "Debian 3.11.2-6"), ("epoch", "1"), ("package numpy", "2.3.0 sha256:c")];
        check(LayerKind::Package, "numpy 2.3.0", &numpy, "numpy 2.2.3 -> 2.3.0 (packages[1])");
        let rebuilt = [("bytecode", "Debian 3.11.2-6"), ("epoch", "1"), ("package numpy", "2.2.3 sha256:d")];
        check(LayerKind::Package, "numpy 2.2.3", &rebuilt, "another file of numpy 2.2.3 (packages[1])");
        let later = [("bytecode", "Debian 3.11.2-7"), ("epoch", "2"), ("package numpy", "2.2.3 sha256:a")];
        let expected = "compiler Debian 3.11.2-6 -> Debian 3.11.2-7; epoch 1 -> 2";
        check(LayerKind::Package, "numpy 2.2.3", &later, expected);
        let user = [("epoch", "1"), ("file etc/passwd", "file 644 b"), ("file root", "directory 700")];
        check(LayerKind::Skeleton, "skeleton", &user, "/etc/passwd changed; /root is new");
    }

    #[test]
    fn says_what_is_new_gone_or_was_elsewhere() {
        let title = "small packages (3 of 16)";
        let inputs = [("package httpx", "0.28.1 sha256:e")];
        check(
            LayerKind::Packages,
            title,
            &inputs,
            "httpx 0.28.1 is new (requirements.txt); six 1.16.0 is gone",
        );
        check(LayerKind::Package, "httpx 0.28.1", &inputs, "httpx 0.28.1 is new (requirements.txt)");
        let six = [("package six", "1.16.0 sha256:b")];
        check(
            LayerKind::Package,
            "six 1.16.0",
            &six,
            "six 1.16.0 was in the layer `small packages (3 of 16)`",
        );
        check(LayerKind::Removal, "removes numpy", &[], "removes numpy is new");
    }

    #[test]
    fn says_what_became_of_a_layer_that_was_there() {
        let six = definition(
            LayerKind::Packages,
            "small packages (3 of 16)",
            &[("package six", "1.16.0 sha256:b")],
        );
        assert_eq!(told(&six, Some(&last()), Absence::Unknown), "the store keeps it no longer");
        assert_eq!(told(&six, None, Absence::Removed), "the store keeps it no longer");
        assert_eq!(told(&six, None, Absence::Unknown), "this machine has not built the image before");
        assert_eq!(told(&six, Some(&last()), Absence::Damaged), "what the store has of it is damaged");
    }
}
