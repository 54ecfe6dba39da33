//! Uploads, and what goes wrong with them.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use bytes::Bytes;
use imagewright_oci::Digest;
use imagewright_registry::{BlobSource, Pushed, RegistryError};
use imagewright_testkit::registry::{Effect, Fault, Rules, TestRegistry};

use crate::blobs::Memory;
use crate::faults::{client, descriptor, methods, reference};

fn uploaded(blob: &Memory) -> Pushed {
    Pushed::Uploaded { bytes: blob.size() }
}

#[tokio::test]
async fn a_blob_is_one_look_one_session_one_patch_one_commit() {
    for absolute_locations in [false, true] {
        let registry = TestRegistry::start_with(Rules { absolute_locations, ..Rules::default() });
        let blob = Memory::patterned(3 << 20, 1);
        let pushed = client().push_blob(&reference(&registry, "app:1"), &blob, &[]).await.unwrap();
        assert_eq!(pushed, uploaded(&blob));
        assert_eq!(methods(&registry), "HEAD POST PATCH PUT");
        let patch = &registry.requests()[2];
        assert_eq!((patch.content_length, patch.range.as_deref()), (Some(3 << 20), None));
        assert!(registry.requests()[1].path.ends_with("/v2/app/blobs/uploads/"), "no mount without from");
        assert!(registry.blob("app", blob.digest()).unwrap() == blob.0);
    }
}

#[tokio::test]
async fn the_empty_blob_needs_no_patch() {
    let registry = TestRegistry::start();
    let blob = Memory(Vec::new());
    let client = client();
    let repository = reference(&registry, "app");
    assert_eq!(client.push_blob(&repository, &blob, &[]).await.unwrap(), uploaded(&blob));
    assert_eq!(client.fetch_bytes(&repository, &descriptor(&blob)).await.unwrap(), Bytes::new());
}

#[tokio::test]
async fn passing_failures_are_repeated_from_the_beginning() {
    let blob = Memory::patterned(5 << 20, 2);
    let many = || Effect::Answer {
        status: 429,
        headers: vec![("retry-after", "0".to_owned())],
        body: String::new(),
    };
    let faults = [
        ("HEAD", Effect::status(503)),
        ("POST", Effect::status(500)),
        ("POST", Effect::DropBefore),
        ("POST", many()),
        ("PATCH", Effect::status(500)),
        ("PATCH", Effect::DropBefore),
        ("PATCH", Effect::DropAfter),
        ("PATCH", Effect::Hang),
        ("PATCH", Effect::error(404, "BLOB_UPLOAD_UNKNOWN", "gone")),
        ("PATCH", Effect::error(416, "RANGE_INVALID", "no")),
        ("PUT", Effect::status(502)),
        ("PUT", Effect::DropBefore),
        ("PUT", Effect::Hang),
        ("PUT", Effect::error(404, "BLOB_UPLOAD_UNKNOWN", "gone")),
        ("PUT", Effect::error(400, "DIGEST_INVALID", "bytes were lost")),
    ];
    for (method, effect) in faults {
        let registry = TestRegistry::start();
        registry.inject(Fault::on(method, "/blobs/", effect.clone()).times(1));
        let pushed = client().push_blob(&reference(&registry, "app"), &blob, &[]).await;
        assert_eq!(pushed.unwrap(), uploaded(&blob), "{method} {effect:?}");
        assert!(registry.blob("app", blob.digest()).unwrap() == blob.0, "{method} {effect:?}");
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_looked_into_not_repeated() {
    for effect in [Effect::DropAfter, Effect::Delay(Duration::from_secs(2))] {
        let registry = TestRegistry::start();
        registry.inject(Fault::on("PUT", "/blobs/uploads/", effect.clone()).times(1));
        let blob = Memory::patterned(100_000, 3);
        let client = client();
        let pushed = client.push_blob(&reference(&registry, "app"), &blob, &[]).await.unwrap();
        assert_eq!(pushed, uploaded(&blob));
        if matches!(effect, Effect::DropAfter) {
            assert_eq!(methods(&registry), "HEAD POST PATCH PUT HEAD");
            assert_eq!(client.statistics().bytes_sent, 100_000);
        }
    }
}

#[tokio::test]
async fn tries_end_and_the_error_says_what_happened() {
    let registry = TestRegistry::start();
    registry.inject(Fault::on("PATCH", "", Effect::error(500, "UNKNOWN", "disk on fire")));
    let repository = reference(&registry, "team/app");
    let blob = Memory::patterned(1000, 4);
    let error = client().push_blob(&repository, &blob, &[]).await.unwrap_err();
    let expected = format!(
        "cannot upload blob {} to {repository}: status 500 Internal Server Error, UNKNOWN: disk on fire \
         (tried 4 times) (scope repository:team/app:pull,push, no credentials)",
        blob.digest()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(registry.open_sessions(), 0, "sessions that failed are cancelled");
}

#[tokio::test]
async fn a_proxy_that_refuses_the_size_is_asked_once() {
    let registry = TestRegistry::start();
    registry.inject(Fault::on("PATCH", "", Effect::status(413)));
    let blob = Memory::patterned(20 << 20, 5);
    let error = client().push_blob(&reference(&registry, "app"), &blob, &[]).await.unwrap_err();
    let RegistryError::Refused { refusal, tries, .. } = &error else { panic!("{error}") };
    assert_eq!((refusal.status.as_u16(), *tries), (413, 1));
    assert!(error.hint().unwrap().contains("limits the size"));
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_waited() {
    let registry = TestRegistry::start();
    let wait =
        Effect::Answer { status: 429, headers: vec![("retry-after", "1".to_owned())], body: String::new() };
    registry.inject(Fault::on("POST", "", wait).times(1));
    let started = Instant::now();
    client().push_blob(&reference(&registry, "app"), &Memory::patterned(10, 6), &[]).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    let too_long = Effect::Answer {
        status: 429,
        headers: vec![("retry-after", "3600".to_owned())],
        body: String::new(),
    };
    registry.inject(Fault::on("POST", "", too_long));
    let error =
        client().push_blob(&reference(&registry, "app"), &Memory::patterned(10, 7), &[]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Throttled { tries: 1, .. }), "{error}");
    assert!(error.hint().unwrap().starts_with("try again in 3600 s; logged-in users"), "{:?}", error.hint());
}

#[tokio::test]
async fn a_refused_mount_is_an_opened_session() {
    let registry = TestRegistry::start_with(Rules { mounts: false, ..Rules::default() });
    let blob = Memory::patterned(1000, 8);
    registry.put_blob("base", blob.0.clone());
    let base = reference(&registry, "base");
    let pushed = client().push_blob(&reference(&registry, "app"), &blob, &[base]).await.unwrap();
    assert_eq!(pushed, uploaded(&blob));
    assert_eq!(methods(&registry), "HEAD POST PATCH PUT");
    assert_eq!(registry.open_sessions(), 0);
}

#[tokio::test]
async fn mounts_are_tried_in_order_on_the_same_registry_only() {
    let registry = TestRegistry::start();
    let blob = Memory::patterned(1000, 9);
    registry.put_blob("third", blob.0.clone());
    let names = ["first", "app", "third"].map(|name| reference(&registry, name));
    let elsewhere = "other.example/second".parse().unwrap();
    let from = [&[elsewhere], &names[..]].concat();
    let client = client();
    let pushed = client.push_blob(&reference(&registry, "app"), &blob, &from).await.unwrap();
    assert_eq!(pushed, Pushed::Mounted { from: "third".to_owned() });
    assert_eq!(client.statistics().bytes_sent, 0);
    assert_eq!(registry.open_sessions(), 0, "the session of the first try is cancelled");
    let forbidden = Memory::patterned(1000, 10);
    registry.inject(Fault::on("POST", "mount=", Effect::error(403, "DENIED", "not yours")));
    let base = reference(&registry, "base");
    let pushed = client.push_blob(&reference(&registry, "app"), &forbidden, &[base]).await.unwrap();
    assert_eq!(pushed, uploaded(&forbidden));
}

#[tokio::test]
async fn images_that_push_one_blob_share_one_upload() {
    let registry = TestRegistry::start();
    let client = client();
    let blob = Memory::patterned(2 << 20, 11);
    let (app, other) = (reference(&registry, "app"), reference(&registry, "other"));
    let pushes =
        [&app, &app, &other, &app, &other].map(|repository| client.push_blob(repository, &blob, &[]));
    let mut outcomes: Vec<String> = futures_util::future::try_join_all(pushes)
        .await
        .unwrap()
        .iter()
        .map(|pushed| {
            format!("{pushed:?}").split_once(' ').map_or("Present".to_owned(), |(word, _)| word.to_owned())
        })
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, ["Mounted", "Present", "Present", "Present", "Uploaded"]);
    assert_eq!(client.statistics().bytes_sent, 2 << 20);
}

#[tokio::test]
async fn a_registry_that_is_asked_too_much_is_asked_less() {
    let registry = TestRegistry::start();
    let slow = || Fault::on("PATCH", "", Effect::Delay(Duration::from_millis(100)));
    let client = client();
    let repository = reference(&registry, "app");
    let push_all = async |seeds: std::ops::Range<u8>| {
        let blobs: Vec<Memory> = seeds.map(|seed| Memory::patterned(10_000, seed)).collect();
        let pushes = blobs.iter().map(|blob| client.push_blob(&repository, blob, &[]));
        futures_util::future::try_join_all(pushes).await.unwrap();
    };
    registry.inject(slow());
    push_all(20..35).await;
    assert_eq!(registry.most_at_once("PATCH"), 6, "as many as the options say");
    registry.heal();
    registry.inject(Fault::on("POST", "", Effect::status(429)).times(3));
    push_all(40..41).await;
    registry.most_at_once("PATCH");
    registry.inject(slow());
    push_all(50..53).await;
    assert!(registry.most_at_once("PATCH") < 6, "fewer after refusals");
    push_all(60..100).await;
    assert_eq!(registry.most_at_once("PATCH"), 6, "and as many again when it accepts");
}

/// A blob that changed on the disk since its digest was taken.
struct Changed {
    announced: Memory,
    real: Vec<u8>,
}

impl BlobSource for Changed {
    fn digest(&self) -> Digest {
        self.announced.digest()
    }

    fn size(&self) -> u64 {
        self.announced.size()
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.real.clone())))
    }
}

#[tokio::test]
async fn a_blob_of_another_length_is_our_fault_and_never_committed() {
    for real in [2_999_999, 3_000_001, 0] {
        let registry = TestRegistry::start();
        let blob = Changed { announced: Memory::patterned(3_000_000, 12), real: vec![7; real] };
        let error = client().push_blob(&reference(&registry, "app"), &blob, &[]).await.unwrap_err();
        assert!(matches!(error, RegistryError::Source { .. }), "{real}: {error}");
        assert!(!methods(&registry).contains("PUT"), "{real}");
    }
}

#[tokio::test]
async fn a_registry_that_sends_uploads_elsewhere_gets_no_further() {
    let registry = TestRegistry::start();
    let away = |location: &str| Effect::Answer {
        status: 202,
        headers: vec![("location", location.to_owned())],
        body: String::new(),
    };
    for location in ["http://169.254.169.254/latest", "ftp://127.0.0.1/x"] {
        registry.heal();
        registry.inject(Fault::on("POST", "", away(location)));
        let blob = Memory::patterned(10, 13);
        let error = client().push_blob(&reference(&registry, "app"), &blob, &[]).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unsafe { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_copy_streams_and_never_commits_damaged_bytes() {
    let (here, there) = (TestRegistry::start(), TestRegistry::start());
    let blob = Memory::patterned(4 << 20, 14);
    here.put_blob("base", blob.0.clone());
    let (from, to) = (reference(&here, "base"), reference(&there, "app"));
    here.inject(Fault::on("GET", "/blobs/", Effect::Truncate(1 << 20)).times(1));
    let copied = client().copy_blob(&from, &to, &descriptor(&blob)).await.unwrap();
    assert_eq!(copied, uploaded(&blob));
    assert!(there.blob("app", blob.digest()).unwrap() == blob.0);
    let damaged = Memory::patterned(4 << 20, 15);
    here.put_blob("base", damaged.0.clone());
    here.damage_blob(damaged.digest());
    there.forget_requests();
    let error = client().copy_blob(&from, &to, &descriptor(&damaged)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Corrupt { .. }), "{error}");
    assert!(!methods(&there).contains("PUT"));
}

#[tokio::test]
async fn a_registry_that_wants_the_repository_made_first_is_told_apart() {
    let registry = TestRegistry::start();
    let unknown = Effect::error(404, "NAME_UNKNOWN", "The repository with name 'app' does not exist");
    registry.inject(Fault::on("POST", "", unknown));
    let blob = Memory::patterned(10, 16);
    let error = client().push_blob(&reference(&registry, "team/app"), &blob, &[]).await.unwrap_err();
    assert!(error.to_string().contains("NAME_UNKNOWN"), "{error}");
    assert!(error.hint().unwrap().contains("create `team/app` first"), "{:?}", error.hint());
}

#[tokio::test]
async fn pieces_of_work_that_share_a_client_send_a_blob_once_and_count_apart() {
    let registry = TestRegistry::start();
    let (shared, blob) = (client(), Memory::patterned(100_000, 5));
    let (first, second) = (shared.counting_apart(), shared.counting_apart());
    let stranger = shared.with_credentials(imagewright_registry::Credentials::default()).counting_apart();
    let repository = reference(&registry, "app");
    let pushed = tokio::join!(
        first.push_blob(&repository, &blob, &[]),
        second.push_blob(&repository, &blob, &[]),
        stranger.push_blob(&repository, &blob, &[])
    );
    assert_eq!(pushed.0.unwrap(), uploaded(&blob));
    assert_eq!((pushed.1.unwrap(), pushed.2.unwrap()), (Pushed::Present, Pushed::Present));
    assert_eq!(methods(&registry), "HEAD POST PATCH PUT");
    let sent = [&first, &second, &stranger, &shared].map(|client| client.statistics().bytes_sent);
    assert_eq!(sent, [100_000, 0, 0, 0]);
    assert_eq!((first.statistics().requests, second.statistics().requests), (4, 0));
}
