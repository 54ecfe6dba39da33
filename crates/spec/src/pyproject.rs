//! A project that says what it needs: `pyproject.toml`, by the specifications of the Python Packaging Authority.
//!
//! The image has its dependencies, and what is asked for of its extras and groups; the project itself is not installed.
//! `[tool.imagewright]` has the other fields of ImageSpec.

use toml::Spanned;
use toml::de::DeValue;

use crate::SpecError;
use crate::declaration::{Declaration, ProjectProblem, texts_of};
use crate::document::SpecDocument;
use crate::requirements::distribution;
use crate::toml_node::{Offset, Table, table};

const EXTRA: &str = "extra";
const GROUP: &str = "group";

impl SpecDocument {
    /// Reads the text of a `pyproject.toml`, with the dependencies of these extras and groups.
    pub fn of_project(text: &str, extras: &[String], groups: &[String]) -> Result<Self, SpecError> {
        document(text, extras, groups)
    }
}

pub(crate) fn document(text: &str, extras: &[String], groups: &[String]) -> Result<SpecDocument, SpecError> {
    let offset = Offset::default();
    let whole = table(text, offset)?;
    read(text, offset, &whole, extras, groups).map_err(SpecError::project)
}

fn read(
    text: &str,
    offset: Offset,
    whole: &Table<'_>,
    extras: &[String],
    groups: &[String],
) -> Result<SpecDocument, ProjectProblem> {
    let has_tool = below(whole, "tool").is_some_and(|tool| tool.contains_key("imagewright"));
    if !has_tool && ["project", "dependency-groups"].iter().all(|key| !whole.contains_key(*key)) {
        return Err(ProjectProblem::NoProject);
    }
    let mut declaration = Declaration::of(text, offset, whole)?;
    let project = Project { whole, name: None };
    if let Some(table) = below(whole, "project") {
        let own = Declaration::of(text, offset, table)?;
        if let Some(dynamic) = table.get("dynamic")
            && texts_of("dynamic", dynamic)?.iter().any(|key| key == "dependencies")
        {
            return Err(ProjectProblem::Dynamic);
        }
        let name = table.get("name").and_then(|name| name.get_ref().as_str());
        let project = Project { name, ..project };
        let mut dependencies = Vec::new();
        for requirement in &own.dependencies {
            project.take(requirement, &mut Vec::new(), &mut dependencies)?;
        }
        for extra in extras {
            project.extra(extra, &mut Vec::new(), &mut dependencies)?;
        }
        declaration = declaration.with_project(own, name, dependencies);
    } else if let Some(extra) = extras.first() {
        return Err(ProjectProblem::Missing { kind: EXTRA, name: extra.clone() });
    }
    for group in groups {
        project.group(group, &mut Vec::new(), &mut declaration.dependencies)?;
    }
    declaration.document()
}

struct Project<'a> {
    whole: &'a Table<'a>,
    name: Option<&'a str>,
}

impl Project<'_> {
    /// A requirement; one of the project itself is about its extras.
    fn take(
        &self,
        requirement: &str,
        stack: &mut Vec<String>,
        found: &mut Vec<String>,
    ) -> Result<(), ProjectProblem> {
        let own = self.name.and_then(distribution);
        let is_own = own.is_some() && distribution(requirement) == own;
        let extras = requirement.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let Some((extras, _)) = extras.filter(|_| is_own) else {
            found.push(requirement.to_owned());
            return Ok(());
        };
        extras.split(',').try_for_each(|extra| self.extra(extra.trim(), stack, found))
    }

    fn extra(
        &self,
        name: &str,
        stack: &mut Vec<String>,
        found: &mut Vec<String>,
    ) -> Result<(), ProjectProblem> {
        let project = below(self.whole, "project");
        let extras = project.and_then(|project| below(project, "optional-dependencies"));
        let list = listed(EXTRA, extras, name, stack)?;
        for requirement in texts_of(&format!("optional-dependencies.{name}"), list)? {
            self.take(&requirement, stack, found)?;
        }
        stack.pop();
        Ok(())
    }

    fn group(
        &self,
        name: &str,
        stack: &mut Vec<String>,
        found: &mut Vec<String>,
    ) -> Result<(), ProjectProblem> {
        let list = listed(GROUP, below(self.whole, "dependency-groups"), name, stack)?;
        let key = format!("dependency-groups.{name}");
        let wanted =
            || ProjectProblem::Type { key: key.clone(), wanted: "a list of requirements and groups" };
        for item in list.get_ref().as_array().ok_or_else(wanted)? {
            let included = item.get_ref().as_table().and_then(|table| table.get("include-group"));
            match (item.get_ref().as_str(), included.and_then(|group| group.get_ref().as_str())) {
                (Some(requirement), _) => found.push(requirement.to_owned()),
                (None, Some(group)) => self.group(group, stack, found)?,
                (None, None) => return Err(wanted()),
            }
        }
        stack.pop();
        Ok(())
    }
}

/// The list of this name, which is noted as being read. Names are compared normalised.
fn listed<'t>(
    kind: &'static str,
    lists: Option<&'t Table<'t>>,
    name: &str,
    stack: &mut Vec<String>,
) -> Result<&'t Spanned<DeValue<'t>>, ProjectProblem> {
    let normal = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    let wanted = normal(name);
    let found = lists.and_then(|lists| lists.iter().find(|(key, _)| normal(key.get_ref()) == wanted));
    let (_, list) = found.ok_or_else(|| ProjectProblem::Missing { kind, name: name.to_owned() })?;
    if stack.contains(&wanted) {
        return Err(ProjectProblem::Circle { kind, name: name.to_owned() });
    }
    stack.push(wanted);
    Ok(list)
}

fn below<'t>(table: &'t Table<'t>, key: &str) -> Option<&'t Table<'t>> {
    table.get(key)?.get_ref().as_table()
}
