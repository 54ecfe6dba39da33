use std::path::Path;

use super::*;

fn password(username: &str, password: &str) -> Credential {
    Credential::Password { username: username.to_owned(), password: Secret::new(password) }
}

async fn find(config: &str, reference: &str) -> Result<Found, CredentialsError> {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("imagewright-credentials-{}-{:x}", std::process::id(), hash(config)));
    fs_err::write(&path, config).unwrap();
    let credentials = Credentials::new(vec![CredentialSource::File { path: path.clone(), required: true }]);
    let found = credentials.find(&reference.parse().unwrap()).await;
    fs_err::remove_file(path).unwrap();
    found
}

fn hash(text: &str) -> u64 {
    use std::hash::BuildHasher as _;
    std::hash::RandomState::new().hash_one(text)
}

#[tokio::test]
async fn the_most_specific_key_wins() {
    let config = r#"{"auths": {
        "localhost:5000": {"auth": "aG9zdDpwMQ=="},
        "localhost:5000/team": {"auth": "dGVhbTpwMg"},
        "https://index.docker.io/v1/": {"username": "hub", "password": "p:3"},
        "ghcr.io": {},
        "azurecr.io": {"auth": "MDA6", "identitytoken": "refresh"},
        "token.io": {"registrytoken": "bearer"}
    }}"#;
    let identity = Some(Credential::Identity { token: Secret::new("refresh") });
    let bearer = Some(Credential::Bearer { token: Secret::new("bearer") });
    let cases = [
        ("localhost:5000/app", Some(password("host", "p1"))),
        ("localhost:5000/team/app", Some(password("team", "p2"))),
        ("localhost:5000/teams/app", Some(password("host", "p1"))),
        ("debian", Some(password("hub", "p:3"))),
        ("ghcr.io/app", None),
        ("azurecr.io/app", identity),
        ("token.io/app", bearer),
        ("quay.io/app", None),
    ];
    for (reference, expected) in cases {
        assert_eq!(find(config, reference).await.unwrap().credential, expected, "{reference}");
    }
}

#[tokio::test]
async fn a_helper_that_is_absent_is_named_and_what_is_written_is_used() {
    let config = r#"{"credsStore": "imagewright-absent", "auths": {"ghcr.io": {"auth": "dTpw"}}}"#;
    assert_eq!(find(config, "ghcr.io/app").await.unwrap().credential, Some(password("u", "p")));
    let found = find(config, "quay.io/app").await.unwrap();
    assert_eq!(found.credential, None);
    let text = found.origin.to_string();
    assert!(text.starts_with("no credentials: "), "{text}");
    assert!(
        text.ends_with(
            "(credsStore imagewright-absent) is not installed (docker-credential-imagewright-absent)"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_file_for_one_repository_says_nothing_of_another() {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("imagewright-repository-{}", std::process::id()));
    fs_err::write(&path, r#"{"auths": {"ghcr.io": {"auth": "b3duOng="}}}"#).unwrap();
    let given = CredentialSource::Given {
        registry: "ghcr.io".to_owned(),
        credential: password("all", "x"),
        label: "all".to_owned(),
    };
    let repository = "ghcr.io/team/base:1".parse().unwrap();
    let only = CredentialSource::Repository { repository, path: path.clone() };
    let credentials = Credentials::new(vec![only, given]);
    for (reference, user) in
        [("ghcr.io/team/base:2", "own"), ("ghcr.io/team/base2", "all"), ("ghcr.io/team", "all")]
    {
        let found = credentials.find(&reference.parse().unwrap()).await.unwrap();
        assert_eq!(found.credential, Some(password(user, "x")), "{reference}");
    }
    fs_err::remove_file(path).unwrap();
}

#[tokio::test]
async fn sources_are_asked_in_order() {
    let given = |registry: &str, user: &str| CredentialSource::Given {
        registry: registry.to_owned(),
        credential: password(user, "x"),
        label: format!("option of {user}"),
    };
    let absent = CredentialSource::File { path: "/nonexistent/config.json".into(), required: false };
    let credentials = Credentials::new(vec![absent, given("ghcr.io", "first"), given("ghcr.io", "second")]);
    let found = credentials.find(&"ghcr.io/app".parse().unwrap()).await.unwrap();
    assert_eq!(found.credential, Some(password("first", "x")));
    assert_eq!(found.origin.to_string(), "credentials from option of first");
    let missing = Credentials::new(vec![CredentialSource::File {
        path: "/nonexistent/config.json".into(),
        required: true,
    }]);
    let error = missing.find(&"ghcr.io/app".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Unreadable { .. }));
}

#[test]
fn damaged_files_name_themselves() {
    let parse = |text: &str| ConfigFile::parse(Path::new("/home/u/config.json"), text.as_bytes());
    let error = parse("{").unwrap_err();
    assert_eq!(error.to_string(), "/home/u/config.json is not a Docker or Podman credentials file");
    assert!(parse(" \n").unwrap().store().is_none());
    let error =
        parse(r#"{"auths": {"ghcr.io": {"auth": "%%"}}}"#).unwrap().credential_for("ghcr.io").unwrap_err();
    let expected = "/home/u/config.json: the `auth` value of `ghcr.io` is not base64 of user:password";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn secrets_do_not_reach_debug_output() {
    let text = r#"{"auths": {"ghcr.io": {"auth": "dXNlcjpodW50ZXIy", "password": "hunter2"}}}"#;
    let config = ConfigFile::parse(Path::new("c"), text.as_bytes()).unwrap();
    let credential = config.credential_for("ghcr.io").unwrap();
    let shown = format!("{config:?} {credential:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("dXNlcjpodW50ZXIy"), "{shown}");
}
