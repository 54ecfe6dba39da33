use std::fmt;

use imagewright_oci::Digest;
use serde::{Deserialize, Serialize};

/// What a layer is made of, as one digest: the same inputs have the same key on every machine (design D16).
///
/// A key is known before the layer exists; the plan computes it and the store maps it to the layer it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayerKey(pub Digest);

impl fmt::Display for LayerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
