//! What git ignores is not copied: where git does not say it, nothing is.

use std::process::Command;
use std::time::Duration;

use super::copies::{git, paths, sources};
use crate::support::{Offline, run_within};

const LIMIT: Duration = Duration::from_mins(2);

#[test]
fn what_git_may_ignore_is_not_copied_unasked() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec_with(&["gamma"], "copy: [src]\n");
    git(&workshop.project(), &["init", "--quiet"]);
    workshop.write("src/.gitignore", ".env\n");
    workshop.write("src/.env", "PASSWORD=x");
    workshop.write("src/a.py", "");
    let refused = |command: &mut Command, told: &str| {
        let told = format!("copy: git does not say what it ignores in `src`: {told}");
        run_within(command, LIMIT).expect(2).says(&[&told, "hint: what `.gitignore` names may be secret"]);
        assert!(world.registry.requests().iter().all(|request| request.method != "PUT"));
    };
    refused(workshop.command(&["build", "image.yaml"]).env("PATH", "/nowhere"), "it is not installed");
    fs_err::rename(workshop.project().join(".git/HEAD"), workshop.path("HEAD")).unwrap();
    refused(&mut workshop.command(&["build", "image.yaml"]), "not a git repository");
    fs_err::rename(workshop.path("HEAD"), workshop.project().join(".git/HEAD")).unwrap();
    assert_eq!(paths(&sources(workshop)["copy: src"]), [".gitignore", "a.py"]);
}

#[test]
fn a_repository_in_what_is_copied_has_rules_of_its_own() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec_with(&["gamma"], "copy: [src]\n");
    workshop.write("src/.gitignore", "*.tmp\n");
    workshop.write("src/lib/.gitignore", "/.env\n");
    for path in ["src/lib/.env", "src/lib/a.py", "src/lib/b.tmp", "src/lib/deep/.env", "src/c.tmp"] {
        workshop.write(path, "");
    }
    let library = workshop.project().join("src/lib");
    git(&library, &["init", "--quiet"]);
    git(&library, &["add", "a.py"]);
    git(&library, &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "first"]);
    git(&workshop.project(), &["init", "--quiet"]);
    let url = library.display().to_string();
    git(&workshop.project(), &["submodule", "--quiet", "add", "--force", &url, "src/lib"]);
    let expected = [".gitignore", "lib/.gitignore", "lib/a.py", "lib/b.tmp", "lib/deep/.env"];
    assert_eq!(paths(&sources(workshop)["copy: src"]), expected);
}
