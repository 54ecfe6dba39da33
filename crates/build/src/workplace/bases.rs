use std::sync::{Arc, Mutex, PoisonError};

use imagewright_oci::{Digest, ImageReference};
use imagewright_pypa::PythonVersion;
use imagewright_spec::{BuilderName, ImageSpec};
use tokio::sync::OnceCell;

use crate::BuildError;
use crate::failure::FailureKind;
use crate::native::BuildRequest;

/// The bases that specs make, each made once however many images are on top of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases(Arc<Mutex<Vec<Base>>>);

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
    push: bool,
    python: PythonVersion,
}

impl Wanted {
    fn of(request: &BuildRequest) -> Self {
        let mut spec = request.spec.clone();
        // As a base it is made by this builder.
        spec.builder = BuilderName::Native;
        Self { spec, push: request.push, python: request.fallback_python }
    }
}

impl Bases {
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

    /// Remembers an image that was made for its own sake: it need not be looked for where it is a base.
    pub(crate) fn note(&self, request: &BuildRequest, digest: Digest) {
        // A base that was asked for before is the same.
        drop(self.slot(Wanted::of(request)).set(Ok(digest)));
    }

    fn slot(&self, wanted: Wanted) -> Made {
        let mut bases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = bases.iter().find(|base| base.wanted == wanted) {
            return Arc::clone(&base.made);
        }
        let made = Made::default();
        bases.push(Base { wanted, made: Arc::clone(&made) });
        made
    }
}
