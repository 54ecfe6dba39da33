use std::fmt;

use url::Url;

/// Where a repository is, as git takes it: a URL, or `user@host:path`. Without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    /// Of a repository that the user names.
    pub(crate) fn of(url: &Url) -> Self {
        Self(url.as_str().to_owned())
    }

    /// Of a submodule, which may be told from where the repository is that has it.
    pub(super) fn beside(&self, written: &str) -> Self {
        if !written.starts_with("./") && !written.starts_with("../") {
            return Self(written.to_owned());
        }
        let (mut above, mut rest, mut separator) = (self.0.trim_end_matches('/'), written, '/');
        loop {
            if let Some(further) = rest.strip_prefix("../") {
                let end = above.rfind(['/', ':']).unwrap_or(0);
                separator = above[end..].chars().next().unwrap_or('/');
                (above, rest) = (&above[..end], further);
            } else if let Some(further) = rest.strip_prefix("./") {
                rest = further;
            } else {
                return Self(format!("{above}{separator}{}", rest.trim_end_matches('/')));
            }
        }
    }

    /// The URL that it is, if it is one.
    pub(super) fn url(&self) -> Option<Url> {
        self.0.contains("://").then(|| Url::parse(&self.0).ok())?
    }

    /// As git takes it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_may_be_told_from_where_the_repository_is() {
        for (above, written, expected) in [
            ("https://host/o/x.git", "../y.git", "https://host/o/y.git"),
            ("https://host/o/x.git/", "../../p/y/", "https://host/p/y"),
            ("https://host/o/x", "./y", "https://host/o/x/y"),
            ("git@host:o/x", "../y", "git@host:o/y"),
            ("git@host:x", "../y", "git@host:y"),
            ("https://host/o/x", "https://other/y", "https://other/y"),
            ("https://host/o/x", "git@other:o/y", "git@other:o/y"),
        ] {
            assert_eq!(Address(above.to_owned()).beside(written).as_str(), expected, "{above} {written}");
        }
    }
}
