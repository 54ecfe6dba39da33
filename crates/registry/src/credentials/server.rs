//! How credential files spell the name of a registry.

use imagewright_oci::{DEFAULT_REGISTRY, ImageReference};

/// The spelling that `docker login` uses for Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a credential helper is asked for.
pub(super) fn server_address(registry: &str) -> String {
    if registry == DEFAULT_REGISTRY { DOCKER_HUB_KEY.to_owned() } else { registry.to_owned() }
}

/// The normal form of a key: no scheme, no API version, no trailing slash, one name for Docker Hub.
pub(super) fn normal_key(key: &str) -> String {
    let bare = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    let (host, path) = bare.split_once('/').map_or((bare, None), |(host, path)| (host, Some(path)));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
        other => other,
    };
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

pub(super) fn same_registry(key: &str, registry: &str) -> bool {
    normal_key(key) == normal_key(registry)
}

/// The normal keys that apply to a repository, the most specific first, as Podman matches them.
pub(super) fn matching_keys(repository: &ImageReference) -> Vec<String> {
    let registry = normal_key(repository.registry());
    let components: Vec<&str> = repository.repository().split('/').collect();
    (0..=components.len())
        .rev()
        .map(|count| {
            std::iter::once(registry.as_str())
                .chain(components[..count].iter().copied())
                .collect::<Vec<_>>()
                .join("/")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_registry() {
        for key in ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"] {
            assert_eq!(normal_key(key), "docker.io", "{key}");
        }
        for key in ["GHCR.io", "https://ghcr.io", "http://ghcr.io/v2/", "ghcr.io/"] {
            assert_eq!(normal_key(key), "ghcr.io", "{key}");
        }
        assert_eq!(normal_key("quay.io/team"), "quay.io/team");
        assert_eq!(server_address("docker.io"), "https://index.docker.io/v1/");
    }

    #[test]
    fn keys_from_the_most_specific() {
        let reference: ImageReference = "localhost:5000/team/app:1".parse().unwrap();
        assert_eq!(
            matching_keys(&reference),
            ["localhost:5000/team/app", "localhost:5000/team", "localhost:5000"]
        );
    }
}
