//! The specs of a command that takes several.

use std::ops::Deref;

use super::{SpecRequest, read_all};
use crate::arguments::SpecArguments;
use crate::environment::Environment;
use crate::failure::Failure;

/// One of the specs of a command.
#[derive(Clone, Debug)]
pub(crate) struct OneOf {
    pub(crate) asked: SpecRequest,
    /// What lines about its image begin with, when there are several: its name, with the tag where two have one name.
    pub(crate) label: Option<String>,
}

impl Deref for OneOf {
    type Target = SpecRequest;

    fn deref(&self) -> &SpecRequest {
        &self.asked
    }
}

/// Reads all specs of a command, in their order; at least one. `options` are those that are about one image, and whether
/// each is given.
pub(crate) fn read_each(
    environment: &Environment,
    arguments: &SpecArguments,
    options: &[(&str, bool)],
) -> Result<Vec<OneOf>, Failure> {
    let requests = read_all(environment, arguments)?;
    if requests.len() == 1 {
        return Ok(requests.into_iter().map(|asked| OneOf { asked, label: None }).collect());
    }
    let name = ("--name", arguments.overrides.name.is_some());
    if let Some((option, _)) = options.iter().chain([&name]).find(|(_, is_given)| *is_given) {
        return Err(Failure::Arguments {
            message: format!("`{option}` is for one spec"),
            hint: Some("give the specs one by one".to_owned()),
        });
    }
    let label = |asked: &SpecRequest| {
        let has_namesake = requests.iter().filter(|other| other.spec.name == asked.spec.name).count() > 1;
        match asked.spec.tag(&environment.directory) {
            Ok(tag) if has_namesake => format!("{}:{tag}", asked.spec.name),
            _ => asked.spec.name.clone(),
        }
    };
    let labels: Vec<String> = requests.iter().map(label).collect();
    let labelled = requests.into_iter().zip(labels);
    Ok(labelled.map(|(asked, label)| OneOf { asked, label: Some(label) }).collect())
}

impl OneOf {
    /// Of several specs, says that it was this one.
    pub(crate) fn failed(&self, failure: impl Into<Failure>) -> Failure {
        match self.label {
            Some(_) => Failure::OfSpec { spec: self.title.clone(), source: Box::new(failure.into()) },
            None => failure.into(),
        }
    }
}
