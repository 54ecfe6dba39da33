use imagewright_spec::{ImageSpec, PyValue, nearest};

use super::error::DockerError;

/// uv's own image. It has to know `pylock.toml`, as 0.7 does and later ones.
const UV_IMAGE: &str = "ghcr.io/astral-sh/uv:0.9";
/// flytekit takes the programs of the build from these.
const UV_KEY: &str = "uv_image";
const MICROMAMBA_KEY: &str = "micromamba_image";

/// What `builder_config` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DockerOptions {
    /// The image that has uv as `/uv`.
    pub(super) uv_image: String,
}

impl DockerOptions {
    /// Micromamba is not needed as long as there are no conda packages, so its image is accepted and not used.
    pub(super) fn of(spec: &ImageSpec) -> Result<Self, DockerError> {
        let mut options = Self { uv_image: UV_IMAGE.to_owned() };
        for (key, value) in &spec.builder_config {
            match (key, value) {
                (PyValue::Str(key), PyValue::Str(image)) if key == UV_KEY => {
                    options.uv_image.clone_from(image);
                }
                (PyValue::Str(key), PyValue::Str(_)) if key == MICROMAMBA_KEY => {}
                (PyValue::Str(key), value) => {
                    let known = [UV_KEY, MICROMAMBA_KEY].into_iter().find(|known| key == known);
                    return Err(match known {
                        Some(key) => DockerError::OptionValue { key, value: value.to_string() },
                        None => DockerError::Option {
                            key: key.clone(),
                            nearest: nearest(key, [UV_KEY, MICROMAMBA_KEY].into_iter()),
                        },
                    });
                }
                (key, _) => return Err(DockerError::Option { key: key.to_string(), nearest: None }),
            }
        }
        Ok(options)
    }
}
