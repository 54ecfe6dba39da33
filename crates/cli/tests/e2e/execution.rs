//! Nothing of an image of wheels is executed to build it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Workshop, is_skipped_without, network, oracle, run_within};

const LIMIT: Duration = Duration::from_mins(5);

#[test]
fn only_uv_and_the_compiler_are_executed() {
    let Some(()) = network() else { return };
    if is_skipped_without("strace") {
        return;
    }
    let workshop = Workshop::unbuilt();
    let spec = "name: traced\npython_version: '3.11'\npackages: [numpy, requests]\n";
    workshop.write("image.yaml", spec);
    let trace = workshop.path("trace");
    let strace = ["strace", "-f", "-qq", "-e", "trace=execve,execveat", "-o", trace.to_str().unwrap()];
    // Once with nothing made, once more with another spec and all that the first left in the store.
    run_within(&mut workshop.wrapped(&strace, &["build", "image.yaml"]), LIMIT).expect(0);
    let first = executed(&trace);
    workshop.write("image.yaml", spec.replace("requests", "requests, six"));
    run_within(&mut workshop.wrapped(&strace, &["build", "image.yaml"]), LIMIT).expect(0);
    let second = executed(&trace);
    println!("executed: {first:?}, then {second:?}");

    let uv = oracle().unwrap().with_file_name("uv");
    let compilers = workshop.store_path().join("roots");
    let is_own = |path: &Path| {
        path.file_name().is_some_and(|name| name == "imagewright")
            || path == uv
            || path.starts_with(&compilers)
    };
    // Before the compiler is there, uv looks for a Python of this machine to ask for its bearings.
    let is_hosts_python = |path: &Path| {
        !path.starts_with(workshop.store_path())
            && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("python"))
    };
    let strange: Vec<_> = first.iter().filter(|path| !is_own(path) && !is_hosts_python(path)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    let strange: Vec<_> = second.iter().filter(|path| !is_own(path)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(second.iter().any(|path| path.starts_with(&compilers)), "no compiler in {second:?}");
}

/// The programs of a trace that were started, not only looked for.
fn executed(trace: &Path) -> BTreeSet<PathBuf> {
    let text = fs_err::read_to_string(trace).unwrap();
    let successes = text.lines().filter(|line| line.contains("execve") && line.trim_end().ends_with("= 0"));
    let programs = successes.filter_map(|line| line.split('"').nth(1)).map(PathBuf::from).collect();
    let unfinished = text.lines().filter(|line| line.contains("<unfinished"));
    let more = unfinished.filter_map(|line| line.split('"').nth(1)).map(PathBuf::from);
    let programs: BTreeSet<PathBuf> = programs;
    programs.into_iter().chain(more).collect()
}
