//! Which pins of a lock that nobody here made their sources confirm.
//!
//! Such a lock comes from whoever may push to a repository. What it pins of packages is versions, which uv looks for
//! in the indexes of this machine. The rest has digests, and programs of it are started: so it has to be what
//! Debian's signed indexes, the mirror of Python's archives or the base's registry say that there is.

use imagewright_pypa::PythonMinor;
use imagewright_recipe::{Base, Recipe};

use crate::LockError;
use crate::archive::InterpreterArchive;
use crate::document::{BaseLock, CompilerLock, CompilerSource, InterpreterSource, PlatformLock};
use crate::locker::Locker;
use crate::upgrade::Pin;

impl Locker<'_> {
    /// The pins that are to be chosen anew, because their sources do not have them as `foreign` says.
    ///
    /// Nothing is asked about what the recipe has no use for, so that a lock sends nobody anywhere.
    pub async fn unconfirmed(&self, recipe: &Recipe, foreign: &PlatformLock) -> Result<Vec<Pin>, LockError> {
        let is_base_there = match (&recipe.base, &foreign.base) {
            (Base::Image(wanted), BaseLock::Image { reference, digest }) if wanted == reference => {
                let pinned = reference.with_digest(*digest);
                let found = self.client.resolve_manifest(&pinned).await;
                found.map_err(|source| LockError::registry(&pinned, source))?.is_some()
            }
            _ => true,
        };
        let compiler = foreign.compiler.as_ref().filter(|_| recipe.packages().bytecode);
        let (mut debian, mut archives) = (Vec::new(), Vec::new());
        if let (Base::Debian, BaseLock::Debian { packages }) = (&recipe.base, &foreign.base) {
            debian.push(packages);
        }
        if let InterpreterSource::Archive { archive } = &foreign.interpreter.source {
            archives.push(archive);
        }
        match compiler.map(|compiler| &compiler.source) {
            Some(CompilerSource::Debian { packages }) => debian.push(packages),
            Some(CompilerSource::Archives { archives: some }) => archives.extend(some.values()),
            None => {}
        }
        let is_named = compiler.is_none_or(|compiler| is_named(compiler, foreign.interpreter.minor));
        let confirmed = [
            (Pin::Base, is_base_there),
            (Pin::Debian, is_named && self.debian.confirms(&debian).await?),
            (Pin::Python, is_named && self.are_confirmed(&archives).await?),
        ];
        Ok(confirmed.into_iter().filter(|(_, is_confirmed)| !is_confirmed).map(|(pin, _)| pin).collect())
    }

    async fn are_confirmed(&self, archives: &[&InterpreterArchive]) -> Result<bool, LockError> {
        for archive in archives {
            if !self.archives().await.confirms(archive).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a compiler is for the interpreter's release, and what it is said to be: bytecode is known by that.
fn is_named(compiler: &CompilerLock, minor: PythonMinor) -> bool {
    compiler.minor == minor && compiler.source.identity(minor).as_ref() == Some(&compiler.identity)
}
