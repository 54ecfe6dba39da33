use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use imagewright_sandbox::Bind;
use rustix::process::{Pid, Signal, kill_process};

use crate::caller::{Caller, Who, entries, may_be_root, text};
use crate::image::Image;

/// Processes of the machine whose command line contains `mark`.
fn processes_with(mark: &str) -> Vec<String> {
    let command_line = |pid: &String| fs_err::read(format!("/proc/{pid}/cmdline")).ok();
    let numbers = entries("/proc".as_ref()).into_iter().filter(|name| name.parse::<u32>().is_ok());
    numbers
        .filter_map(|pid| command_line(&pid))
        .map(|line| text(&line))
        .filter(|line| line.contains(mark))
        .collect()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < limit, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the command has said that it runs.
fn running(caller: &Caller, mut child: Child) -> Child {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "ready", "{:?}", caller.who);
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn nothing_outlives_the_command() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        let caller = Caller::new(who);
        let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
        let request = caller.request(&image, "sleep 98761 & (sleep 98761 &) ; touch /file; exit 0");
        assert!(caller.run(&request, b"").status.success());
        assert_eq!(processes_with("98761"), Vec::<String>::new(), "{who:?}");
        assert_eq!(fs_err::read_to_string("/proc/self/mountinfo").unwrap(), mounts, "{who:?}");
    }
}

#[test]
fn nothing_outlives_a_killed_caller() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        let caller = Caller::new(who);
        let mut child =
            caller.start(&caller.request(&image, "mkdir -m 0 /tmp/x; sleep 98762 & echo ready; sleep 98762"));
        child = running(&caller, child);
        assert!(!processes_with("98762").is_empty());
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        eventually("the command is killed", || processes_with("98762").is_empty());
        eventually("the scratch directory is cleared", || entries(&caller.path("scratch")).is_empty());
        let helper = caller.path("helper").to_str().unwrap().to_owned();
        eventually("the helpers end", || processes_with(&helper).is_empty());
    }
}

#[test]
fn nothing_outlives_a_killed_caller_of_a_step() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        let caller = Caller::new(who);
        let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
        let (cache, secret) = (caller.directory("cache"), caller.path("secret"));
        fs_err::write(&secret, "s3cret").unwrap();
        let mut request =
            caller.request(&image, "(sleep 98764 &) ; touch /cache/kept; echo ready; sleep 98764");
        let bind = |source: &Path, target: &str, writable| Bind {
            source: source.into(),
            target: target.into(),
            writable,
        };
        request.binds = vec![bind(&cache, "/cache", true), bind(&secret, "/secret", false)];
        let mut child = running(&caller, caller.start_step(&request));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        eventually("the command is killed", || processes_with("98764").is_empty());
        eventually("the scratch directory is cleared", || entries(&request.scratch).is_empty());
        let helper = caller.path("helper").to_str().unwrap().to_owned();
        eventually("the helpers end", || processes_with(&helper).is_empty());
        assert_eq!(fs_err::read_to_string("/proc/self/mountinfo").unwrap(), mounts, "{who:?}");
        assert_eq!(entries(&cache), ["kept"], "{who:?}");
    }
}

#[test]
fn a_step_can_be_stopped() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let request = caller.request(&Image::small(), "(sleep 98765 &) ; echo ready; sleep 98765");
        let output = caller.stop_step(&request);
        assert_eq!(text(&output.stderr), "the step was stopped\n", "{who:?}");
        assert_eq!(processes_with("98765"), Vec::<String>::new(), "{who:?}");
        assert!(entries(&request.scratch).is_empty(), "{who:?}");
    }
}

#[test]
fn a_killed_helper_is_told_and_takes_the_command_with_it() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let request = caller.request(&Image::small(), "touch ~/kept; echo ready; sleep 98763");
        let child = running(&caller, caller.start(&request));
        let children = fs_err::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
        let outer = children.trim().parse().unwrap();
        kill_process(Pid::from_raw(outer).unwrap(), Signal::KILL).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(70), "{who:?}");
        assert_eq!(text(&output.stderr), "the sandbox helper was killed\n", "{who:?}");
        eventually("the command is killed", || processes_with("98763").is_empty());
        let scratch = caller.path("scratch");
        let left = if who == Who::Chrooted { "root" } else { "upper" };
        assert!(entries(&scratch).contains(&left.to_owned()), "{who:?}: nobody was left to clear it");
        caller.directory("other");
        let other = caller.path("other");
        let output = caller
            .call(&["remove".as_ref(), who.mode().as_ref(), other.as_os_str(), scratch.as_os_str()], b"");
        assert!(output.status.success() && !scratch.exists(), "{who:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_signal_to_the_caller_reaches_the_command() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        for (number, sent) in [("TERM", Signal::TERM), ("HUP", Signal::HUP), ("USR1", Signal::USR1)] {
            let caller = Caller::new(who);
            let script = format!("trap 'exit 33' {number}; echo ready; while :; do sleep 0.05; done");
            let mut child = running(&caller, caller.start(&caller.request(&image, &script)));
            signal(&child, sent);
            assert_eq!(child.wait().unwrap().code(), Some(33), "{who:?} {number}");
        }
    }
}

#[test]
fn ctrl_c_is_for_the_command_alone() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        let caller = Caller::new(who);
        let script = "trap 'echo once; exit 44' INT; echo ready; while :; do sleep 0.05; done";
        let request = caller.request(&image, script);
        let mut child = running(&caller, caller.start_on_terminal(&request));
        child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), said.matches("once").count()),
            (Some(44), 1),
            "{who:?}: {said}"
        );
    }
}

#[test]
fn what_subordinate_ids_own_can_be_removed() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let request = caller.request(&Image::small(), "");
        for root in &request.roots {
            let scratch = caller.path("scratch");
            let output = caller
                .call(&["remove".as_ref(), who.mode().as_ref(), scratch.as_os_str(), root.as_os_str()], b"");
            assert!(output.status.success(), "{who:?}: {}", text(&output.stderr));
            assert!(!root.exists());
        }
    }
}
