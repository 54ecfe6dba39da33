use imagewright_spec::nearest;

use super::keys::{KEYS, OF_THE_PACKAGE};
use crate::environment::Environment;

const PREFIX: &str = "IMAGEWRIGHT_";
/// Variables of the tests, which set more than the command reads.
const OF_TESTS: &str = "IMAGEWRIGHT_TEST_";

/// A variable that looks like a setting and is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownVariable {
    pub(crate) name: String,
    /// The variable that was probably meant.
    pub(crate) nearest: Option<&'static str>,
}

/// All of them, by name.
pub(crate) fn unknown_variables(environment: &Environment) -> Vec<UnknownVariable> {
    let set = environment.variables.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name);
    let ours = set.filter(|name| name.starts_with(PREFIX) && !name.starts_with(OF_TESTS));
    let of_the_package = || OF_THE_PACKAGE.iter().map(|variable| variable.name);
    let known = || KEYS.iter().filter_map(|key| key.variable).chain(of_the_package());
    ours.filter(|name| known().all(|known| known != *name)).map(|name| unknown(name)).collect()
}

fn unknown(name: &str) -> UnknownVariable {
    let variables = KEYS.iter().filter_map(|key| Some((key.name.rsplit('.').next()?, key.variable?)));
    // What all have in common would make all of them near.
    let word = name.trim_start_matches(PREFIX).to_lowercase().replace('_', "-");
    let meant = nearest(&word, variables.clone().map(|(word, _)| word));
    let nearest = meant.and_then(|meant| variables.clone().find(|(word, _)| *word == meant));
    UnknownVariable { name: name.to_owned(), nearest: nearest.map(|(_, variable)| variable) }
}
