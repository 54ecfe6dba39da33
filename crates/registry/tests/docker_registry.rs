//! Against Debian's docker-registry, with skopeo as the judge.

use std::process::Command;

use bytes::Bytes;
use imagewright_oci::{
    Annotations, Descriptor, ImageConfig, ImageManifest, ImageReference, MediaType, Platform,
};
use imagewright_registry::{
    BlobSource as _, Client, ClientOptions, Credential, CredentialSource, Credentials, Pushed, RegistryError,
    Secret,
};

use crate::blobs::Memory;
use imagewright_testkit::peers::may_start_peers;

use crate::peers::DockerRegistry;

fn client() -> Client {
    Client::new(ClientOptions::default())
}

fn reference(registry: &DockerRegistry, rest: &str) -> ImageReference {
    format!("{}/{rest}", registry.host).parse().unwrap()
}

/// Pushes an image of one layer under the reference's tag.
async fn push_image(client: &Client, to: &ImageReference, layer: &Memory) -> Descriptor {
    let mut config = ImageConfig::new(Platform::linux_amd64());
    config.rootfs.diff_ids.push(imagewright_oci::DiffId(layer.digest()));
    let config = Memory(config.to_bytes());
    client.push_blob(to, layer, &[]).await.unwrap();
    client.push_blob(to, &config, &[]).await.unwrap();
    let manifest = ImageManifest::new(
        Descriptor::of(MediaType::OciConfig, &config.0),
        vec![Descriptor::of(MediaType::OciLayer, &layer.0)],
        Annotations::new(),
    );
    client.put_manifest(to, &MediaType::OciManifest, Bytes::from(manifest.to_bytes())).await.unwrap()
}

#[tokio::test]
async fn an_image_goes_there_and_comes_back() {
    if !may_start_peers() {
        return;
    }
    let registry = DockerRegistry::start();
    let client = client();
    let image = reference(&registry, "team/app:1");
    assert_eq!(client.head_manifest(&image).await.unwrap(), None);
    let layer = Memory::patterned(5_000_001, 1);
    let pushed = push_image(&client, &image, &layer).await;
    assert_eq!(client.head_manifest(&image).await.unwrap(), Some(pushed.clone()));
    let fetched = client.get_manifest(&image).await.unwrap().unwrap();
    assert_eq!(fetched.descriptor, pushed);
    assert_eq!(client.head_manifest(&image.with_tag("2").unwrap()).await.unwrap(), None);
    let descriptor = Descriptor::of(MediaType::OciLayer, &layer.0);
    assert!(client.fetch_bytes(&image, &descriptor).await.unwrap() == layer.0);
    assert!(client.has_blob(&image, descriptor.digest).await.unwrap());
    assert_eq!(inspect(&registry, "team/app:1", &[]), pushed.digest.to_string());
}

#[tokio::test]
async fn a_blob_is_mounted_across_repositories_and_uploaded_once() {
    if !may_start_peers() {
        return;
    }
    let registry = DockerRegistry::start();
    let layer = Memory::patterned(3_000_000, 2);
    let (base, app) = (reference(&registry, "base"), reference(&registry, "app"));
    let first = client();
    assert_eq!(first.push_blob(&base, &layer, &[]).await.unwrap(), Pushed::Uploaded { bytes: 3_000_000 });
    let second = client();
    let mounted = second.push_blob(&app, &layer, std::slice::from_ref(&base)).await.unwrap();
    assert_eq!(mounted, Pushed::Mounted { from: "base".to_owned() });
    assert_eq!(second.statistics().bytes_sent, 0);
    assert_eq!(second.push_blob(&app, &layer, &[]).await.unwrap(), Pushed::Present);
    assert_eq!(client().push_blob(&app, &layer, &[]).await.unwrap(), Pushed::Present);
}

#[tokio::test]
async fn a_blob_streams_from_registry_to_registry() {
    if !may_start_peers() {
        return;
    }
    let (here, there) = (DockerRegistry::start(), DockerRegistry::start());
    let client = client();
    let layer = Memory::patterned(10_000_000, 3);
    let (from, to) = (reference(&here, "base"), reference(&there, "app"));
    client.push_blob(&from, &layer, &[]).await.unwrap();
    let descriptor = Descriptor::of(MediaType::OciLayer, &layer.0);
    let copied = client.copy_blob(&from, &to, &descriptor).await.unwrap();
    assert_eq!(copied, Pushed::Uploaded { bytes: 10_000_000 });
    assert!(client.fetch_bytes(&to, &descriptor).await.unwrap() == layer.0);
    let mounted = client.copy_blob(&to, &reference(&there, "other"), &descriptor).await.unwrap();
    assert_eq!(mounted, Pushed::Mounted { from: "app".to_owned() });
}

#[tokio::test]
async fn the_login_is_used_and_its_refusal_names_the_source() {
    if !may_start_peers() {
        return;
    }
    let registry = DockerRegistry::start_with_login();
    let image = reference(&registry, "app:1");
    let with = |secret: &str| {
        let source = CredentialSource::Given {
            registry: registry.host.clone(),
            credential: Credential::Password { username: "user".to_owned(), password: Secret::new(secret) },
            label: "the test".to_owned(),
        };
        Client::new(ClientOptions { credentials: Credentials::new(vec![source]), ..ClientOptions::default() })
    };
    let pushed = push_image(&with("secret"), &image, &Memory::patterned(100_000, 4)).await;
    assert_eq!(inspect(&registry, "app:1", &["--creds", "user:secret"]), pushed.digest.to_string());
    let refused = with("wrong").head_manifest(&image).await.unwrap_err();
    let RegistryError::LoginRefused { .. } = &refused else { panic!("{refused}") };
    let text = refused.to_string();
    assert!(text.contains("credentials from the test") && !text.contains("wrong"), "{text}");
    let anonymous = client().head_manifest(&image).await.unwrap_err();
    assert!(anonymous.to_string().contains("no credentials"), "{anonymous}");
    assert!(anonymous.hint().unwrap().contains("docker login 127.0.0.1"), "{:?}", anonymous.hint());
}

#[tokio::test]
async fn what_is_attached_is_listed_in_the_fallback_tag() {
    if !may_start_peers() {
        return;
    }
    let registry = DockerRegistry::start();
    let client = client();
    let image = reference(&registry, "app:1");
    let subject = push_image(&client, &image, &Memory::patterned(1000, 5)).await;
    assert_eq!(client.referrers(&image, subject.digest, None).await.unwrap(), []);
    let empty = Memory(b"{}".to_vec());
    client.push_blob(&image, &empty, &[]).await.unwrap();
    let mut pushed = Vec::new();
    for kind in ["application/vnd.test.a", "application/vnd.test.b"] {
        let config = Descriptor::of("application/vnd.oci.empty.v1+json".into(), &empty.0);
        let mut manifest = ImageManifest::new(config.clone(), vec![config], Annotations::new());
        manifest.artifact_type = Some(kind.to_owned());
        manifest.subject = Some(subject.clone());
        let bytes = Bytes::from(manifest.to_bytes());
        pushed.push(client.put_manifest(&image.name_only(), &MediaType::OciManifest, bytes).await.unwrap());
    }
    let digests = |found: Vec<Descriptor>| found.iter().map(|entry| entry.digest).collect::<Vec<_>>();
    let all = client.referrers(&image, subject.digest, None).await.unwrap();
    assert_eq!(digests(all), [pushed[0].digest, pushed[1].digest]);
    let one = client.referrers(&image, subject.digest, Some("application/vnd.test.b")).await.unwrap();
    assert_eq!(digests(one), [pushed[1].digest]);
}

/// The digest that skopeo sees.
#[expect(clippy::disallowed_methods, reason = "the peer under test")]
fn inspect(registry: &DockerRegistry, rest: &str, arguments: &[&str]) -> String {
    let output = Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"])
        .args(arguments)
        .arg(format!("docker://{}/{rest}", registry.host))
        .output()
        .expect("skopeo is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
