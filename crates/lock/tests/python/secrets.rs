//! A password reaches the index and nothing else.

use imagewright_lock::python::PythonError;

use super::index::{Index, Running};
use super::machine::{Ask, Machine, pins};

const PASSWORD: &str = "s3cr3t-w0rd";
/// `user:s3cr3t-w0rd`
const ENCODED: &str = "dXNlcjpzM2NyM3QtdzByZA==";

fn index() -> Running {
    let any = "py3-none-any";
    Index::default()
        .with("alpha", "1.0", any, &[])
        .with("beta", "1.0", any, &["alpha"])
        .with_password(ENCODED)
        .start()
}

#[tokio::test]
async fn is_in_no_argument_no_lock_and_no_message() {
    let Some(machine) = Machine::new().map(Machine::watched) else { return };
    let index = index();
    let ask = Ask::of(&["beta"], &index.url_with("user", PASSWORD));
    let found = machine.resolve(&ask).await.unwrap();
    assert_eq!(pins(&found), ["alpha==1.0", "beta==1.0"]);
    let lock = format!("{:?}", found.packages);
    assert!(!lock.contains(PASSWORD) && !lock.contains("user@") && lock.contains("/files/alpha"), "{lock}");
    let direct = format!("http://user:{PASSWORD}@{}/files/alpha-1.0-py3-none-any.whl", index.address);
    let found = machine.resolve(&Ask::of(&[&direct], &index.url())).await.unwrap();
    assert!(!format!("{:?}", found.packages).contains(PASSWORD));
    let arguments = fs_err::read_to_string(machine.path("arguments")).unwrap();
    assert!(arguments.contains("pip compile") && !arguments.contains(PASSWORD), "{arguments}");
    let failed = machine.resolve(&Ask::of(&["nosuch"], &index.url_with("user", PASSWORD))).await;
    let error = failed.unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", error.hint()).contains(PASSWORD), "{error:?}");
    assert!(error.to_string().contains("nosuch was not found"), "{error}");
    let bad = format!("{direct} --hash=sha256:0");
    for requirement in [&direct.replace("alpha-1.0", "alpha-9.0"), &bad] {
        let error = machine.resolve(&Ask::of(&[requirement], &index.url())).await.unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains(PASSWORD), "{error:?}");
    }
}

#[tokio::test]
async fn a_variable_is_not_shown() {
    let Some(mut machine) = Machine::new() else { return };
    let index = index();
    set(&mut machine, "TOKEN", PASSWORD);
    for written in ["$TOKEN", "${TOKEN}"] {
        let found = machine.resolve(&Ask::of(&["beta"], &index.url_with("user", written))).await.unwrap();
        assert_eq!(pins(&found), ["alpha==1.0", "beta==1.0"]);
        assert!(!format!("{:?}", found.packages).contains(PASSWORD));
    }
    let line =
        |file: &str| format!("http://user:${{TOKEN}}@{}/files/{file}-py3-none-any.whl\n", index.address);
    machine.write("project/requirements.txt", line("alpha-1.0"));
    let ask = Ask::of(&[], &index.url()).file("requirements.txt");
    assert_eq!(pins(&machine.resolve(&ask).await.unwrap()), ["alpha==1.0"]);
    machine.write("project/requirements.txt", line("alpha-9.0"));
    let error = machine.resolve(&ask).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error:?}");
}

#[tokio::test]
async fn a_wrong_one_is_a_matter_of_credentials() {
    let Some(machine) = Machine::new() else { return };
    let error =
        machine.resolve(&Ask::of(&["beta"], &index().url_with("user", "wr0ng-w0rd"))).await.unwrap_err();
    assert!(matches!(error, PythonError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("wr0ng-w0rd"), "{error}");
    assert!(error.hint().unwrap().contains("UV_INDEX_<NAME>_PASSWORD"));
}

/// Writes the address with its password, or the one without, where a user may have it.
type Setting = fn(&mut Machine, &str, &str);

/// Every place where uv's or pip's users keep an index serves.
#[tokio::test]
async fn every_place_of_settings_is_read() {
    let Some(_) = Machine::new() else { return };
    let index = index();
    let url = index.url_with("user", PASSWORD);
    let open = index.url();
    let places: [(&str, Setting); 9] = [
        ("UV_DEFAULT_INDEX", |m, url, _| set(m, "UV_DEFAULT_INDEX", url)),
        ("UV_INDEX_URL", |m, url, _| set(m, "UV_INDEX_URL", url)),
        ("PIP_INDEX_URL", |m, url, _| set(m, "PIP_INDEX_URL", url)),
        ("named credentials", |m, _, open| {
            set(m, "UV_DEFAULT_INDEX", &format!("mine={open}"));
            set(m, "UV_INDEX_MINE_USERNAME", "user");
            set(m, "UV_INDEX_MINE_PASSWORD", PASSWORD);
        }),
        ("netrc", |m, _, open| {
            set(m, "UV_DEFAULT_INDEX", open);
            m.write("home/.netrc", format!("machine 127.0.0.1 login user password {PASSWORD}\n"));
        }),
        ("uv.toml of the user", |m, url, _| {
            m.write("home/.config/uv/uv.toml", format!("[[index]]\nurl = \"{url}\"\ndefault = true\n"));
        }),
        ("uv.toml of the project", |m, url, _| {
            m.write("project/uv.toml", format!("[pip]\nindex-url = \"{url}\"\n"));
        }),
        ("pyproject.toml", |m, url, _| {
            m.write(
                "project/pyproject.toml",
                format!("[[tool.uv.index]]\nurl = \"{url}\"\ndefault = true\n"),
            );
        }),
        ("pip.conf", |m, url, _| {
            m.variables.remove("PIP_CONFIG_FILE");
            m.write("home/.config/pip/pip.conf", format!("[global]\nindex-url = {url}\n"));
        }),
    ];
    for (place, apply) in places {
        let mut machine = Machine::new().unwrap();
        apply(&mut machine, &url, &open);
        let found = machine.resolve(&Ask::machine(&["beta"])).await;
        assert_eq!(
            pins(&found.unwrap_or_else(|error| panic!("{place}: {error}"))),
            ["alpha==1.0", "beta==1.0"],
            "{place}"
        );
    }
}

fn set(machine: &mut Machine, name: &str, value: &str) {
    machine.variables.insert(name.to_owned(), value.to_owned());
}

#[tokio::test]
async fn a_netrc_that_cannot_be_used_is_named() {
    let Some(mut machine) = Machine::new() else { return };
    let index = Index::default().with("alpha", "1.0", "py3-none-any", &[]).start();
    let ask = Ask::of(&["alpha"], &index.url());
    let path = machine.path("other-netrc");
    set(&mut machine, "NETRC", &path.display().to_string());
    let told = async || {
        let warnings = machine.resolve(&ask).await.unwrap().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let is_missing = told().await;
    assert!(is_missing.starts_with("no credentials of netrc are used: "), "{is_missing}");
    assert!(is_missing.contains(&format!("{}", path.display())), "{is_missing}");
    machine.write("other-netrc", format!("machine a\nlogin u pasword {PASSWORD}\n"));
    let is_malformed = told().await;
    let expected = format!("{}, line 2, is not in the format of netrc", path.display());
    assert!(is_malformed.ends_with(&expected) && !is_malformed.contains(PASSWORD), "{is_malformed}");
    machine.write("other-netrc", b"machine \xff");
    assert!(told().await.contains("UTF-8"));
    machine.write("other-netrc", format!("machine 127.0.0.1 login user password {PASSWORD}\n"));
    assert_eq!(told().await, "");
}
