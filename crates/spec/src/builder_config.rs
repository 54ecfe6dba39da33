//! `builder_config`: images that flytekit's own builder, and the docker builder, take their tools from.

use crate::reader::{Reader, nearest, wrong_type};
use crate::{BuilderName, Field, ProblemKind, Wanted};

/// Images with tools; empty texts are what unset ones are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuilderConfig {
    /// The image that has uv as `/uv`.
    pub uv_image: Option<String>,
    /// The image that has micromamba.
    pub micromamba_image: Option<String>,
}

const UV_IMAGE: &str = "uv_image";
const MICROMAMBA_IMAGE: &str = "micromamba_image";

impl BuilderConfig {
    /// The keys that are set.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = [(UV_IMAGE, &self.uv_image), (MICROMAMBA_IMAGE, &self.micromamba_image)];
        keys.into_iter().filter(|(_, image)| image.is_some()).map(|(key, _)| key)
    }
}

/// What the field says; the keys of other builders are theirs.
pub(crate) fn builder_config(reader: &mut Reader<'_, '_>, builder: BuilderName) -> BuilderConfig {
    let mut config = BuilderConfig::default();
    let entries = reader.mapping(Field::BuilderConfig);
    if !matches!(builder, BuilderName::Native | BuilderName::Docker) {
        return config;
    }
    for (key, value) in entries {
        let name = key.scalar.text.as_str();
        let below = format!(".{name}");
        let image = match name {
            UV_IMAGE => &mut config.uv_image,
            MICROMAMBA_IMAGE => &mut config.micromamba_image,
            _ => {
                let nearest = nearest(name, [UV_IMAGE, MICROMAMBA_IMAGE].into_iter());
                let kind = ProblemKind::UnknownOption { name: name.to_owned(), nearest };
                reader.problem_at(Field::BuilderConfig, &below, key.position, kind);
                continue;
            }
        };
        match value.as_str() {
            Some(text) => *image = Some(text.to_owned()).filter(|text| !text.is_empty()),
            None if value.is_null() => {}
            None => {
                let kind = wrong_type(Wanted::Text, value);
                reader.problem_at(Field::BuilderConfig, &below, value.position, kind);
            }
        }
    }
    config
}
