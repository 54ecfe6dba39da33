//! A package index on loopback, with or without a password.

use imagewright_testkit::index::TestIndex;

use super::wheel::builder;

/// An index that is filled.
pub(crate) struct Index(TestIndex);

/// An index that answers.
pub(crate) struct Running {
    index: TestIndex,
    /// Where: `127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Default for Index {
    fn default() -> Self {
        Self(TestIndex::start())
    }
}

impl Index {
    pub(crate) fn with(self, name: &str, version: &str, tag: &str, requires: &[&str]) -> Self {
        self.0.add(&builder(name, version, tag, requires));
        self
    }

    pub(crate) fn with_source(self, name: &str, version: &str) -> Self {
        self.0.add_file(&format!("{name}-{version}.tar.gz"), b"not opened");
        self
    }

    /// Asks for the `Authorization` header `Basic {encoded}`.
    pub(crate) fn with_password(self, encoded: &str) -> Self {
        self.0.ask_for_password(encoded);
        self
    }

    pub(crate) fn without_hashes(self) -> Self {
        self.0.conceal_hashes();
        self
    }

    /// With pages that state no sizes.
    pub(crate) fn without_sizes(self) -> Self {
        self.0.speak_html_only();
        self
    }

    pub(crate) fn start(self) -> Running {
        Running { address: self.0.host(), index: self.0 }
    }
}

impl Running {
    pub(crate) fn url(&self) -> String {
        self.index.url()
    }

    pub(crate) fn url_with(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}/simple", self.address)
    }

    /// How often it was asked for something.
    pub(crate) fn requests(&self) -> usize {
        self.index.requests().len()
    }
}
