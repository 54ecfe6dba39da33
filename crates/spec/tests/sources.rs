//! What is copied of a folder, as `declared` finds it.

use std::os::unix::fs::symlink;
use std::path::Path;

use imagewright_spec::requirements::Environment;
use imagewright_spec::{
    DeclaredContext, ParseOptions, Source, SourceEntry, SourceWarning, Sources, declared, parse_yaml,
};

fn sources(spec: &str, folder: &Path) -> Sources {
    let context = DeclaredContext {
        directory: folder,
        python: None,
        with: &[],
        environment: &Environment::new(),
        left_out: &["image.lock".into(), "nowhere.lock".into()],
    };
    declared(&parse_yaml(spec, &ParseOptions::default()).unwrap(), &context).unwrap().1
}

/// The paths of a source, each with what it is.
fn listed(source: &Source) -> String {
    let entries = source.tree.entries.iter().map(|(path, entry)| match entry {
        SourceEntry::Folder => format!("{path}/"),
        SourceEntry::Link { target } => format!("{path}->{target}"),
        SourceEntry::File { executable, size, .. } => {
            format!("{path}:{size}{}", if *executable { "x" } else { "" })
        }
    });
    entries.collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path, paths: &[&str]) {
    for path in paths {
        let path = folder.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "text").unwrap();
    }
}

#[test]
fn a_folder_is_there_for_what_is_in_it_or_for_being_empty() {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path(), &["a/b/c", "a/d.pyc", "pycs/x.pyc", "logs/x/y.log", "image.lock", "sub/image.lock"]);
    files(folder.path(), &["sub/.git", ".git/config", "kept/no.log", "kept/yes.log"]);
    fs_err::create_dir_all(folder.path().join("empty/er")).unwrap();
    fs_err::create_dir_all(folder.path().join("logs/z")).unwrap();
    fs_err::write(folder.path().join(".dockerignore"), "logs\n**/*.log\n!kept/yes.log\n.dockerignore\n")
        .unwrap();
    // Git cannot say anything of a repository like this one.
    let found = sources("source_root: .\nsource_copy_mode: ALL", folder.path());
    let source = &found["source_root"];
    let expected = "./ a/ a/b/ a/b/c:4 empty/ empty/er/ kept/ kept/yes.log:4 sub/ sub/image.lock:4";
    assert_eq!(listed(source), expected);
    let [SourceWarning::Git { problem, .. }, SourceWarning::Git { path, .. }] = &source.warnings[..] else {
        panic!("{:?}", source.warnings)
    };
    assert!(problem.contains("not a git repository"), "{problem}");
    assert_eq!(path, Path::new("./sub"));
}

#[test]
fn links_lead_to_what_is_copied_or_become_it() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    files(folder.path(), &["data/a/b", "data/noise.pyc", "data.csv"]);
    files(outside.path(), &["far"]);
    let link = |target: &Path, name: &str| symlink(target, folder.path().join(name)).unwrap();
    for (target, name) in [
        ("a/b", "data/to_file"),
        ("a", "data/to_folder"),
        ("..", "data/a/to_top"),
        ("to_file", "data/to_link"),
        ("to_out", "data/to_out_link"),
        ("../data.csv", "data/to_out"),
        ("noise.pyc", "data/to_ignored"),
        ("nowhere", "data/broken"),
        ("data", "named"),
    ] {
        link(Path::new(target), name);
    }
    link(outside.path(), "data/far_folder");
    link(&outside.path().join("far"), "data/far_file");
    link(&folder.path().join("data/a/b"), "data/absolute");
    let found = sources("copy: [data, named, ./data.csv]", folder.path());
    let far = outside.path().display();
    let expected = format!(
        "./ a/ a/b:4 a/to_top->.. absolute:4 broken->nowhere far_file:4 far_folder->{far} \
         to_file->a/b to_folder->a to_ignored:4 to_link->to_file to_out:4 to_out_link->to_out"
    );
    assert_eq!(listed(&found["copy: data"]), expected);
    assert_eq!(found["copy: named"].tree, found["copy: data"].tree, "what is named is followed");
    assert_eq!(listed(&found["copy: data.csv"]), ".:4");
    let warned = found["copy: data"].warnings.iter().map(ToString::to_string);
    assert_eq!(
        warned.collect::<Vec<_>>(),
        [
            "the link `data/broken` leads to `nowhere`, which is not copied with it".to_owned(),
            format!("the link `data/far_folder` leads to `{far}`, which is not copied with it"),
        ]
    );
}

#[test]
fn what_is_named_twice_is_one_source() {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path(), &["data/a", "b.txt"]);
    let spec = "copy: [data, ./data/, b.txt]\nbuilder_options: {copy: [{source: data, destination: /x}]}";
    let names: Vec<String> = sources(spec, folder.path()).into_keys().collect();
    assert_eq!(names, ["copy: b.txt", "copy: data"]);
}
