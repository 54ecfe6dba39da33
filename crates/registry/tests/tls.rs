//! Encrypted connections, against Debian's docker-registry with a certificate made on the spot.

use std::process::Command;

use imagewright_oci::ImageReference;
use imagewright_registry::{BlobSource as _, Client, ClientOptions, RegistryError, TransportError};
use imagewright_testkit::peers::may_start_peers;
use imagewright_testkit::registry::TestRegistry;

use crate::blobs::Memory;
use crate::faults::{descriptor, hasty, reference};
use crate::peers::DockerRegistry;

/// Names the registry to the test that runs in a process with other certificates.
const HOST: &str = "IMAGEWRIGHT_TEST_TLS_HOST";

fn client(host: &str) -> Client {
    Client::new(ClientOptions { https: [host.to_owned()].into(), ..hasty() })
}

#[tokio::test]
async fn plain_http_where_encryption_is_expected_is_said() {
    let registry = TestRegistry::start();
    let error = client(&registry.host()).head_manifest(&reference(&registry, "app")).await.unwrap_err();
    let is_tls =
        matches!(error, RegistryError::Unanswered { cause: TransportError::Tls { .. }, tries: 1, .. });
    assert!(is_tls, "{error:?}");
    assert!(error.hint().unwrap().contains("registries.plain_http"), "{error} {:?}", error.hint());
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_at_once() {
    if !may_start_peers() {
        return;
    }
    let registry = DockerRegistry::start_with_tls();
    let image: ImageReference = format!("{}/app:1", registry.host).parse().unwrap();
    let error = client(&registry.host).head_manifest(&image).await.unwrap_err();
    assert!(error.to_string().contains("no encrypted connection: invalid peer certificate"), "{error}");
    assert!(error.hint().unwrap().contains("SSL_CERT_FILE"));
}

/// Certificates are read from a variable that only another process can set.
#[test]
#[expect(clippy::disallowed_methods, reason = "this test again, with another environment")]
fn a_certificate_of_the_users_own_is_accepted() {
    if !may_start_peers() {
        return;
    }
    let registry = DockerRegistry::start_with_tls();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::in_a_process_with_the_certificate", "--nocapture"])
        .env(HOST, &registry.host)
        .env("SSL_CERT_FILE", registry.certificate())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("pushed over tls"), "{text} {errors}");
}

#[tokio::test]
async fn in_a_process_with_the_certificate() {
    let Some((_, host)) = std::env::vars().find(|(name, _)| name == HOST) else { return };
    let client = client(&host);
    let image: ImageReference = format!("{host}/app:1").parse().unwrap();
    let blob = Memory::patterned(3 << 20, 1);
    client.push_blob(&image, &blob, &[]).await.unwrap();
    assert!(client.fetch_bytes(&image, &descriptor(&blob)).await.unwrap() == blob.0);
    assert!(client.has_blob(&image, blob.digest()).await.unwrap());
    println!("pushed over tls");
}
