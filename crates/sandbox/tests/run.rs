use std::path::PathBuf;

use imagewright_sandbox::{Bind, Network, RunRequest};

use crate::caller::{Caller, Who, may_be_root, text};
use crate::image::Image;

/// Runs `script` in the small image as every caller, and compares what it prints.
fn check(change: impl Fn(&mut RunRequest), script: &str, input: &[u8], expected: impl Fn(Who) -> String) {
    check_as(&Who::ALL, change, script, input, expected);
}

fn check_as(
    callers: &[Who],
    change: impl Fn(&mut RunRequest),
    script: &str,
    input: &[u8],
    expected: impl Fn(Who) -> String,
) {
    let image = Image::small();
    for &who in callers {
        let caller = Caller::new(who);
        let mut request = caller.request(&image, script);
        change(&mut request);
        let output = caller.run(&request, input);
        assert_eq!(text(&output.stdout), expected(who), "{who:?}: {}", text(&output.stderr));
        assert!(output.status.success(), "{who:?}");
    }
}

#[test]
fn the_layers_are_one_file_system() {
    if !may_be_root() {
        return;
    }
    let script = "ls /opaque /again /hidden; cat /replaced /linked; echo; ls /gone /device 2>&1 | head -c 6; \
                  test -p /fifo && echo fifo";
    check(
        |_| {},
        script,
        b"",
        |_| "/again:\nabove\n\n/hidden:\n\n/opaque:\nabove\nchangechange\nls: cafifo\n".to_owned(),
    );
}

#[test]
fn in_a_container_layers_and_writing_work_alike() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        let caller = Caller::contained(who);
        let script = "ls /opaque /again /hidden; ls -d /gone 2>/dev/null; rm /opaque/above && mkdir /new && cat /replaced";
        let output = caller.run(&caller.request(&image, script), b"");
        let expected = "/again:\nabove\n\n/hidden:\n\n/opaque:\nabove\nchange";
        assert_eq!(text(&output.stdout), expected, "{who:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_command_is_the_user_of_the_image() {
    if !may_be_root() {
        return;
    }
    let script =
        "id -u; id -g; id -G; id -un; pwd; echo $HOME $GREETING; touch ~/mine && stat -c '%u:%g' ~/mine ~ /";
    let change = |request: &mut RunRequest| {
        request.user = "flytekit".to_owned();
        request.cwd = "/some/where".into();
        request.env.extend(["GREETING=no".to_owned(), "GREETING=hello".to_owned()]);
    };
    check(change, script, b"", |who| {
        let root = if who == Who::NoTools { "1000:1000" } else { "0:0" };
        let groups = if who == Who::NoTools { "1000 65534" } else { "1000" };
        let groups = groups.split(' ').next().unwrap();
        format!(
            "1000\n1000\n{groups}\nflytekit\n/some/where\n/home/flytekit hello\n1000:1000\n1000:1000\n{root}\n"
        )
    });
}

#[test]
fn root_may_what_root_may_in_a_container() {
    if !may_be_root() {
        return;
    }
    let script = "id -u; touch /etc/new && chown 1000:1000 /etc/new 2>/dev/null && echo chown; stat -c %u /etc/new; \
                  mount -t tmpfs none /tmp 2>/dev/null || echo no mount; echo 1 2>/dev/null >/proc/sys/kernel/pid_max || echo no sysctl";
    check(
        |_| {},
        script,
        b"",
        |who| {
            // It is kept beside the file.
            let owner = if who == Who::NoTools { "chown\n0" } else { "chown\n1000" };
            format!("0\n{owner}\nno mount\nno sysctl\n")
        },
    );
}

#[test]
fn devices_processes_and_the_resolver_are_there() {
    if !may_be_root() {
        return;
    }
    let script = "head -c 2 /dev/zero /dev/urandom >/dev/null && head -c 3 /dev/full | stat -c %F - >/dev/null; \
                  touch /dev/shm/file && echo shm; ls /proc | head -n 1; stat -c %a /tmp; \
                  test -e /sys/devices/system/cpu && echo sys; test -s /etc/resolv.conf && echo resolver; \
                  test -c /dev/ptmx && echo pty; mknod /dev/m c 1 3 2>/dev/null && echo x 2>/dev/null >/dev/m && echo own device; ls -A /home /dev/pts; echo x 2>/dev/null >/etc/hosts || echo hosts kept";
    check_as(
        &Who::NAMESPACED,
        |_| {},
        script,
        b"",
        |_| "shm\n1\n1777\nsys\nresolver\npty\n/dev/pts:\nptmx\n\n/home:\nflytekit\nhosts kept\n".to_owned(),
    );
}

#[test]
fn the_machine_is_out_of_reach() {
    if !may_be_root() {
        return;
    }
    // Process 1 was started outside. What it has there must not be a way out.
    let script = "for up in / /.. /proc/1/root /proc/1/cwd /proc/1/root/.. /proc/1/fd/* /proc/self/fd/*; do \
                  test -e $up$OUTSIDE && echo $up; done; echo done";
    for who in Who::ALL {
        let caller = Caller::new(who);
        let mut request = caller.request(&Image::small(), script);
        request.env.push(format!("OUTSIDE={}", caller.path("helper").display()));
        assert_eq!(text(&caller.run(&request, b"").stdout), "done\n", "{who:?}");
    }
}

#[test]
fn input_is_passed_through() {
    if !may_be_root() {
        return;
    }
    check(|request| request.argv = vec!["cat".to_owned()], "", b"some bytes", |_| "some bytes".to_owned());
}

#[test]
fn files_of_the_machine_can_be_bound() {
    if !may_be_root() {
        return;
    }
    let shared = tempfile::tempdir().unwrap();
    fs_err::write(shared.path().join("file"), "bound").unwrap();
    let chmod =
        |path: PathBuf| fs_err::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777));
    chmod(shared.path().into()).unwrap();
    let change = |request: &mut RunRequest| {
        for (target, writable) in [("/new/read", false), ("/tmp/write", true)] {
            let source = shared.path().into();
            request.binds.push(Bind { source, target: target.into(), writable });
        }
    };
    let script = "cat /new/read/file; echo; touch /new/read/x 2>/dev/null || echo read-only; touch /tmp/write/x && rm /tmp/write/x && echo written";
    check_as(&Who::NAMESPACED, change, script, b"", |_| "bound\nread-only\nwritten\n".to_owned());
}

#[test]
fn without_a_network_there_is_only_the_loopback_interface() {
    if !may_be_root() {
        return;
    }
    let script = "cat /proc/net/dev; test -e /run/resolve || echo no resolver";
    let image = Image::small();
    for who in Who::NAMESPACED {
        let caller = Caller::new(who);
        let mut request = caller.request(&image, script);
        request.network = Network::None;
        let output = caller.run(&request, b"");
        let interfaces = text(&output.stdout).matches(':').count();
        assert_eq!(interfaces, 1, "{who:?}: {}", text(&output.stdout));
        assert!(text(&output.stdout).ends_with("no resolver\n"), "{who:?}");
    }
}

#[test]
fn without_a_namespace_for_it_there_are_no_sockets_of_the_network() {
    if !may_be_root() {
        return;
    }
    let caller = Caller::new(Who::Chrooted);
    let script = "socket(my $s, $ARGV[0], 1, 0) or die qq($!\\n)";
    let mut request = caller.request(&Image::small(), "");
    let said = |request: &RunRequest| text(&caller.run(request, b"").stderr);
    for (family, network, expected) in [
        ("2", Network::Host, ""),
        ("2", Network::None, "Address family not supported by protocol\n"),
        ("10", Network::None, "Address family not supported by protocol\n"),
        ("1", Network::None, ""),
    ] {
        request.argv = ["perl", "-e", script, family].map(str::to_owned).into();
        request.network = network;
        assert_eq!(said(&request), expected, "{family} {network:?}");
    }
}

#[test]
fn a_hundred_layers_fit() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let mut request = caller.request(&Image::small(), "cat /top; ls /numbers");
        for number in 0..100 {
            let root = caller.directory(&format!("{number}{}", "-".repeat(100)));
            fs_err::create_dir(root.join("numbers")).unwrap();
            fs_err::write(root.join(format!("numbers/{number}")), "").unwrap();
            fs_err::write(root.join("top"), format!("{number}\n")).unwrap();
            request.roots.push(root);
        }
        let output = caller.run(&request, b"");
        let lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[0].as_str()), (101, "99"), "{who:?}: {}", text(&output.stderr));
    }
}

#[test]
fn failures_are_told_as_a_shell_tells_them() {
    if !may_be_root() {
        return;
    }
    let image = Image::small();
    for who in Who::ALL {
        let caller = Caller::new(who);
        let mut request = caller.request(&image, "");
        for (argv, user, code, said) in [
            ("sh -c exit\t7", "", 7, ""),
            ("sh -c kill\t-TERM\t$$", "", 143, ""),
            ("sh -c kill\t-KILL\t$$", "flytekit", 137, ""),
            ("pithon", "", 127, "the image has no program `pithon` in /bin\n"),
            ("/bin/pithon", "", 127, "the image has no program `/bin/pithon`\n"),
            ("/not-a-program", "", 126, "cannot execute `/not-a-program`\nPermission denied (os error 13)\n"),
            (
                "id",
                "nobody",
                70,
                "the image has no user `nobody` in /etc/passwd\nhint: name a user that the image has, or a number\n",
            ),
            (
                "",
                "",
                70,
                "no command to run: none is given, and the image has none\nhint: add `-- COMMAND`\n",
            ),
        ] {
            request.argv =
                argv.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace('\t', " ")).collect();
            request.user = user.to_owned();
            let output = caller.run(&request, b"");
            assert_eq!(
                (output.status.code(), text(&output.stderr)),
                (Some(code), said.to_owned()),
                "{who:?} {argv}"
            );
        }
    }
}
