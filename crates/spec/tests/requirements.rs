//! Requirements files with what they include.

use std::path::Path;

use imagewright_spec::requirements::{Environment, LineKind, RequirementsError, read};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

#[test]
fn lines_say_where_they_come_from() {
    let folder = folder(&[
        (
            "requirements.txt",
            "\u{feff}# top\n-r reqs/base.txt\nhttpx[http2] \\\n  ; python_version > '3' # why\n--index-url https://${TOKEN}@host/\n",
        ),
        ("reqs/base.txt", "-c ../limits.txt\nnumpy==${VERSION}  --hash=sha256:00\n"),
        ("limits.txt", "scipy<2\n"),
    ]);
    let environment = Environment::from([
        ("VERSION".to_owned(), "2.0".to_owned()),
        ("TOKEN".to_owned(), "secret".to_owned()),
    ]);
    let read = read(Path::new("requirements.txt"), folder.path(), &environment).unwrap();
    let shown: Vec<String> = read
        .lines
        .iter()
        .map(|line| {
            let constraint = if line.constraint { " (constraint)" } else { "" };
            format!("{}:{}{constraint} {}", line.file.display(), line.line, line.text)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "requirements.txt:2 -r reqs/base.txt",
            "reqs/base.txt:1 -c ../limits.txt",
            "limits.txt:1 (constraint) scipy<2",
            "reqs/base.txt:2 numpy==${VERSION}  --hash=sha256:00",
            "requirements.txt:3 httpx[http2]   ; python_version > '3'",
            "requirements.txt:5 --index-url https://${TOKEN}@host/",
        ]
    );
    let LineKind::Requirement { requirement, hashes, .. } = &read.lines[3].kind else {
        panic!("{:?}", read.lines[3])
    };
    assert_eq!((requirement.as_str(), &hashes[..]), ("numpy==2.0", &["sha256:00".to_owned()][..]));
    let LineKind::Option(option) = &read.lines[5].kind else { panic!("{:?}", read.lines[5]) };
    assert_eq!(option.value.as_deref(), Some("https://secret@host/"));
    let files: Vec<String> = read.files.iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(files, ["requirements.txt", "reqs/base.txt", "limits.txt"]);
}

#[test]
fn a_missing_file_is_told_with_the_line_that_names_it() {
    let folder = folder(&[("a.txt", "x\n-r b/c.txt\n")]);
    let error = read(Path::new("a.txt"), folder.path(), &Environment::new()).unwrap_err();
    assert_eq!(error.to_string(), "a.txt, line 2: cannot read `b/c.txt`");
    assert!(error.hint().unwrap().contains("relative to the file"));
}

#[test]
fn a_cycle_ends_and_a_diamond_does_not() {
    let folder = folder(&[
        ("cycle.txt", "-r d/x.txt"),
        ("d/x.txt", "\n-r ../cycle.txt"),
        ("diamond.txt", "-r one.txt\n-r two.txt"),
        ("one.txt", "-r same.txt"),
        ("two.txt", "-r ./same.txt"),
        ("same.txt", "numpy"),
    ]);
    let read = |name: &str| read(Path::new(name), folder.path(), &Environment::new());
    let error = read("cycle.txt").unwrap_err();
    assert!(matches!(&error, RequirementsError::Cycle { line: 2, .. }), "{error}");
    let diamond = read("diamond.txt").unwrap();
    assert_eq!(diamond.lines.iter().filter(|line| line.text == "numpy").count(), 2);
    assert_eq!(diamond.files.len(), 4);
}
