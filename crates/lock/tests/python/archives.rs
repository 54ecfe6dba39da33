//! Which archive of source is chosen where there is no wheel; and that nothing of it is executed for that.

use std::path::Path;

use imagewright_lock::python::SourceLocation;
use imagewright_testkit::index::TestIndex;

use super::machine::{Ask, Machine};

const PASSWORD: &str = "s3cr3t-w0rd";
/// `user:s3cr3t-w0rd`
const ENCODED: &str = "dXNlcjpzM2NyM3QtdzByZA==";

/// Adds a project that says nothing of itself, and writes to `mark` when it is asked.
fn add_hostile(index: &TestIndex, version: &str, requires_python: Option<&str>, mark: &Path) {
    let setup = format!(
        "open({:?}, 'w').close()\nfrom setuptools import setup\nsetup(name='hostile', version='{version}')\n",
        mark.display()
    );
    let backend = format!("open({:?}, 'w').close()\n", mark.display());
    let project = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n";
    let about = format!("Metadata-Version: 1.2\nName: hostile\nVersion: {version}\n");
    let files = [
        ("setup.py", setup.as_str()),
        ("backend.py", &backend),
        ("pyproject.toml", project),
        ("PKG-INFO", &about),
    ];
    index.add_source("hostile", version, requires_python, &files);
}

/// The file name of the archive that is chosen.
async fn chosen(machine: &Machine, ask: &Ask, needed: &[&str]) -> Option<String> {
    let found = machine.sdist(ask, "hostile", needed).await.unwrap()?;
    let SourceLocation::Archive { url } = found.location else { panic!("{found:?}") };
    assert!(!url.as_str().contains(PASSWORD), "{url}");
    Some(url.path().rsplit('/').next().unwrap().to_owned())
}

#[tokio::test]
async fn versions_are_looked_up_and_nothing_is_executed() {
    let Some(machine) = Machine::new().map(Machine::watched) else { return };
    let (index, mark) = (TestIndex::start(), machine.path("mark"));
    for (version, requires_python) in
        [("1.0", None), ("1.5", Some(">=3.8")), ("2.0", Some(">=3.12")), ("3.0rc1", None)]
    {
        add_hostile(&index, version, requires_python, &mark);
    }
    // uv knows kinds of archive by their names that are not built here.
    let direct = format!("hostile @ {}", index.file_url("hostile-1.0.tar.zst"));
    for (packages, arguments, needed, expected) in [
        (&["hostile"][..], "", &[][..], Some("hostile-1.5.tar.gz")),
        (&["hostile[extra]"], "", &[], Some("hostile-1.5.tar.gz")),
        (&["hostile<1.5"], "", &[], Some("hostile-1.0.tar.gz")),
        (&["hostile"], "--pre", &[], Some("hostile-3.0rc1.tar.gz")),
        (&[], "", &["<1.2"], Some("hostile-1.0.tar.gz")),
        (&["hostile ; python_version > '3'"], "", &[">1.0"], Some("hostile-1.5.tar.gz")),
        (&["hostile>=4"], "", &[], None),
        (&["hostile", &direct], "", &[], None),
        (&["hostile"], "--no-index", &[], None),
    ] {
        let ask = Ask::of(packages, &index.url()).arguments(arguments);
        // Nor is it where packages are resolved.
        assert!(packages.is_empty() || machine.resolve(&ask).await.is_err(), "{packages:?}");
        let found = chosen(&machine, &ask, needed).await;
        assert_eq!(found.as_deref(), expected, "{packages:?} {arguments} {needed:?}");
        assert!(!mark.exists(), "{packages:?}");
    }

    index.conceal_hashes();
    index.speak_html_only();
    index.ask_for_password(ENCODED);
    let refused = machine.sdist(&Ask::of(&["hostile"], &index.url()), "hostile", &[]).await.unwrap_err();
    assert!(refused.to_string().contains("answers 401"), "{refused}");
    let url = format!("http://user:{PASSWORD}@{}/simple", index.host());
    let mut ask = Ask::of(&["hostile"], &url);
    assert_eq!(chosen(&machine, &ask, &[]).await.as_deref(), Some("hostile-1.5.tar.gz"));
    index.forget_requests();
    ask.offline = true;
    assert_eq!(chosen(&machine, &ask, &[]).await.as_deref(), Some("hostile-1.5.tar.gz"));
    assert_eq!(index.requests(), Vec::<String>::new());
    assert!(!mark.exists());
    // That nothing was executed is no accident.
    let arguments = fs_err::read_to_string(machine.path("arguments")).unwrap();
    let questions: Vec<&str> = arguments.lines().filter(|line| line.contains("--format")).collect();
    assert!(
        questions.len() > 10 && questions.iter().all(|line| line.contains(" --no-build ")),
        "{arguments}"
    );
}

#[tokio::test]
async fn the_first_index_that_knows_it_and_every_folder_is_looked_into() {
    let Some(machine) = Machine::new() else { return };
    let (first, second, mark) = (TestIndex::start(), TestIndex::start(), machine.path("mark"));
    add_hostile(&second, "1.0", None, &mark);
    let ask = |arguments: &str| {
        let first = format!("--extra-index-url {} {arguments}", first.url());
        Ask::of(&["hostile"], &second.url()).arguments(&first)
    };
    assert_eq!(chosen(&machine, &ask(""), &[]).await.as_deref(), Some("hostile-1.0.tar.gz"));
    add_hostile(&first, "0.5", None, &mark);
    assert_eq!(chosen(&machine, &ask(""), &[]).await.as_deref(), Some("hostile-0.5.tar.gz"));
    let every = ask("--index-strategy unsafe-best-match");
    assert_eq!(chosen(&machine, &every, &[]).await.as_deref(), Some("hostile-1.0.tar.gz"));

    let file = machine.write("archives/hostile-0.7.zip", "not opened");
    let folder = ask(&format!("--find-links {}", machine.path("archives").display()));
    let found = machine.sdist(&folder, "hostile", &[]).await.unwrap().unwrap();
    assert_eq!(found.location, SourceLocation::File { path: file });
    let strict = ask("--require-hashes");
    let error = machine.sdist(&strict, "hostile", &[]).await.unwrap_err();
    assert!(error.to_string().contains("hostile"), "{error}");
    assert!(!mark.exists());
}
