//! Typed access to the entries of one spec, collecting what is wrong with them.

use std::collections::BTreeMap;

use crate::node::{Content, Key, Node, Scalar};
use crate::wire::field;
use crate::{FIELDS, Field, Position, Problem, ProblemKind, PyValue, Wanted};

/// What other tools call what a field is, where the letters do not show it.
const OTHER_NAMES: &[(&str, Field)] = &[
    ("apt", Field::AptPackages),
    ("base", Field::BaseImage),
    ("conda", Field::CondaPackages),
    ("cmd", Field::Commands),
    ("environment", Field::Env),
    ("from", Field::BaseImage),
    ("image", Field::BaseImage),
    ("pip", Field::Packages),
    ("python", Field::PythonVersion),
    ("run", Field::Commands),
    ("tag", Field::TagFormat),
];

/// The fields that one spec sets.
pub(crate) struct Reader<'a, 'p> {
    /// Of this spec in the outermost one, such as `base_image.`.
    path: &'a str,
    nodes: BTreeMap<Field, &'a Node>,
    problems: &'p mut Vec<Problem>,
}

impl<'a, 'p> Reader<'a, 'p> {
    /// Sorts the entries by field; names that are no field's are problems. `null` is what an absent one is.
    pub(crate) fn new(path: &'a str, entries: &'a [(Key, Node)], problems: &'p mut Vec<Problem>) -> Self {
        let mut reader = Self { path, nodes: BTreeMap::new(), problems };
        for (key, node) in entries {
            match field(&key.scalar.text) {
                Some(Field::Name) => reader.insert(Field::Name, node),
                Some(_) if node.is_null() => {}
                Some(field) => reader.insert(field, node),
                None => {
                    let name = key.scalar.text.clone();
                    let meant =
                        OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, field)| field.name());
                    let nearest = meant.or_else(|| nearest(&name, FIELDS.iter().map(|info| info.name)));
                    reader.problems.push(Problem {
                        path: format!("{path}{name}"),
                        position: key.position,
                        kind: ProblemKind::UnknownField { name, nearest },
                    });
                }
            }
        }
        reader
    }

    fn insert(&mut self, field: Field, node: &'a Node) {
        self.nodes.insert(field, node);
    }

    pub(crate) fn node(&self, field: Field) -> Option<&'a Node> {
        self.nodes.get(&field).copied()
    }

    /// Notes a problem with a whole field.
    pub(crate) fn problem(&mut self, field: Field, kind: ProblemKind) {
        let position = self.node(field).and_then(|node| node.position);
        self.problem_at(field, "", position, kind);
    }

    /// Notes a problem with one item of a field's list.
    pub(crate) fn problem_in(&mut self, field: Field, index: usize, kind: ProblemKind) {
        let position = match self.node(field).map(|node| &node.content) {
            Some(Content::Sequence(items)) => items.get(index).and_then(|item| item.position),
            _ => None,
        };
        self.problem_at(field, &format!("[{index}]"), position, kind);
    }

    /// Notes a problem with what is at `below` in a field.
    pub(crate) fn problem_at(
        &mut self,
        field: Field,
        below: &str,
        position: Option<Position>,
        kind: ProblemKind,
    ) {
        self.problems.push(Problem { path: format!("{}{field}{below}", self.path), position, kind });
    }

    /// What `parse` makes of a value that is there.
    pub(crate) fn check<T, U>(
        &mut self,
        field: Field,
        value: Option<T>,
        parse: impl FnOnce(T) -> Result<U, ProblemKind>,
    ) -> Option<U> {
        match parse(value?) {
            Ok(parsed) => Some(parsed),
            Err(kind) => {
                self.problem(field, kind);
                None
            }
        }
    }

    /// A text with something in it.
    pub(crate) fn text(&mut self, field: Field) -> Option<String> {
        let text = self.any_text(field)?;
        if text.is_empty() {
            self.problem(field, ProblemKind::Empty);
            return None;
        }
        Some(text)
    }

    /// A text; the empty one is as if it were not there, as in flytekit.
    pub(crate) fn non_empty_text(&mut self, field: Field) -> Option<String> {
        self.any_text(field).filter(|text| !text.is_empty())
    }

    fn any_text(&mut self, field: Field) -> Option<String> {
        let node = self.node(field)?;
        let Some(text) = node.as_str() else {
            self.problem(field, wrong_type(Wanted::Text, node));
            return None;
        };
        if text.contains('\0') {
            self.problem(field, ProblemKind::Nul);
            return None;
        }
        Some(text.to_owned())
    }

    /// A text, or a number as it is written; the empty text is as if it were not there.
    pub(crate) fn text_or_number(&mut self, field: Field) -> Option<String> {
        let node = self.node(field)?;
        let text = self.scalar_text(field, "", node)?;
        if text.is_empty() { None } else { Some(text) }
    }

    /// Any value without parts, as it is written.
    pub(crate) fn scalar_text(&mut self, field: Field, below: &str, node: &Node) -> Option<String> {
        let kind = match &node.content {
            Content::Scalar(Scalar { text, .. }) if text.contains('\0') => ProblemKind::Nul,
            Content::Scalar(Scalar { text, value }) if *value != PyValue::None => return Some(text.clone()),
            _ => wrong_type(Wanted::TextOrNumber, node),
        };
        self.problem_at(field, below, node.position, kind);
        None
    }

    /// A list of texts; empty when it is not there.
    pub(crate) fn texts(&mut self, field: Field) -> Vec<String> {
        let Some(node) = self.node(field) else { return Vec::new() };
        let Content::Sequence(items) = &node.content else {
            self.problem(field, wrong_type(Wanted::Texts, node));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) if text.contains('\0') => self.problem_in(field, index, ProblemKind::Nul),
                Some(text) => texts.push(text.to_owned()),
                None => self.problem_in(field, index, wrong_type(Wanted::Text, item)),
            }
        }
        texts
    }

    /// The entries of a mapping; none when it is not there.
    pub(crate) fn mapping(&mut self, field: Field) -> &'a [(Key, Node)] {
        match self.node(field) {
            None => &[],
            Some(Node { content: Content::Mapping(entries), .. }) => entries,
            Some(node) => {
                self.problem(field, wrong_type(Wanted::Mapping, node));
                &[]
            }
        }
    }
}

pub(crate) fn wrong_type(wanted: Wanted, node: &Node) -> ProblemKind {
    let written = match &node.content {
        Content::Scalar(scalar) if !node.is_null() => Some(scalar.text.clone()),
        _ => None,
    };
    ProblemKind::WrongType { wanted, got: node.describe(), written }
}

/// The known name that `name` was most likely meant to be.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let score = |other: &str| {
        let contained = name.len() > 2 && (other.contains(&name) || name.contains(other));
        strsim::jaro_winkler(&name, other) + if contained { 0.2 } else { 0.0 }
    };
    let best = known.map(|other| (score(other), other)).max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 > 0.8).then_some(best.1)
}
