//! Manifests: there, not there, unknown.

use bytes::Bytes;
use imagewright_oci::{Annotations, Descriptor, Digest, ImageManifest, ImageReference, MediaType};
use imagewright_registry::{Client, RegistryError};
use imagewright_testkit::registry::{Effect, Fault, Rules, TestRegistry};

use crate::faults::{client, methods, reference};

fn manifest(registry: &TestRegistry, repository: &str, note: &str) -> Bytes {
    registry.put_blob(repository, note.as_bytes().to_vec());
    let config = Descriptor::of(MediaType::OciConfig, note.as_bytes());
    ImageManifest::new(config, Vec::new(), Annotations::new()).to_bytes().into()
}

async fn push(client: &Client, image: &ImageReference, bytes: Bytes) -> Result<Descriptor, RegistryError> {
    client.put_manifest(image, &MediaType::OciManifest, bytes).await
}

#[tokio::test]
async fn one_request_says_whether_it_is_there() {
    let registry = TestRegistry::start();
    let client = client();
    let image = reference(&registry, "app:1");
    let pushed = push(&client, &image, manifest(&registry, "app", "a")).await.unwrap();
    registry.forget_requests();
    assert_eq!(client.head_manifest(&image).await.unwrap(), Some(pushed.clone()));
    assert_eq!(client.head_manifest(&reference(&registry, "app:2")).await.unwrap(), None);
    assert_eq!(client.head_manifest(&image.with_digest(pushed.digest)).await.unwrap(), Some(pushed));
    assert_eq!(methods(&registry), "HEAD HEAD HEAD");
}

#[tokio::test]
async fn registries_without_dockers_headers_are_understood() {
    let registry = TestRegistry::start_with(Rules { docker_headers: false, ..Rules::default() });
    let client = client();
    let image = reference(&registry, "app:1");
    let pushed = push(&client, &image, manifest(&registry, "app", "a")).await.unwrap();
    assert_eq!(client.head_manifest(&image).await.unwrap(), Some(pushed));
    assert_eq!(client.head_manifest(&reference(&registry, "app:2")).await.unwrap(), None);
    assert_eq!(client.head_manifest(&reference(&registry, "none:1")).await.unwrap(), None);
}

#[tokio::test]
async fn a_missing_repository_is_a_no_however_it_is_said() {
    for rules in [Rules::default(), Rules { harbor: true, ..Rules::default() }] {
        let registry = TestRegistry::start_with(rules);
        let client = client();
        assert_eq!(client.head_manifest(&reference(&registry, "team/app:1")).await.unwrap(), None);
        assert_eq!(client.get_manifest(&reference(&registry, "team/app:1")).await.unwrap(), None);
        assert!(registry.requests().len() <= 3, "{}", methods(&registry));
    }
}

#[tokio::test]
async fn what_is_no_answer_is_unknown_with_its_reason() {
    let cases = [
        (Effect::error(500, "UNKNOWN", "database is down"), "database is down"),
        (Effect::status(503), "503"),
        (Effect::error(403, "DENIED", "not yours"), "DENIED: not yours"),
        (
            Effect::Answer { status: 404, headers: Vec::new(), body: "<html>nginx</html>".to_owned() },
            "no registry answers there",
        ),
        (Effect::status(301), "Location"),
        (Effect::status(418), "418"),
        (Effect::DropBefore, "tried 4 times"),
    ];
    for (effect, reason) in cases {
        let registry = TestRegistry::start();
        registry.inject(Fault::on("*", "", effect));
        let error = client().head_manifest(&reference(&registry, "app:1")).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains("/app:1"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_or_stands_still_is_asked_for_again() {
    let registry = TestRegistry::start();
    let image = reference(&registry, "app:1");
    push(&client(), &image, manifest(&registry, "app", "a")).await.unwrap();
    for effect in [Effect::Truncate(10), Effect::Stall, Effect::DropBefore, Effect::DropAfter] {
        registry.inject(Fault::on("GET", "/manifests/", effect.clone()).times(1));
        assert!(client().get_manifest(&image).await.unwrap().is_some(), "{effect:?}");
    }
}

#[tokio::test]
async fn a_stopped_registry_is_unknown() {
    let registry = TestRegistry::start();
    let image = reference(&registry, "app:1");
    drop(registry);
    let error = client().head_manifest(&image).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot look up {image}: connection refused (tried 4 times)"));
    assert_eq!(error.hint().unwrap(), format!("check that a registry runs at `{}`", image.registry()));
    let error = client().head_manifest(&"registry.invalid/app:1".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("the name cannot be resolved"), "{error}");
}

#[tokio::test]
async fn a_manifest_that_lies_about_its_digest_is_refused() {
    let registry = TestRegistry::start();
    let client = client();
    let image = reference(&registry, "app:1");
    let pushed = push(&client, &image, manifest(&registry, "app", "a")).await.unwrap();
    registry.inject(Fault::on("GET", "/manifests/", Effect::Corrupt).times(1));
    assert!(client.get_manifest(&image).await.unwrap().is_some(), "one bad copy is fetched again");
    registry.inject(Fault::on("GET", "/manifests/", Effect::Corrupt));
    for asked in [image.clone(), image.with_digest(pushed.digest)] {
        let error = client.get_manifest(&asked).await.unwrap_err();
        let RegistryError::Corrupt { expected, .. } = &error else { panic!("{error}") };
        assert_eq!(*expected, pushed.digest);
    }
}

#[tokio::test]
async fn an_immutable_tag_is_told_apart_and_ours_is_fine() {
    let registry = TestRegistry::start_with(Rules { immutable_tags: true, ..Rules::default() });
    let client = client();
    let image = reference(&registry, "app:1");
    let ours = manifest(&registry, "app", "ours");
    let pushed = push(&client, &image, ours.clone()).await.unwrap();
    assert_eq!(push(&client, &image, ours).await.unwrap(), pushed, "the same manifest is there");
    let error = push(&client, &image, manifest(&registry, "app", "another")).await.unwrap_err();
    assert!(matches!(error, RegistryError::TagImmutable { .. }), "{error}");
    assert!(error.hint().unwrap().contains("another tag"));
    assert_eq!(registry.tag("app", "1"), Some(pushed.digest));
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_repeated() {
    let registry = TestRegistry::start();
    registry.inject(Fault::on("PUT", "/manifests/", Effect::DropAfter).times(1));
    let image = reference(&registry, "app:1");
    let pushed = push(&client(), &image, manifest(&registry, "app", "a")).await.unwrap();
    assert_eq!(registry.tag("app", "1"), Some(pushed.digest));
}

#[tokio::test]
async fn a_missing_blob_is_named_and_forgotten() {
    let registry = TestRegistry::start();
    let client = client();
    let image = reference(&registry, "app:1");
    let blob = crate::blobs::Memory(b"layer".to_vec());
    client.push_blob(&image, &blob, &[]).await.unwrap();
    let digest = Digest::of(b"layer");
    registry.delete_blob(digest);
    let config = Descriptor::of(MediaType::OciConfig, b"layer");
    let bytes: Bytes = ImageManifest::new(config, Vec::new(), Annotations::new()).to_bytes().into();
    let error = push(&client, &image, bytes.clone()).await.unwrap_err();
    assert!(matches!(error, RegistryError::BlobUnknown { .. }), "{error}");
    assert!(error.to_string().contains(&digest.to_string()), "{error}");
    client.push_blob(&image, &blob, &[]).await.unwrap();
    push(&client, &image, bytes).await.unwrap();
}

#[tokio::test]
async fn what_is_attached_is_listed_with_and_without_the_api() {
    for referrers in [true, false] {
        let registry = TestRegistry::start_with(Rules { referrers, ..Rules::default() });
        let client = client();
        let image = reference(&registry, "app:1");
        let subject = push(&client, &image, manifest(&registry, "app", "a")).await.unwrap();
        let mut attached: ImageManifest =
            serde_json::from_slice(&manifest(&registry, "app", "lock")).unwrap();
        attached.subject = Some(subject.clone());
        attached.artifact_type = Some("application/vnd.test.lock".to_owned());
        let lock = push(&client, &image.name_only(), attached.to_bytes().into()).await.unwrap();
        let found =
            client.referrers(&image, subject.digest, Some("application/vnd.test.lock")).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.digest).collect::<Vec<_>>(), [lock.digest], "{referrers}");
        assert_eq!(client.referrers(&image, subject.digest, Some("other")).await.unwrap(), []);
        assert_eq!(registry.tags("app").len(), if referrers { 1 } else { 2 });
    }
}
