use crate::caller::{Caller, Who, command, may_be_root, text};

fn detected(who: Who) -> Vec<String> {
    let caller = Caller::new(who);
    let output = caller.call(&["detect".as_ref(), caller.path("scratch").as_os_str()], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn every_mode_works_or_says_why_not() {
    if !may_be_root() {
        return;
    }
    assert_eq!(
        detected(Who::Subordinate),
        [
            "root: this is user 47110, not root",
            "subordinate-ids: works",
            "single-id: works",
            "chroot: this is user 47110, not root"
        ]
    );
    assert_eq!(
        detected(Who::NoTools),
        [
            "root: this is user 47110, not root",
            "subordinate-ids: cannot start newuidmap: No such file or directory (os error 2)",
            "single-id: works",
            "chroot: this is user 47110, not root"
        ]
    );
    let works = |who: Who| detected(who).iter().map(|line| line.ends_with(": works")).collect::<Vec<_>>();
    assert!(works(Who::Root)[0]);
    assert_eq!((works(Who::Chrooted)[0], works(Who::Chrooted)[3]), (false, true));
}

/// What `detect` says to root when `prepare` has run in a shell before it.
fn detected_after(prepare: &str) -> Vec<String> {
    let caller = Caller::new(Who::Root);
    let script = format!("{prepare} \"$0\" detect \"$1\"");
    let output = command("unshare".as_ref())
        .args(["--user", "--map-root-user", "sh", "-c", &script])
        .args([caller.path("helper"), caller.path("scratch")])
        .output()
        .unwrap();
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn restrictions_of_the_machine_are_named() {
    if !may_be_root() {
        return;
    }
    let lines = detected_after("exec");
    assert_eq!(lines[0], "root: this is root of a user namespace with 1 ids only");
    assert_eq!(lines[2], "single-id: works");
    let forbidden = "echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-sys_admin";
    let lines = detected_after(forbidden);
    assert_eq!(lines[2], "single-id: cannot make a user namespace: No space left on device (os error 28)");
}

#[test]
fn a_mode_that_was_asked_for_is_not_replaced_by_another() {
    if !may_be_root() {
        return;
    }
    let caller = Caller::new(Who::NoTools);
    let scratch = caller.path("scratch");
    let directory = caller.directory("some");
    let output = caller.call(
        &["remove".as_ref(), "subordinate-ids".as_ref(), scratch.as_os_str(), directory.as_os_str()],
        b"",
    );
    assert_eq!(output.status.code(), Some(70));
    assert_eq!(
        text(&output.stderr),
        "sandbox mode subordinate-ids does not work here\ncannot start newuidmap\nNo such file or directory (os error 2)\n\
         hint: install newuidmap and newgidmap: package `uidmap` on Debian and Ubuntu, `shadow-utils` elsewhere\n"
    );
    assert!(directory.is_dir());
}
