//! What an image says about where it came from, in annotations that this crate writes and reads (design D10).

use std::collections::BTreeMap;
use std::error::Error;

use imagewright_lock::Lock;
use imagewright_oci::{Annotations, Digest, canonical_json};
use imagewright_spec::{Declared, as_made};
use imagewright_store::TagRecord;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::image::{DECLARED, INPUTS, LOCK, UNSETTLED_LOCK};

/// What an image was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The digest of the spec and of every local file it reaches.
    pub declared: Digest,
    /// What that covers, by the name the user knows; empty when the image does not say.
    pub inputs: BTreeMap<String, Digest>,
    /// What it says of the lock.
    #[serde(flatten)]
    pub lock: Option<LockDigests>,
}

/// By what a lock is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockDigests {
    /// The digest of all of it.
    #[serde(rename = "lock")]
    pub whole: Digest,
    /// The digest of what was pinned before anything executed, when that is not all.
    #[serde(rename = "unsettled_lock", default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<Digest>,
}

/// An annotation of ours that is not as we write it.
#[derive(Debug, Error)]
#[error("its annotation `{name}` cannot be read: `{text}`")]
pub struct AnnotationError {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub text: String,
    /// What is wrong with that.
    pub source: Box<dyn Error + Send + Sync>,
}

impl Provenance {
    /// Of an image that is made from these inputs and this lock, which says what of a front end's wishes it has.
    pub(crate) fn of_image(declared: &Declared, lock: &Lock) -> Self {
        let inputs = as_made(&declared.inputs, &lock.inputs);
        let declared = Digest::of(&canonical_json(&inputs));
        Self { declared, inputs, lock: Some(LockDigests::of(lock)) }
    }

    /// What the annotations of an image say; nothing when another builder made it.
    pub fn of(annotations: &Annotations) -> Result<Option<Self>, AnnotationError> {
        let digest = |name| annotation(annotations, name, str::parse::<Digest>);
        let Some(declared) = digest(DECLARED)? else { return Ok(None) };
        let unsettled = digest(UNSETTLED_LOCK)?;
        let lock = digest(LOCK)?.map(|whole| LockDigests { whole, unsettled });
        let inputs = annotation(annotations, INPUTS, |text| serde_json::from_str(text))?;
        Ok(Some(Self { declared, inputs: inputs.unwrap_or_default(), lock }))
    }

    /// What the store remembers of a tag: of an image of another builder, that it says nothing. An error when another
    /// version wrote that down in another way.
    pub(crate) fn recorded(record: &TagRecord) -> Result<Option<Self>, serde_json::Error> {
        serde_json::from_value(record.inputs.clone())
    }

    /// The annotations that say it.
    pub(crate) fn annotations(&self) -> Annotations {
        let inputs = String::from_utf8(canonical_json(&self.inputs)).expect("JSON is UTF-8");
        let mut annotations = Annotations::from([
            (DECLARED.to_owned(), self.declared.to_string()),
            (INPUTS.to_owned(), inputs),
        ]);
        annotations.extend(self.lock.map(|lock| (LOCK.to_owned(), lock.whole.to_string())));
        let unsettled = self.lock.and_then(|lock| lock.unsettled);
        annotations.extend(unsettled.map(|lock| (UNSETTLED_LOCK.to_owned(), lock.to_string())));
        annotations
    }
}

impl LockDigests {
    /// Those of `lock`.
    pub fn of(lock: &Lock) -> Self {
        let (whole, unsettled) = (lock.digest(), lock.unsettled().digest());
        Self { whole, unsettled: Some(unsettled).filter(|unsettled| *unsettled != whole) }
    }

    /// Whether it is `given`, or what became of that when it was built.
    pub(crate) fn are_of(&self, given: &Lock) -> bool {
        if given.is_settled() {
            return self.whole == given.digest();
        }
        self.unsettled.unwrap_or(self.whole) == given.unsettled().digest()
    }
}

/// Reads one annotation, if it is there.
pub(crate) fn annotation<T, E: Into<Box<dyn Error + Send + Sync>>>(
    annotations: &Annotations,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, AnnotationError> {
    let Some(text) = annotations.get(name) else { return Ok(None) };
    read(text).map(Some).map_err(|error| AnnotationError { name, text: text.clone(), source: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_read_as_they_are_written() {
        let digests = LockDigests { whole: Digest::of(b"lock"), unsettled: Some(Digest::of(b"pinned")) };
        let (declared, lock) = (Digest::of(b"declared"), Some(digests));
        let inputs = BTreeMap::from([("packages".to_owned(), Digest::of(b"packages"))]);
        let written = Provenance { declared, inputs, lock };
        for said in [Some(&written), None] {
            let inputs = serde_json::to_value(said).unwrap();
            let record = TagRecord { manifest: declared, declared, inputs };
            assert_eq!(Provenance::recorded(&record).unwrap().as_ref(), said);
        }
        assert_eq!(Provenance::of(&written.annotations()).unwrap(), Some(written.clone()));
        assert_eq!(Provenance::of(&Annotations::new()).unwrap(), None);
        for (name, text) in [(DECLARED, "sha256:12"), (INPUTS, "[]"), (LOCK, ""), (UNSETTLED_LOCK, "x")] {
            let mut annotations = written.annotations();
            annotations.insert(name.to_owned(), text.to_owned());
            let error = Provenance::of(&annotations).unwrap_err();
            assert_eq!((error.name, &*error.text), (name, text));
            assert!(error.source().is_some());
        }
    }
}
