use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Annotations, DiffId, Platform, canonical_json};

/// The `PATH` of a container whose image sets none: Docker's, and that of Debian's own images.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image configuration: what runs, and which layers it is made of.
///
/// Follows the OCI image specification, with Docker's additions (health check, shell, ...) kept as they were
/// read, in `extra`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// RFC 3339; when the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Operating system and processor, at the top level of the document.
    #[serde(flatten)]
    pub platform: Platform,
    /// How a container of it starts.
    #[serde(default)]
    pub config: ContainerConfig,
    /// The layers' diff ids.
    pub rootfs: RootFs,
    /// How each layer came about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// What else was in the document.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How a container of an image starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// User name or id, optionally with a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `NAME=value`, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// What every command is an argument of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The default command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Where a command starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Labels, sorted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Annotations>,
    /// `Volumes`, `ExposedPorts`, `StopSignal`, `Healthcheck`, `Shell` and whatever else a base has.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The layers' diff ids, lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One per layer.
    pub diff_ids: Vec<DiffId>,
}

/// How one layer came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// What made it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whether it changed the configuration only and has no layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_layer: Option<bool>,
}

impl ImageConfig {
    /// A configuration without layers for `platform`.
    pub fn new(platform: Platform) -> Self {
        Self {
            created: None,
            platform,
            config: ContainerConfig::default(),
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: Vec::new() },
            history: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The canonical bytes, which are what its digest, the image id, covers.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }
}

impl ContainerConfig {
    /// The value of an environment variable; the last one written wins.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .flatten()
            .rev()
            .find_map(|entry| entry.split_once('=').and_then(|(key, value)| (key == name).then_some(value)))
    }

    /// Sets an environment variable in its place, or behind the others.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let env = self.env.get_or_insert_default();
        let prefix = format!("{name}=");
        let entry = format!("{prefix}{value}");
        match env.iter_mut().find(|existing| existing.starts_with(&prefix)) {
            Some(existing) => *existing = entry,
            None => env.push(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_base_has_survives() {
        let text = r#"{"architecture":"amd64","config":{"Env":["A=1"],"Healthcheck":{"Test":["NONE"]},"StopSignal":"SIGINT"},"docker_version":"20","os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.to_bytes(), text.as_bytes());
    }

    #[test]
    fn environment_keeps_its_order() {
        let mut config = ContainerConfig::default();
        config.set_env("B", "1");
        config.set_env("A", "2");
        config.set_env("B", "3");
        assert_eq!(config.env.as_deref().unwrap(), ["B=3", "A=2"]);
        assert_eq!(config.env_value("B"), Some("3"));
        assert_eq!(config.env_value("C"), None);
    }
}
