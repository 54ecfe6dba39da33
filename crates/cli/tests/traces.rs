//! What a command may leave behind on a machine.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::user::{User, program};

/// The names in a directory; none if there is no such directory.
pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let Ok(found) = fs_err::read_dir(directory) else { return Vec::new() };
    found.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Processes of the machine whose command line contains `mark`.
pub(crate) fn processes_with(mark: &str) -> Vec<String> {
    let has_mark = |pid: &String| {
        let line = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    processes().filter(has_mark).collect()
}

/// Mounts of this machine that have to do with the user.
pub(crate) fn mounts_of(user: &User) -> Vec<String> {
    let table = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = user.home();
    table.lines().filter(|line| line.contains(folder.to_str().unwrap())).map(str::to_owned).collect()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < limit, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asserts that nothing of what a user ran is left: no process, no mount, and no temporary file outside of the store
/// or in it.
#[track_caller]
pub(crate) fn assert_no_traces(user: &User, after: &str) {
    let who = user.who;
    eventually(&format!("{who:?}: the helpers end after {after}"), || processes_of(user).is_empty());
    assert_eq!(mounts_of(user), Vec::<String>::new(), "{who:?}, {after}");
    for folder in [user.store().join("staging"), user.temporary()] {
        assert_eq!(entries(&folder), Vec::<String>::new(), "{who:?}, {after}: {}", folder.display());
    }
}

/// The files in the user's home, the store among them, that have `text` in them.
pub(crate) fn files_with(user: &User, text: &str) -> Vec<String> {
    // As an argument, other tests would see it.
    let arguments =
        ["--recursive", "--files-with-matches", "--binary-files=text", "--fixed-strings", "--file=-", "."];
    let mut grep = program("grep");
    grep.args(arguments).current_dir(user.home()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut grep = grep.spawn().unwrap();
    grep.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let found = String::from_utf8(grep.wait_with_output().unwrap().stdout).unwrap();
    found.lines().map(str::to_owned).collect()
}

/// Processes of the machine, without their threads, that work with the user's store.
pub(crate) fn processes_of(user: &User) -> Vec<String> {
    let store = format!("IMAGEWRIGHT_STORE={}", user.store().display());
    let is_of = |pid: &String| {
        let environment = fs_err::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == store.as_bytes())
    };
    processes().filter(is_of).collect()
}

fn processes() -> impl Iterator<Item = String> {
    entries("/proc".as_ref()).into_iter().filter(|name| name.parse::<u32>().is_ok())
}
