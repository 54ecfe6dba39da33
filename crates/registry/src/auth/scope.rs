use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use imagewright_oci::ImageReference;

/// What a token is asked for: actions by resource, as in `repository:library/debian:pull`.
///
/// Follows the scope grammar of the distribution project's token authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scopes(BTreeMap<String, BTreeSet<String>>);

impl Scopes {
    pub(crate) fn pull(repository: &ImageReference) -> Self {
        Self::default().and(repository, &["pull"])
    }

    pub(crate) fn push(repository: &ImageReference) -> Self {
        Self::default().and(repository, &["pull", "push"])
    }

    /// What a mount needs: to push to one repository and to pull from the other, in one token.
    pub(crate) fn mount(to: &ImageReference, from: &ImageReference) -> Self {
        Self::push(to).and(from, &["pull"])
    }

    /// Reads the value of a challenge's `scope`: scopes separated by blanks.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scopes = Self::default();
        for (resource, actions) in text.split_ascii_whitespace().filter_map(|scope| scope.rsplit_once(':')) {
            let actions = actions.split(',').map(str::to_owned);
            scopes.0.entry(resource.to_owned()).or_default().extend(actions);
        }
        scopes
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (resource, actions) in &other.0 {
            both.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
        both
    }

    /// Whether a token for `self` serves a request that needs `needed`.
    pub(crate) fn covers(&self, needed: &Self) -> bool {
        needed
            .0
            .iter()
            .all(|(resource, actions)| self.0.get(resource).is_some_and(|has| actions.is_subset(has)))
    }

    /// One text per resource, for the `scope` parameters of a token request.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(resource, actions)| {
            let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
            format!("{resource}:{}", actions.join(","))
        })
    }

    fn and(mut self, repository: &ImageReference, actions: &[&str]) -> Self {
        let resource = format!("repository:{}", repository.repository());
        self.0.entry(resource).or_default().extend(actions.iter().map(|&action| action.to_owned()));
        self
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_joins_and_covers() {
        let repository: ImageReference = "localhost:5000/team/app".parse().unwrap();
        let other: ImageReference = "localhost:5000/base".parse().unwrap();
        let push = Scopes::push(&repository);
        assert_eq!(push.to_string(), "repository:team/app:pull,push");
        assert_eq!(
            Scopes::mount(&repository, &other).to_string(),
            "repository:base:pull repository:team/app:pull,push"
        );
        assert!(push.covers(&Scopes::pull(&repository)));
        assert!(!push.covers(&Scopes::pull(&other)));
        assert!(!Scopes::pull(&repository).covers(&push));
        assert_eq!(Scopes::parse("repository:team/app:push,pull").to_string(), push.to_string());
        assert_eq!(Scopes::parse("registry:catalog:*").to_string(), "registry:catalog:*");
        assert_eq!(
            Scopes::parse("repository:localhost:5000/x:pull").to_string(),
            "repository:localhost:5000/x:pull"
        );
    }
}
