//! Pins the interpreter of an image, and the one that compiles its modules (design D5, D7).

use imagewright_debian::{Architecture, Suite};
use imagewright_oci::Platform;
use imagewright_pypa::{PythonMinor, PythonVersion};

use crate::LockError;
use crate::archive::{ArchiveResolver, InterpreterArchive, Triple};
use crate::base_image::BaseImage;
use crate::choice::InterpreterChoice;
use crate::debian::Purpose;
use crate::document::{
    BaseLock, CompilerLock, CompilerSource, InterpreterLock, InterpreterSource, PlatformLock,
};
use crate::locker::Locker;
use crate::upgrade::Pin;

impl Locker<'_> {
    /// What was chosen; one that is added is pinned, at what the previous lock has while that still serves.
    pub(crate) async fn interpreter(
        &self,
        choice: &InterpreterChoice,
        pinned: &BaseLock,
        base: &BaseImage,
        platform: &Platform,
        previous: Option<&PlatformLock>,
    ) -> Result<InterpreterLock, LockError> {
        Ok(match choice {
            InterpreterChoice::Base { interpreter } => InterpreterLock {
                path: interpreter.path.clone(),
                minor: interpreter.minor,
                full: interpreter.full.clone(),
                source: match pinned {
                    BaseLock::Image { .. } | BaseLock::Local { .. } => InterpreterSource::Base,
                    BaseLock::Debian { .. } => InterpreterSource::Debian,
                },
            },
            InterpreterChoice::Continue { environment } => InterpreterLock {
                path: format!("{}/bin/python", environment.prefix),
                minor: environment.minor,
                full: environment.full.clone(),
                source: InterpreterSource::Base,
            },
            InterpreterChoice::Added { version } => {
                let libc = base.facts.libc.ok_or(LockError::NoLibc)?;
                let triple = Triple::of(platform, libc).ok_or_else(|| LockError::NoArchivePlatform {
                    version: *version,
                    platform: platform.clone(),
                })?;
                let previous = previous.filter(|_| !self.upgrade.includes(&Pin::Python));
                let kept = previous.and_then(|previous| added_before(previous, *version, &triple));
                match kept {
                    Some(archive) => added(archive.clone()),
                    None => added(self.archives().await.interpreter(*version, &triple).await?),
                }
            }
        })
    }

    /// The compiler of a minor release: the previous lock's, so that a layer does not change with the machine.
    pub(crate) async fn compiler(
        &self,
        interpreter: &InterpreterLock,
        previous: Option<&PlatformLock>,
    ) -> Result<CompilerLock, LockError> {
        let minor = interpreter.minor;
        let kept = previous.filter(|previous| previous.interpreter.minor == minor);
        if let Some(compiler) = kept.and_then(|previous| previous.compiler.clone()) {
            return Ok(compiler);
        }
        let is_debians = Suite::for_python(minor).python() == minor;
        let compiler = if is_debians {
            self.debian_compiler(minor).await
        } else {
            self.archive_compiler(interpreter).await
        };
        compiler.map_err(|source| LockError::NoCompiler { minor, source: Box::new(source) })
    }

    async fn debian_compiler(&self, minor: PythonMinor) -> Result<CompilerLock, LockError> {
        let own = Architecture::try_from(&Platform::of_this_machine())?;
        let packages = self.debian.solve(Suite::for_python(minor), own, Purpose::Compiler).await?;
        let source = CompilerSource::Debian { packages };
        let identity = source.identity(minor).expect("the interpreter is what the compiler is made of");
        Ok(CompilerLock { identity, minor, source })
    }

    /// The archive that is the image's interpreter compiles too, so that it is fetched once; else the newest.
    async fn archive_compiler(&self, interpreter: &InterpreterLock) -> Result<CompilerLock, LockError> {
        let wanted = match &interpreter.source {
            InterpreterSource::Archive { archive } => archive.version,
            InterpreterSource::Base | InterpreterSource::Debian => interpreter.minor.into(),
        };
        let source = CompilerSource::Archives { archives: self.archives().await.compilers(wanted).await? };
        let minor = interpreter.minor;
        let identity = source.identity(minor).expect("this machine's archive is there");
        Ok(CompilerLock { identity, minor, source })
    }

    pub(crate) async fn archives(&self) -> ArchiveResolver<'_> {
        ArchiveResolver {
            store: self.store,
            downloads: self.downloads,
            mirror: self.python_mirror,
            uv: self.uv().await,
            host: self.host,
        }
    }
}

/// The interpreter of an archive, in the image.
fn added(archive: InterpreterArchive) -> InterpreterLock {
    let minor = archive.version.minor;
    InterpreterLock {
        path: format!("{}/bin/python{minor}", archive.prefix()),
        minor,
        full: archive.version.to_string().parse().ok(),
        source: InterpreterSource::Archive { archive },
    }
}

fn added_before<'a>(
    previous: &'a PlatformLock,
    wanted: PythonVersion,
    triple: &Triple,
) -> Option<&'a InterpreterArchive> {
    match &previous.interpreter.source {
        InterpreterSource::Archive { archive }
            if wanted.accepts(&archive.version) && archive.path.as_str().contains(triple.as_str()) =>
        {
            Some(archive)
        }
        _ => None,
    }
}
