use std::os::unix::fs::MetadataExt as _;

use imagewright_sandbox::{Bind, RunRequest, SecretFile};

use crate::caller::{Caller, Who, entries, may_be_root, text};
use crate::image::Image;
use crate::step::SCRIPT;

/// Lists everything that there is, but for processes, devices and what is in memory.
const LOOK: &str = r#"
look() {
    for file in "$1"/* "$1"/.[!.]*; do
        [ -e "$file" ] || [ -L "$file" ] || continue
        case $file in /proc|/sys|/dev|/usr) continue;; esac
        stat -c '%N %A %u:%g %h %F' "$file"
        [ -L "$file" ] || [ ! -d "$file" ] || look "$file"
    done
}
look ''
cat /etc/second /linked/* /replaced; true
"#;

/// Runs a step, above which the next one will be; what it said and what it changed.
fn run(caller: &Caller, request: &mut RunRequest, script: &str) -> (String, String) {
    script.clone_into(&mut request.argv[2]);
    let (output, layer, list) = caller.step(request);
    assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
    let (root, unpacked) = caller.unpack(&layer, &format!("step-{}", request.roots.len()));
    assert!(unpacked.status.success());
    request.roots.push(root);
    (text(&output.stdout), list)
}

fn secret(target: &str) -> SecretFile {
    SecretFile { target: target.into(), content: b"s3cret\n".to_vec() }
}

#[test]
fn steps_of_a_series_do_what_they_do_alone() {
    if !may_be_root() {
        return;
    }
    let scripts = [
        SCRIPT,
        "cat /replaced /run/secrets/new /home/here/x; echo new >/replaced; rm -r /opaque; mkdir /opaque; touch /opaque/x",
        "cat /replaced; rm -rf /run; echo third >/third",
        LOOK,
        "rm -r /etc; ln -s /home /etc; mkdir -p /run/secrets/kept",
        LOOK,
    ];
    for who in [Who::Root, Who::Chrooted] {
        let told = [false, true].map(|is_of_series| {
            let caller = Caller::new(who);
            let here = caller.directory("here");
            fs_err::write(here.join("x"), "shown\n").unwrap();
            let mut request = caller.request(&Image::small(), "");
            request.scratch = caller.directory("series");
            request.is_of_series = is_of_series;
            request.binds = vec![Bind { source: here, target: "/home/here".into(), writable: false }];
            request.secrets = vec![secret("/run/secrets/new"), secret("/replaced")];
            scripts.map(|script| run(&caller, &mut request, script))
        });
        assert!(told[0][3].0.contains("'/third' -rw-r--r-- 0:0"), "{who:?}: {}", told[0][3].0);
        for (step, (series, alone)) in told[1].iter().zip(&told[0]).enumerate() {
            assert_eq!(series, alone, "{who:?}: {}", scripts[step]);
        }
    }
}

#[test]
fn without_mounts_the_root_is_copied_once_and_keeps_nothing_of_the_machine() {
    if !may_be_root() {
        return;
    }
    let caller = Caller::new(Who::Chrooted);
    let mut request = caller.request(&Image::small(), "");
    request.scratch = caller.directory("series");
    request.is_of_series = true;
    request.secrets = vec![secret("/replaced"), secret("/run/secrets/new")];
    let tree = request.scratch.join("root");
    let inode = || fs_err::metadata(tree.join("usr/bin/sh")).unwrap().ino();

    assert_eq!(run(&caller, &mut request, "cat /replaced").0, "s3cret\n");
    assert_eq!(entries(&request.scratch), ["kept.json", "root"]);
    for of_the_machine in ["replaced", "run", "etc/hosts", "dev", "proc"] {
        assert!(!tree.join(of_the_machine).exists(), "{of_the_machine}");
    }
    let first = inode();
    request.secrets.clear();
    let second = run(&caller, &mut request, "cat /replaced; echo more >/more; touch /replaced");
    assert_eq!(
        second,
        ("change\n".to_owned(), "b\"more\" file 5 644 0:0\nb\"replaced\" file 6 644 0:0\n".to_owned())
    );
    assert_eq!(run(&caller, &mut request, "cat /more /replaced").0, "more\nchange\n");
    assert_eq!(inode(), first);
    // What is not above that is copied anew. As long as the file is open, no other one has its number.
    let held = fs_err::File::open(tree.join("usr/bin/sh")).unwrap();
    request.roots.pop();
    let (output, ..) = caller.step(&request);
    assert_eq!((text(&output.stdout), inode() == first), ("more\nchange\n".to_owned(), false));
    drop(held);
}
