use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imagewright_oci::{Digest, ImageReference, Platform};
use imagewright_pypa::PythonVersion;
use imagewright_spec::{BuilderName, ImageSpec};
use tokio::sync::OnceCell;

use crate::BuildError;
use crate::failure::FailureKind;
use crate::native::BuildRequest;

/// The bases that specs make, each made once however many images are on top of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases {
    made: Arc<Mutex<Vec<Base>>>,
    /// The platforms that images of this command are wanted for, for their own sake or below another one.
    wanted_for: Arc<Mutex<Platforms>>,
}

/// The platforms of each image.
type Platforms = Vec<(ImageReference, Vec<Platform>)>;

/// The digest of a base, or what kind of failure it was that it could not be made for.
type Made = Arc<OnceCell<Result<Digest, FailureKind>>>;

#[derive(Debug)]
struct Base {
    wanted: Wanted,
    made: Made,
}

/// What tells bases of one command apart; the rest of their requests is the same.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    spec: ImageSpec,
    way: Way,
}

/// What of a request changes what its bases are made as.
#[derive(Clone, Debug, PartialEq)]
struct Way {
    push: bool,
    python: PythonVersion,
    /// That of the lock that was given, where there is one.
    epoch: u64,
    /// The files that are there, and are not copied.
    left_out: Vec<PathBuf>,
}

impl Way {
    fn of(request: &BuildRequest) -> Self {
        let BuildRequest { directory, left_out, push, fallback_python, epoch, .. } = request;
        // Most specs have no lock file, and make a base as one another.
        let left_out = left_out.iter().map(|path| directory.join(path)).filter(|path| path.exists());
        Self { push: *push, python: *fallback_python, epoch: *epoch, left_out: left_out.collect() }
    }
}

impl BuildRequest {
    /// Whether both make a spec that they are on top of the same image.
    pub(crate) fn makes_bases_as(&self, other: &Self) -> bool {
        Way::of(self) == Way::of(other)
    }
}

impl Wanted {
    fn of(request: &BuildRequest) -> Self {
        let mut spec = request.spec.clone();
        // As a base it is made by this builder.
        spec.builder = BuilderName::Native;
        Self { spec, way: Way::of(request) }
    }
}

impl Bases {
    /// Says what images a command is about, so that a base which several of them have is made for the platforms of all
    /// at once: for one after the other, the later would take its tag from the earlier.
    pub(crate) fn announce(&self, requests: &[&BuildRequest]) {
        let mut known = locked(&self.wanted_for);
        for request in requests {
            for spec in request.spec.with_bases() {
                // What has no name fails when it is built.
                let Ok(image) = spec.image_name(&request.directory) else { continue };
                let platforms = request.spec.platforms.iter().cloned();
                match known.iter_mut().find(|(name, _)| *name == image) {
                    Some((_, wanted)) => wanted.extend(platforms),
                    None => known.push((image, platforms.collect())),
                }
            }
        }
    }

    /// The platforms that an image was announced for; some may be there twice.
    pub(crate) fn wanted_for(&self, image: &ImageReference) -> Vec<Platform> {
        let known = locked(&self.wanted_for);
        known.iter().find(|(name, _)| name == image).map(|(_, wanted)| wanted.clone()).unwrap_or_default()
    }

    /// The base that `request` asks for: made by `make`, or by who asked for it first.
    pub(crate) async fn once(
        &self,
        request: &BuildRequest,
        image: &ImageReference,
        make: impl Future<Output = Result<Digest, BuildError>>,
    ) -> Result<Digest, BuildError> {
        let mut failure = None;
        let slot = self.slot(Wanted::of(request));
        let result = slot.get_or_init(async || {
            make.await.map_err(|error| {
                let kind = error.kind();
                failure = Some(error);
                kind
            })
        });
        match (*result.await, failure) {
            (Ok(digest), _) => Ok(digest),
            (Err(_), Some(failure)) => Err(failure),
            (Err(kind), None) => Err(BuildError::BaseFailed { image: image.clone(), kind }),
        }
    }

    /// Remembers an image that was made for its own sake: it need not be looked for where it is a base. What it was made
    /// with besides is no matter: it is at its tag, where it would be found.
    pub(crate) fn note(&self, request: &BuildRequest, digest: Digest) {
        // A base that was asked for before is the same.
        drop(self.slot(Wanted::of(request)).set(Ok(digest)));
    }

    fn slot(&self, wanted: Wanted) -> Made {
        let mut bases = locked(&self.made);
        if let Some(base) = bases.iter().find(|base| base.wanted == wanted) {
            return Arc::clone(&base.made);
        }
        let made = Made::default();
        bases.push(Base { wanted, made: Arc::clone(&made) });
        made
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
