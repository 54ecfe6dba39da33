//! What a build would do, without doing it.

use imagewright_oci::{Digest, Platform};
use imagewright_plan::{LayerDefinition, LayerKind, Plan};
use serde::Serialize;

use crate::existence::Existence;
use crate::lookup::Lookup;

/// What a build would do: the object that `plan --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// The image's name.
    pub image: String,
    /// Whether the image is there already.
    pub existence: ExistenceForecast,
    /// One for each platform.
    pub platforms: Vec<PlatformForecast>,
}

/// Whether the image is there already, as far as it can be found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ExistenceForecast {
    /// Yes or no.
    Known(Existence),
    /// It could not be found out.
    Unknown {
        /// Why.
        because: String,
    },
}

/// One platform of an image.
#[derive(Clone, Debug, Serialize)]
pub struct PlatformForecast {
    /// Which.
    pub platform: Platform,
    /// What it starts from; absent when that is assembled from Debian's packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseForecast>,
    /// How what has to be executed would be isolated; absent when nothing has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxForecast>,
    /// Its layers above the base, lowest first.
    pub layers: Vec<LayerForecast>,
}

/// Whether what has to be executed can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SandboxForecast {
    /// It can.
    Works {
        /// The sandbox's mode.
        mode: &'static str,
    },
    /// It cannot, and a build would fail.
    Missing {
        /// Why.
        because: String,
    },
}

/// The base image.
#[derive(Clone, Debug, Serialize)]
pub struct BaseForecast {
    /// Its name.
    pub reference: String,
    /// Its manifest.
    pub digest: Digest,
    /// How many layers it has.
    pub layers: usize,
    /// How many compressed bytes they have.
    pub size: u64,
}

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerForecast {
    /// What it holds.
    pub title: String,
    /// What it is for.
    pub kind: LayerKind,
    /// The digest of its inputs.
    pub key: Digest,
    /// What in the spec asks for it.
    pub because: Vec<String>,
    /// Whether it is there, or why not.
    #[serde(flatten)]
    pub lookup: Lookup,
}

impl ExistenceForecast {
    /// Unknown for the reasons that an error gives, all of them.
    pub(crate) fn unknown(error: &dyn std::error::Error) -> Self {
        Self::Unknown { because: with_causes(error) }
    }
}

/// An error with all its causes, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.extend([": ", &error.to_string()]);
        source = error.source();
    }
    text
}

impl BaseForecast {
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let origin = plan.base.origin.as_ref()?;
        Some(Self {
            reference: origin.to_string(),
            digest: origin.digest(),
            layers: plan.base.layers.len(),
            size: plan.base.layers.iter().map(|layer| layer.descriptor.size).sum(),
        })
    }
}

impl LayerForecast {
    pub(crate) fn new(definition: &LayerDefinition, lookup: Lookup) -> Self {
        Self {
            title: definition.title.clone(),
            kind: definition.kind,
            key: definition.key.0,
            because: definition.because.clone(),
            lookup,
        }
    }
}
