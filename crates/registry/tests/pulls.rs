//! Downloads, and what goes wrong with them.

use std::io::Read as _;

use imagewright_oci::{Descriptor, ImageManifest, MediaType};
use imagewright_registry::{BlobSource as _, Client, ClientOptions, RegistryError};
use imagewright_testkit::registry::{Effect, Fault, Login, Rules, TestRegistry};

use crate::blobs::Memory;
use crate::faults::{client, descriptor, hasty, reference};

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    for (ranges, effect) in [
        (true, Effect::Truncate(1_200_000)),
        (true, Effect::Stall),
        (false, Effect::Truncate(1_200_000)),
        (true, Effect::DropBefore),
        (true, Effect::status(503)),
    ] {
        let registry = TestRegistry::start_with(Rules { ranges, ..Rules::default() });
        let blob = Memory::patterned(3_000_000, 1);
        registry.put_blob("base", blob.0.clone());
        registry.inject(Fault::on("GET", "/blobs/", effect.clone()).times(2));
        let client = client();
        let fetched = client.fetch_bytes(&reference(&registry, "base"), &descriptor(&blob)).await.unwrap();
        assert!(fetched == blob.0, "{effect:?}");
        assert_eq!(registry.requests().len(), 3, "{effect:?}");
        if ranges && matches!(effect, Effect::Truncate(_)) {
            let ranges: Vec<_> = registry.requests().into_iter().map(|request| request.range).collect();
            assert_eq!(ranges[1].as_deref(), Some("bytes=1200000-"));
            assert_eq!(client.statistics().bytes_received, 3_000_000);
        }
    }
}

#[tokio::test]
async fn damaged_bytes_are_never_complete() {
    let registry = TestRegistry::start();
    let blob = Memory::patterned(2_000_000, 2);
    registry.put_blob("base", blob.0.clone());
    registry.damage_blob(blob.digest());
    let repository = reference(&registry, "base");
    let mut stream = client().fetch_blob(&repository, &descriptor(&blob)).await.unwrap();
    let mut received = 0;
    let error = loop {
        match stream.chunk().await {
            Ok(Some(bytes)) => received += bytes.len(),
            Ok(None) => panic!("a damaged blob has an end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RegistryError::Corrupt { .. }), "{error}");
    assert!(received < 2_000_000, "the last bytes are withheld");
}

#[tokio::test]
async fn a_blob_longer_or_shorter_than_its_descriptor_is_refused() {
    let registry = TestRegistry::start();
    let blob = Memory::patterned(10_000, 3);
    registry.put_blob("base", blob.0.clone());
    for size in [9_999, 10_001] {
        let wrong = Descriptor { size, ..descriptor(&blob) };
        let error = client().fetch_bytes(&reference(&registry, "base"), &wrong).await.unwrap_err();
        let is_told = matches!(
            error,
            RegistryError::Corrupt { .. } | RegistryError::BadAnswer { .. } | RegistryError::Refused { .. }
        );
        assert!(is_told, "{size}: {error}");
    }
}

#[tokio::test]
async fn redirects_are_followed_without_the_login() {
    let storage = TestRegistry::start();
    let rules = Rules {
        redirect_blobs: Some(format!("http://{}", storage.host())),
        login: Login::token(),
        ..Rules::default()
    };
    let registry = TestRegistry::start_with(rules);
    let blob = Memory::patterned(10_000, 4);
    registry.put_blob("base", blob.0.clone());
    storage.put_blob("base", blob.0.clone());
    let client = Client::new(ClientOptions { credentials: crate::logins::user(&registry), ..hasty() });
    let fetched = client.fetch_bytes(&reference(&registry, "base"), &descriptor(&blob)).await.unwrap();
    assert!(fetched == blob.0);
    let asked = storage.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].authorization, None);
    assert!(asked[0].path.ends_with("?signature=presigned"));
}

#[tokio::test]
async fn a_configuration_of_any_size_is_not_read_into_memory() {
    let registry = TestRegistry::start();
    let blob = Memory(vec![0; 1000]);
    registry.put_blob("base", blob.0.clone());
    let huge = Descriptor { size: 1 << 40, ..descriptor(&blob) };
    let error = client().fetch_bytes(&reference(&registry, "base"), &huge).await.unwrap_err();
    assert!(error.to_string().contains("more than 64 MiB"), "{error}");
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn a_mirror_is_asked_for_its_own_scope() {
    let mirror = TestRegistry::start_with(Rules { login: Login::token(), ..Rules::default() });
    let blob = Memory::patterned(1000, 7);
    mirror.put_blob("hub/library/base", blob.0.clone());
    let mirrors = vec![format!("http://{}/hub", mirror.host()).parse().unwrap()];
    let credentials = crate::logins::user(&mirror);
    let options =
        ClientOptions { mirrors: [("docker.io".to_owned(), mirrors)].into(), credentials, ..hasty() };
    let image = "base:1".parse().unwrap();
    assert!(Client::new(options).fetch_bytes(&image, &descriptor(&blob)).await.unwrap() == blob.0);
    let token = &mirror.requests()[1].path;
    assert_eq!(token, "/token?service=test&scope=repository%3Ahub%2Flibrary%2Fbase%3Apull");
}

#[tokio::test]
async fn a_reader_on_a_blocking_thread_sees_the_same() {
    let registry = TestRegistry::start();
    let blob = Memory::patterned(3_000_000, 5);
    registry.put_blob("base", blob.0.clone());
    let stream = client().fetch_blob(&reference(&registry, "base"), &descriptor(&blob)).await.unwrap();
    let mut reader = stream.into_reader(tokio::runtime::Handle::current());
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).map(|_| read)
    });
    assert!(read.await.unwrap().unwrap() == blob.0);
}

#[tokio::test]
async fn mirrors_are_asked_first_and_the_registry_last() {
    let (mirror, origin) = (TestRegistry::start(), TestRegistry::start());
    let blob = Memory::patterned(1000, 6);
    mirror.put_blob("hub/library/base", blob.0.clone());
    let mirrors = vec![format!("http://{}/hub", mirror.host()).parse().unwrap()];
    let options = ClientOptions { mirrors: [(origin.host(), mirrors)].into(), ..hasty() };
    let client = Client::new(options);
    let image = reference(&origin, "library/base:1");
    assert!(client.fetch_bytes(&image, &descriptor(&blob)).await.unwrap() == blob.0);
    assert_eq!(origin.requests(), []);
    let config = Descriptor::of(MediaType::OciConfig, &blob.0);
    let manifest = ImageManifest::new(config, Vec::new(), imagewright_oci::Annotations::new());
    origin.put_blob("library/base", blob.0.clone());
    client.put_manifest(&image, &MediaType::OciManifest, manifest.to_bytes().into()).await.unwrap();
    assert!(client.get_manifest(&image).await.unwrap().is_some(), "a mirror without it is passed over");
    mirror.inject(Fault::on("*", "", Effect::status(403)));
    assert!(client.resolve_manifest(&image).await.unwrap().is_some(), "so is one that refuses");
    origin.inject(Fault::on("*", "", Effect::error(403, "DENIED", "go away")));
    let error = client.resolve_manifest(&image).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RegistryError::Mirrored { .. }), "{text}");
    assert!(text.contains("DENIED: go away") && text.contains(&format!("at {}", mirror.host())), "{text}");
    let asked = mirror.requests().len();
    assert!(client.head_manifest(&image).await.is_err());
    assert_eq!(mirror.requests().len(), asked, "existence is the registry's to tell");
}
