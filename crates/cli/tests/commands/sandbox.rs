//! Builds that have to execute something where that cannot be done.

use std::process::Command;
use std::time::Duration;

use crate::support::{Offline, Run, is_skipped_without, needed, run_within};

/// Enters a user namespace in which no other one can be made, without privileges for anything else.
const CLOSED: &str =
    "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin \"$0\" \"$@\"";

/// The world with a spec of one command, if namespaces can be made here to try it in.
fn world() -> Option<Offline> {
    needed("IMAGEWRIGHT_TEST_PEERS")?;
    if is_skipped_without("unshare") || is_skipped_without("setpriv") {
        return None;
    }
    let world = Offline::new()?;
    world.spec_with(&["gamma"], "commands: [echo hello]\n");
    Some(world)
}

fn closed(world: &Offline, arguments: &[&str]) -> Run {
    let wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", CLOSED];
    let mut command: Command = world.workshop.wrapped(&wrapper, arguments);
    run_within(&mut command, Duration::from_mins(1))
}

#[test]
fn without_a_sandbox_nothing_is_made_and_every_mode_says_why() {
    let Some(world) = world() else { return };
    let refused = closed(&world, &["build", "image.yaml"]).expect(6).says(&[
        "error: commands needs a sandbox, and none works here",
        "root: this is root of a user namespace with 1 ids only",
        "subordinate-ids: ",
        "single-id: cannot make a user namespace: No space left on device",
        "chroot: this is root of a user namespace with 1 ids only",
        "hint: user namespaces must be permitted",
    ]);
    refused.never_says(&["making", "making gamma"]);
    assert!(world.registry.tags("app").is_empty());
    assert_eq!(world.workshop.store().usage().unwrap().blobs.count, 0);
    let plan = closed(&world, &["plan", "image.yaml"]).expect(0).stdout;
    assert!(plan.contains("\nsandbox: none, commands needs a sandbox, and none works here: "), "{plan}");

    let forced = closed(&world, &["build", "image.yaml", "--sandbox", "single-id"]).expect(2);
    forced.says(&["sandbox mode single-id does not work here", "cannot make a user namespace"]);
    // Wheels alone are executed nowhere.
    world.spec(&["gamma"]);
    closed(&world, &["build", "image.yaml"]).expect(0);
}

#[test]
fn a_base_without_a_shell_is_named() {
    let Some(world) = world() else { return };
    let run = world.workshop.run(&["build", "image.yaml"]).expect(2);
    run.says(&[
        "error: commands: the image has no /bin/sh, so no command can run in it",
        "hint: start from a base with a shell",
    ]);
    assert!(world.registry.tags("app").is_empty());
}
