//! Credentials, tokens and their scopes.

use imagewright_oci::{Annotations, Descriptor, ImageManifest, MediaType};
use imagewright_registry::{
    BlobSource as _, Client, ClientOptions, Credential, CredentialSource, Credentials, Pushed, RegistryError,
    Secret,
};
use imagewright_testkit::registry::{Effect, Fault, Login, Rules, TestRegistry};

use crate::blobs::Memory;
use crate::faults::{descriptor, hasty, methods, reference};

fn given(registry: &TestRegistry, credential: Credential) -> Credentials {
    let label = "the test".to_owned();
    Credentials::new(vec![CredentialSource::Given { registry: registry.host(), credential, label }])
}

fn login(secret: &str) -> Credential {
    Credential::Password { username: "user".to_owned(), password: Secret::new(secret) }
}

/// The user whom the registry knows.
pub(crate) fn user(registry: &TestRegistry) -> Credentials {
    given(registry, login("secret"))
}

fn client(credentials: Credentials) -> Client {
    Client::new(ClientOptions { credentials, ..hasty() })
}

fn registry(login: Login) -> TestRegistry {
    TestRegistry::start_with(Rules { login, ..Rules::default() })
}

#[tokio::test]
async fn every_kind_of_credential_pushes() {
    let token = |expires_in| match Login::token() {
        Login::Token { user, password, identity_token, public, .. } => {
            Login::Token { user, password, identity_token, public, expires_in }
        }
        other => other,
    };
    let identity = Credential::Identity { token: Secret::new("refresh") };
    let cases = [
        (Login::basic(), login("secret")),
        (token(300), login("secret")),
        (token(300), identity),
        // Tokens that are as good as expired when they come: each request fetches its own.
        (token(0), login("secret")),
    ];
    for (rules, credential) in cases {
        let registry = registry(rules.clone());
        let client = client(given(&registry, credential));
        let image = reference(&registry, "team/app:1");
        let blob = Memory::patterned(2 << 20, 1);
        assert_eq!(client.push_blob(&image, &blob, &[]).await.unwrap(), Pushed::Uploaded { bytes: 2 << 20 });
        let config = Descriptor::of(MediaType::OciConfig, &blob.0);
        let manifest = ImageManifest::new(config, Vec::new(), Annotations::new()).to_bytes();
        client.put_manifest(&image, &MediaType::OciManifest, manifest.into()).await.unwrap();
        assert!(client.head_manifest(&image).await.unwrap().is_some(), "{rules:?}");
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_for_what_it_covers() {
    let registry = registry(Login::token());
    let client = client(user(&registry));
    let image = reference(&registry, "app:1");
    client.push_blob(&image, &Memory::patterned(10, 2), &[]).await.unwrap();
    assert_eq!(methods(&registry), "HEAD GET HEAD POST PATCH PUT");
    assert!(registry.requests()[0].authorization.is_none(), "nothing is sent before a challenge");
    registry.forget_requests();
    client.push_blob(&image, &Memory::patterned(10, 3), &[]).await.unwrap();
    assert_eq!(client.head_manifest(&image).await.unwrap(), None);
    assert_eq!(methods(&registry), "HEAD POST PATCH PUT HEAD", "a token to push serves to pull");
    registry.forget_requests();
    let others = ["a", "b", "c"].map(|seed| Memory(seed.into()));
    let other = reference(&registry, "other");
    futures_util::future::try_join_all(others.iter().map(|blob| client.push_blob(&other, blob, &[])))
        .await
        .unwrap();
    let tokens = registry.requests().iter().filter(|request| request.path.starts_with("/token")).count();
    assert_eq!(tokens, 1, "requests that begin together fetch one token");
}

#[tokio::test]
async fn a_mount_asks_for_both_scopes_in_one_token() {
    let registry = registry(Login::token());
    let blob = Memory::patterned(10, 4);
    registry.put_blob("team/base", blob.0.clone());
    let base = reference(&registry, "team/base");
    let pushed =
        client(user(&registry)).push_blob(&reference(&registry, "app"), &blob, &[base]).await.unwrap();
    assert_eq!(pushed, Pushed::Mounted { from: "team/base".to_owned() });
    let tokens: Vec<String> = registry
        .requests()
        .into_iter()
        .map(|request| request.path)
        .filter(|path| path.starts_with("/token"))
        .collect();
    let expected = "/token?service=test&scope=repository%3Aapp%3Apull%2Cpush\
                    &scope=repository%3Ateam%2Fbase%3Apull";
    assert_eq!(tokens.last().unwrap(), expected);
}

#[tokio::test]
async fn what_is_public_is_pulled_without_a_login() {
    let Login::Token { user, password, identity_token, expires_in, .. } = Login::token() else {
        unreachable!()
    };
    let public = ["base".to_owned()].into();
    let registry = registry(Login::Token { user, password, identity_token, public, expires_in });
    let blob = Memory::patterned(10, 5);
    registry.put_blob("base", blob.0.clone());
    let anonymous = client(Credentials::default());
    assert!(
        anonymous.fetch_bytes(&reference(&registry, "base"), &descriptor(&blob)).await.unwrap() == blob.0
    );
    let error =
        anonymous.push_blob(&reference(&registry, "base"), &Memory::patterned(10, 6), &[]).await.unwrap_err();
    assert!(matches!(error, RegistryError::LoginRefused { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("(scope repository:base:pull,push, no credentials)"), "{text}");
    assert!(error.hint().unwrap().starts_with("log in with `docker login 127.0.0.1:"), "{:?}", error.hint());
}

#[tokio::test]
async fn a_refused_login_names_scope_and_source_but_no_secret() {
    for rules in [Login::basic(), Login::token()] {
        let registry = registry(rules);
        let client = client(given(&registry, login("hunter2")));
        let error = client.head_manifest(&reference(&registry, "app:1")).await.unwrap_err();
        assert!(matches!(error, RegistryError::LoginRefused { .. }), "{error}");
        let text = format!("{error} {error:?} {:?}", error.hint());
        assert!(text.contains("(scope repository:app:pull, credentials from the test)"), "{text}");
        assert!(text.contains("they may have expired"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(registry.requests().len() <= 4, "a refused login is not tried again and again");
    }
}

#[tokio::test]
async fn a_forbidden_push_names_scope_and_source() {
    let registry = registry(Login::token());
    registry.inject(Fault::on("POST", "/uploads/", Effect::error(403, "DENIED", "read only")));
    let client = client(user(&registry));
    let error =
        client.push_blob(&reference(&registry, "app:1"), &Memory::patterned(10, 7), &[]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Forbidden { .. }), "{error}");
    let text = error.to_string();
    let end = "DENIED: read only (scope repository:app:pull,push, credentials from the test)";
    assert!(text.ends_with(end), "{text}");
}

#[tokio::test]
async fn a_token_that_is_revoked_within_an_upload_is_renewed() {
    for (method, count) in [("PATCH", 1), ("PUT", 1)] {
        let registry = registry(Login::token());
        let challenge = format!(r#"Bearer realm="http://{}/token",service="test""#, registry.host());
        let revoked = Effect::Answer {
            status: 401,
            headers: vec![("www-authenticate", challenge)],
            body: String::new(),
        };
        registry.inject(Fault::on(method, "/uploads/", revoked).times(count));
        let blob = Memory::patterned(2 << 20, 8);
        client(user(&registry)).push_blob(&reference(&registry, "app"), &blob, &[]).await.unwrap();
        assert!(registry.blob("app", blob.digest()).unwrap() == blob.0, "{method}");
    }
}

#[tokio::test]
async fn a_token_service_elsewhere_inside_is_not_asked() {
    let registry = TestRegistry::start();
    let challenge = Effect::Answer {
        status: 401,
        headers: vec![("www-authenticate", r#"Bearer realm="http://169.254.169.254/token""#.to_owned())],
        body: String::new(),
    };
    registry.inject(Fault::on("*", "", challenge));
    let error = client(user(&registry)).head_manifest(&reference(&registry, "app:1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unsafe { .. }), "{error}");
}

#[tokio::test]
async fn a_token_service_that_is_busy_is_asked_again() {
    let registry = registry(Login::token());
    registry.inject(Fault::on("GET", "/token", Effect::status(503)).times(2));
    assert_eq!(client(user(&registry)).head_manifest(&reference(&registry, "app:1")).await.unwrap(), None);
}
