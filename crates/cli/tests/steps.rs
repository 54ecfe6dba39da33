//! What a build runs in the image, in every mode of the sandbox.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use imagewright_testkit::index::TestIndex;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Layer, Report};
use crate::traces::{
    assert_no_traces, entries, eventually, files_with, mounts_of, processes_of, processes_with,
};
use crate::user::{User, Who, bases, network, program};

/// The base, if everything that these tests need is there.
fn base() -> Option<String> {
    network()?;
    Some(format!("{}/debian-python:bookworm", bases()?))
}

fn spec(base: &str, commands: &[&str]) -> String {
    let commands: Vec<String> = commands.iter().map(|command| format!("\n- '{command}'")).collect();
    let commands = commands.concat();
    format!("name: steps\nbase_image: {base}\nbuilder_options: {{bytecode: false}}\ncommands:{commands}\n")
}

/// The user's own mode; root in a pod that may make namespaces would get a better one.
fn forced(user: &User) -> [&str; 2] {
    ["--sandbox", user.mode()]
}

fn build(user: &User, arguments: &[&str]) -> (Report, String) {
    let run = user.run(&[&["build", "image.yaml", "--json"], arguments].concat()).expect(0);
    (Report::parse(&run.stdout), run.stderr)
}

/// Does the same for a user of every mode; all but the first begin with what the first has made without commands.
fn in_every_mode(base: &str, check: impl FnMut(&User)) {
    in_every_mode_after(&spec(base, &[]), check);
}

/// The same where the first has made something else before.
fn in_every_mode_after(spec: &str, mut check: impl FnMut(&User)) {
    let root = User::new(Who::Root);
    root.write("image.yaml", spec);
    root.run(&["build", "image.yaml"]).expect(0);
    let others = Who::MODES.into_iter().filter(|who| *who != Who::Root).map(|who| {
        let user = User::new(who);
        user.take_store_of(&root);
        user
    });
    let others: Vec<User> = others.collect();
    for user in std::iter::once(root).chain(others) {
        check(&user);
    }
}

#[test]
fn commands_do_the_same_in_every_mode() {
    let Some(base) = base() else { return };
    let commands = [
        "cd /opt",
        "export A=1",
        "echo $A $PWD $(id -un) $(cat /etc/issue | wc -l) > said",
        "rm /etc/issue",
        "mkdir -p deep/er && touch deep/er/x && mv deep/er deeper",
        "chown -R 33:44 deeper && chmod 4755 said && chmod 700 deeper",
        "ln said linked && ln -s said link",
        "python3 -c \"import ssl\" && touch imported",
    ];
    let ask = "cat /opt/said; stat -c %a,%u:%g,%h /opt/said /opt/deeper /opt/imported; readlink /opt/link; ls /etc/issue";
    let mut digests = Vec::new();
    in_every_mode(&base, |user| {
        user.write("image.yaml", &spec(&base, &commands));
        let mode = forced(user);
        let plan = user.run(&[&["plan", "image.yaml"][..], &mode].concat()).expect(0).stdout;
        assert!(plan.contains(&format!("\nsandbox: {}\n", user.mode())), "{:?}: {plan}", user.who);
        let (first, told) = build(user, &mode);
        assert!(!told.contains("owners that this sandbox"), "{:?}: {told}", user.who);
        assert_eq!(first.produced().len(), 1, "{:?}: {:?}", user.who, first.layers());
        assert_no_traces(user, "success");
        let (again, _) = build(user, &["--force", mode[0], mode[1]]);
        assert_eq!((again.produced().len(), again.digest()), (0, first.digest()), "{:?}", user.who);
        let plan = user.run(&[&["plan", "image.yaml"][..], &mode].concat()).expect(0).stdout;
        assert!(!plan.contains("sandbox:"), "{:?}: nothing is executed: {plan}", user.who);
        let ask = ["run", "image.yaml", mode[0], mode[1], "--user", "root", "--", "sh", "-c", ask];
        let seen = user.run(&ask).stdout;
        let owner = if user.who == Who::NoTools { "0:0" } else { "33:44" };
        let expected = format!("1 /opt root 2\n4755,0:0,2\n700,{owner},2\n644,0:0,1\nsaid\n");
        assert_eq!(seen, expected, "{:?}", user.who);
        digests.push(first.digest().to_owned());
    });
    // Without an overlay a directory that was moved to a new place is not marked as hiding what was there.
    assert!(digests[..3].iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

/// The owners in the layer of apt's packages, by path.
fn owners(user: &User, report: &Report) -> BTreeMap<String, String> {
    let layers = report.layers();
    let is_apts = |layer: &&Layer| layer.packages.iter().any(|package| package.starts_with("curl "));
    let digest = &layers.iter().find(is_apts).expect("apt has a layer").digest;
    let blob = user.store().join("blobs").join(digest.trim_start_matches("sha256:"));
    let listed = program("tar").args(["--numeric-owner", "-tvzf"]).arg(blob).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(!listed.is_empty(), "{digest} is a file of the store");
    let words = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.map(|words| (words[5].to_owned(), format!("{} {}", words[0], words[1]))).collect()
}

#[test]
fn apt_does_the_same_in_every_mode() {
    let Some(base) = base() else { return };
    let ask = "curl --version | head -n 1; git --version; ssh -V 2>&1; stat -c %U:%G,%a /usr/bin/ssh-agent; dpkg --audit";
    let (mut seen, mut all) = (Vec::new(), Vec::new());
    in_every_mode(&base, |user| {
        let text = spec(&base, &[]).replace("commands:", "apt_packages: [curl, git, openssh-client]");
        user.write("image.yaml", &text);
        let mode = forced(user);
        let (built, told) = build(user, &mode);
        // Where there is one id, what a program replaces is root's; where there is no mount, root gives owners as ever.
        let lost = "owners that this sandbox cannot give are root's now: /etc/gshadow (0:42)\n";
        let is_single = user.who == Who::NoTools;
        assert_eq!(told.contains(lost), is_single, "{:?}: {told}", user.who);
        assert_eq!(told.contains("owners that this sandbox"), is_single, "{:?}: {told}", user.who);
        if user.who == Who::Root {
            let (again, _) = build(user, &["--force", "--no-cache", mode[0], mode[1]]);
            assert_eq!(again.digest(), built.digest(), "apt makes the same of the same");
        }
        let ask = ["run", "image.yaml", mode[0], mode[1], "--user", "root", "--", "sh", "-c", ask];
        let said = user.run(&ask).stdout;
        // Where there is one id, everything seems to be root's; the layer says otherwise.
        let owner = if is_single { "root:root,2755" } else { "root:_ssh,2755" };
        let words = ["curl ", "git version ", "OpenSSH_", owner];
        let lines = said.lines().zip(words);
        assert_eq!(lines.filter(|(line, word)| line.starts_with(word)).count(), 4, "{:?}: {said}", user.who);
        let mut owners = owners(user, &built);
        let expected = if is_single { "-rw-r----- 0/0" } else { "-rw-r----- 0/42" };
        assert_eq!(owners.remove("etc/gshadow").as_deref(), Some(expected), "{:?}", user.who);
        assert!(owners["usr/bin/ssh-agent"].starts_with("-rwxr-sr-x 0/1"), "{:?}: {owners:?}", user.who);
        all.push(owners);
        seen.push((built.digest().to_owned(), said.replace(owner, "OWNER")));
    });
    assert_eq!(seen[0], seen[1]);
    assert!(seen.iter().all(|one| one.1 == seen[0].1), "{seen:?}");
    // Without an overlay what is hidden is marked otherwise, and what was written again as it was is there, too.
    for (path, owner) in all[0].iter().filter(|(path, _)| !path.contains(".wh.")) {
        assert!(all.iter().all(|owners| owners.get(path) == Some(owner)), "{path} is not {owner}: {all:?}");
    }
}

/// A project with a module in C, which asks for the headers of Python.
const NATIVE: [(&str, &str); 2] = [
    (
        "setup.py",
        "from setuptools import Extension, setup\n\
         setup(name='native', version='1.0', ext_modules=[Extension('native', ['native.c'])])\n",
    ),
    (
        "native.c",
        "#include <Python.h>\n\
         static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }\n\
         static PyMethodDef methods[] = {{\"answer\", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};\n\
         static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"native\", NULL, -1, methods};\n\
         PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }\n",
    ),
];

#[test]
fn a_package_in_c_is_built_the_same_in_every_mode() {
    if network().is_none() {
        return;
    }
    let index = TestIndex::start();
    index.add_source("native", "1.0", None, &NATIVE);
    let spec = format!(
        "name: steps\npython_version: '3.11'\npackages: [native]\npip_extra_index_url: ['{}']\n\
         builder_options: {{bytecode: false}}\n",
        index.url()
    );
    let mut digests = Vec::new();
    in_every_mode_after(&spec, |user| {
        user.write("image.yaml", &spec);
        let mode = forced(user);
        // What it is built in is there, and the wheel of the first build is not taken.
        let (built, told) = build(user, &["--refresh", mode[0], mode[1]]);
        assert!(told.contains("building native-1.0.tar.gz"), "{:?}: {told}", user.who);
        let ask = "import native, sysconfig; print(native.answer(), sysconfig.get_config_var('prefix'))";
        let ask = ["run", "image.yaml", mode[0], mode[1], "--", "python", "-c", ask];
        assert_eq!(user.run(&ask).expect(0).stdout, "42 /usr\n", "{:?}", user.who);
        digests.push(built.digest().to_owned());
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn a_layer_that_lost_owners_is_told_and_never_taken_for_the_whole() {
    let Some(base) = base() else { return };
    let user = User::new(Who::Root);
    user.write("image.yaml", &spec(&base, &["ln -s nowhere /opt/link && chown -h 5:6 /opt/link"]));
    let lost = "owners that this sandbox cannot give are root's now: /opt/link (5:6)";
    let poor = ["--force", "--sandbox", "single-id"];

    let (lossy, told) = build(&user, &poor);
    assert!(told.contains(lost), "{told}");
    let (again, told) = build(&user, &poor);
    assert_eq!((again.produced().len(), again.digest()), (0, lossy.digest()), "{told}");

    // Who can do better does.
    let (whole, told) = build(&user, &["--force"]);
    assert_eq!(whole.produced().len(), 1, "{:?}", whole.layers());
    assert!(whole.digest() != lossy.digest() && !told.contains("owners"), "{told}");
    assert_eq!(build(&user, &["--force", "--sandbox", "chroot"]).0.digest(), whole.digest());
    // And then it serves everybody.
    assert_eq!(build(&user, &poor).0.digest(), whole.digest());
}

const SECRET: &str = "s3cret-of-a-step";

/// Starts a build whose command says `ready` and then goes on for ever, in two processes that have `mark`.
fn endless(user: &User, base: &str, mark: &str) -> Child {
    let command = format!(
        "grep -q s3cret /run/token && grep -q s3cret /root/.netrc && touch /etc/resolv.conf /opt/half; sleep {mark} & echo ready; sleep {mark}"
    );
    user.write("token", SECRET);
    user.write(
        "image.yaml",
        &(spec(base, &[&command])
            + "pip_secret_mounts: [[token, /run/token], ['env:CARRIED', /root/.netrc]]\n"),
    );
    let mut command =
        user.command(&[&["build", "image.yaml", "--progress", "plain"][..], &forced(user)].concat());
    command.env("CARRIED", SECRET);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = lines.map(|line| line.unwrap());
    assert!(said.any(|line| line.ends_with("ready")), "{:?}: the command runs", user.who);
    // What it says later has no reader, and is not missed.
    child
}

/// Kills a process, which may have ended with another one.
fn kill(pid: &str) {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    assert!(matches!(kill_process(pid, Signal::KILL), Ok(()) | Err(Errno::SRCH)));
}

#[test]
fn nothing_outlives_a_build_that_is_interrupted_or_killed() {
    let Some(base) = base() else { return };
    in_every_mode(&base, |user| {
        for (number, signal) in [Signal::INT, Signal::KILL].into_iter().enumerate() {
            let who = user.who;
            let mark = format!("8{}{number}{}", std::process::id(), who as u8);
            let mut child = endless(user, &base, &mark);
            eventually("both processes are there", || processes_with(&mark).len() >= 2);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let code = child.wait().unwrap().code();
            assert_eq!(code, (signal == Signal::INT).then_some(130), "{who:?}");
            eventually("the command ends", || processes_with(&mark).is_empty());
            assert_no_traces(user, &format!("{signal:?}"));
            assert_eq!(files_with(user, SECRET), ["./token"], "{who:?}, {signal:?}");
        }
    });
}

#[test]
fn what_nobody_could_remove_is_removed_at_the_next_start() {
    let Some(base) = base() else { return };
    in_every_mode(&base, |user| {
        let who = user.who;
        let mark = format!("7{}{}", std::process::id(), who as u8);
        let mut child = endless(user, &base, &mark);
        // The helpers die with their caller, as when the machine stops.
        for pid in processes_of(user) {
            kill(&pid);
        }
        child.wait().unwrap();
        if who == Who::Chrooted {
            // No namespace ends it with them.
            for pid in processes_with(&mark) {
                kill(&pid);
            }
        }
        eventually("the command ends", || processes_with(&mark).is_empty());
        assert_ne!(entries(&user.store().join("staging")), Vec::<String>::new(), "{who:?}");
        user.run(&["cache", "du"]).expect(0);
        if who == Who::Subordinate {
            // A folder that belongs to another id of the image takes a helper to be emptied.
            user.run(&["cache", "prune"]).expect(0);
        }
        assert_eq!(entries(&user.store().join("staging")), Vec::<String>::new(), "{who:?}");
        assert_eq!(mounts_of(user), Vec::<String>::new(), "{who:?}");
    });
}

#[test]
fn what_a_failed_step_left_can_be_looked_at() {
    let Some(base) = base() else { return };
    in_every_mode(&base, |user| {
        let (who, mode) = (user.who, forced(user));
        let failed = ["run", "--failed", mode[0], mode[1]];
        user.run(&failed).expect(2).says(&["error: no step has failed on this machine"]);
        user.write("token", "s3cret");
        let failing =
            spec(&base, &["cat /run/token && cd /opt && echo half > said && rm /etc/issue && A=1 exit 7"]);
        user.write(
            "image.yaml",
            &format!("{failing}env: {{COLOUR: green}}\npip_secret_mounts: [[token, /run/token]]\n"),
        );
        let build = ["build", "image.yaml", mode[0], mode[1]];
        user.run(&build).expect(5).says(&["failed with exit status 7", "hint: `imagewright run --failed`"]);
        assert_no_traces(user, "failure");

        let script = "cat /opt/said; ls /etc | grep -c issue$; echo $COLOUR $PWD $(id -u); test ! -e /run/token && test -w $PIP_CACHE_DIR && exit 3";
        let look = user.run(&[&failed[..], &["--", "sh", "-c", script]].concat()).expect(3);
        assert_eq!(look.stdout, "half\n0\ngreen / 0\n", "{who:?}");
        look.says(&["looking at commands of ", "which failed with exit status 7"]);
        assert_no_traces(user, "a look at it");
        if who != Who::Root {
            return;
        }
        // Without a command it is a shell.
        let shell = user.run_with(&failed, b"cat /opt/said; cd /opt; rm said; exit 4\n").expect(4);
        assert_eq!(shell.stdout, "half\n", "{who:?}");

        // The spec is found by its name, also when it has been mended since.
        user.write("image.yaml", &spec(&base, &["true"]));
        let of_spec = ["run", "image.yaml", "--failed", mode[0], mode[1], "--", "cat", "/opt/said"];
        assert_eq!(user.run(&of_spec).expect(0).stdout, "half\n", "{who:?}");
        user.write("other.yaml", &spec(&base, &["true"]).replace("name: steps", "name: other"));
        let of_other = ["run", "--failed", "other.yaml", "--", "true"];
        user.run(&of_other).expect(2).says(&["no step of ", "other has failed on this machine"]);
        user.run(&["cache", "prune", "--max-size", "0B"]).expect(0);
        user.run(&failed).expect(2).says(&["or what it left is pruned"]);
    });
}
