//! flytekit's identity of a spec: the id, the tag and the name of the image.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use imagewright_oci::ImageReference;
use md5::{Digest as _, Md5};

use crate::reader::Reader;
use crate::wire::Notation;
use crate::{
    BaseImage, FIELDS, Field, ImageSpec, Layout, PyValue, SourceCopyMode, SpecError, tag_format, tag_inputs,
};

/// What flytekit hashes: the fields that are set, in their order, with Python's values.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    fields: Vec<(Field, PyValue)>,
}

/// What is hashed is what counts: there, a number that is none is like every other such.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.to_python().to_string() == other.to_python().to_string()
    }
}

/// Fields that flytekit leaves out of the id.
const EXCLUDED: [Field; 3] = [Field::PipSecretMounts, Field::Builder, Field::RuntimePackages];

impl Identity {
    /// The fields after flytekit's `__post_init__`; the base image is added when it is known.
    pub(crate) fn new(
        reader: &Reader<'_, '_>,
        notation: Notation,
        name: &str,
        registry: Option<&str>,
        platform: &str,
    ) -> Self {
        let value = |field| match field {
            Field::Name => Some(PyValue::str(name)),
            Field::Platform => Some(PyValue::str(platform)),
            Field::Registry if registry.is_some() => registry.map(PyValue::str),
            Field::BaseImage => None,
            Field::SourceCopyMode => source_copy_mode(reader, notation),
            _ => reader.node(field).map(crate::node::Node::python),
        };
        let fields = FIELDS.iter().map(|info| info.field).filter(|field| !EXCLUDED.contains(field));
        Self { fields: fields.filter_map(|field| Some((field, value(field)?))).collect() }
    }

    /// The same with another value of one field.
    pub(crate) fn with(&self, field: Field, value: PyValue) -> Self {
        let mut fields = self.without(field).fields;
        let index = fields.partition_point(|(other, _)| *other < field);
        fields.insert(index, (field, value));
        Self { fields }
    }

    /// The same without one field.
    pub(crate) fn without(&self, field: Field) -> Self {
        Self { fields: self.fields.iter().filter(|(other, _)| *other != field).cloned().collect() }
    }

    /// The dictionary that flytekit makes of the spec.
    pub(crate) fn to_python(&self) -> PyValue {
        let entries = self.fields.iter().map(|(field, value)| (PyValue::str(field.name()), value.clone()));
        PyValue::Dict(entries.collect())
    }

    fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(Md5::digest(self.to_python().to_string()))
    }
}

/// A text from YAML stays the text that flytekit has of it; from Python's JSON it is the enumeration's member.
fn source_copy_mode(reader: &Reader<'_, '_>, notation: Notation) -> Option<PyValue> {
    let Some(node) = reader.node(Field::SourceCopyMode) else {
        let has_root = reader.node(Field::SourceRoot).is_some();
        return has_root.then_some(PyValue::CopyFileDetection(SourceCopyMode::LoadedModules));
    };
    let mode = node.as_str().and_then(SourceCopyMode::parse);
    match (notation, mode) {
        (Notation::Json, Some(mode)) => Some(PyValue::CopyFileDetection(mode)),
        _ => Some(node.python()),
    }
}

impl ImageSpec {
    /// flytekit's `ImageSpec.id`: depends on what is written only, not on any file.
    pub fn id(&self) -> String {
        self.identity.id()
    }

    /// flytekit's `ImageSpec.tag`: the id with the contents of the files that the spec names in the place of
    /// their paths. Relative paths are taken from `directory`.
    pub fn tag(&self, directory: &Path) -> Result<String, SpecError> {
        let mut identity = self.identity.without(Field::RegistryConfig);
        if self.builder_options.layout == Layout::Flyte {
            // Where sources are on this machine changes nothing; it may be a temporary folder.
            identity = identity.without(Field::SourceRoot);
        }
        if let Some(BaseImage::Spec(base)) = &self.base_image {
            identity = identity.with(Field::BaseImage, PyValue::Str(base.image_name_text(directory)?));
        }
        for (field, digest) in tag_inputs::digests(self, directory)? {
            identity = identity.with(field, PyValue::Str(digest));
        }
        let hash = identity.id().replace('-', "_");
        match &self.tag_format {
            Some(format) => tag_format::apply(format, &hash),
            None => Ok(hash),
        }
    }

    /// flytekit's `ImageSpec.image_name()`, as the reference that it is.
    pub fn image_name(&self, directory: &Path) -> Result<ImageReference, SpecError> {
        self.image_name_text(directory)?.parse().map_err(|source| SpecError::ImageName { source })
    }

    /// flytekit's `ImageSpec.image_name()`, letter for letter.
    pub fn image_name_text(&self, directory: &Path) -> Result<String, SpecError> {
        let tag = self.tag(directory)?;
        let registry = self.registry.as_ref().map(|registry| format!("{registry}/")).unwrap_or_default();
        Ok(format!("{registry}{}:{tag}", self.name))
    }
}
