use std::path::Path;

use imagewright_sandbox::{Bind, RunRequest, SecretFile};

use crate::caller::{Caller, Who, may_be_root, text};
use crate::image::{Image, Tar};

/// Everything that a command can do to a file system.
pub(crate) const SCRIPT: &str = r#"
echo to output; echo to error >&2
rm /replaced; rm -r /again; mkdir /again; echo x >/again/inside
rm -r /opaque; echo file >/opaque
rm /linked; mkdir /linked; touch /linked/now-a-directory
echo one >/etc/first; ln /etc/first /etc/second; ln /etc/first /a-link
echo owned >/owned; chown 33:44 /owned
mkdir -m 2750 /directory; chown 1000:1000 /directory
echo set >/set-id; chown 7:8 /set-id; chmod 4755 /set-id
echo cap >/set-cap; setcap cap_net_raw+ep /set-cap
(cd /; ln -s first etc/through; chown 9 etc/through; chown :10 /etc/through)
chown 1:1 /no-such-file 2>/dev/null && echo not refused
head -c 3000000 /dev/zero >/large
ln -s 'some where' /symlink; chown -h 5:6 /symlink; mkfifo /pipe; chmod 620 /pipe
printf bytes >"$(printf '/non-utf-8-\377')"
ln -s "$(printf 'target-\376')" "/$(printf 'symlink-\376')"
ln "$(printf '/non-utf-8-\377')" "$(printf '/etc/linked-\377')"
cat /etc/shadow >/etc/shadow+; chown 0:0 /etc/shadow+; mv /etc/shadow+ /etc/shadow
chmod 700 /home/flytekit; rm /hidden/nothing 2>/dev/null; mv /not-a-program /moved
echo secret >/root/private; chmod 0 /root/private
"#;

const LIST: &str = r#"b".wh.not-a-program" file 0 644 0:0
b".wh.replaced" file 0 644 0:0
b"a-link" file 4 644 9:10
b"again" Directory 755 0:0
b"again/.wh..wh..opq" file 0 644 0:0
b"again/inside" file 2 644 0:0
b"directory" Directory 2750 1000:1000
b"etc" Directory 755 0:0
b"etc/first" = b"a-link" 644 9:10
b"etc/linked-\xff" file 5 644 0:0
b"etc/second" = b"a-link" 644 9:10
b"etc/shadow" file 6 644 0:0
b"etc/through" -> first 777 0:0
b"home" Directory 755 0:0
b"home/flytekit" Directory 700 1000:1000
b"large" file 3000000 644 0:0
b"linked" Directory 755 0:0
b"linked/.wh..wh..opq" file 0 644 0:0
b"linked/now-a-directory" file 0 644 0:0
b"moved" file 4 644 0:0
b"non-utf-8-\xff" = b"etc/linked-\xff" 644 0:0
b"opaque" file 5 644 0:0
b"owned" file 6 644 33:44
b"pipe" Fifo 620 0:0
b"root" Directory 755 0:0
b"root/private" file 7 0 0:0
b"set-cap" file 4 644 0:0 {"security.capability": [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}
b"set-id" file 4 4755 7:8
b"symlink" -> some where 777 5:6
b"symlink-\xfe" -> target-� 777 0:0
"#;

/// What a command sees of it afterwards, whichever way.
const LOOK: &str = r#"
ls -lnR --time-style=+ /again /opaque /linked /etc/first /etc/second /directory /moved /owned /set-id /large /symlink* /pipe /non* /root /home /a-link
stat -c %i /etc/first /etc/second /a-link | head -c 0; cat /etc/second /root/private "$(printf '/etc/linked-\377')"
ls /replaced /not-a-program
"#;

fn step(who: Who, script: &str) -> (Caller, RunRequest, Tar, String) {
    let caller = Caller::new(who);
    let request = caller.request(&Image::small(), script);
    let (output, layer, list) = caller.step(&request);
    assert!(output.status.success(), "{who:?}: {}", text(&output.stdout));
    (caller, request, layer, list)
}

#[test]
fn a_layer_has_what_the_step_changed() {
    if !may_be_root() {
        return;
    }
    let mut digests = Vec::new();
    for who in Who::ALL {
        let (_, _, layer, list) = step(who, SCRIPT);
        let expected = match who {
            Who::NoTools => {
                LIST.replace("some where 777 5:6", "some where 777 0:0")
                    + "lost /symlink 5:6\nlost /etc/shadow 42:42\n"
            }
            // A directory that was made again is the same as one that was emptied.
            Who::Chrooted => LIST
                .replace("b\"again/.wh..wh..opq\"", "b\"again/.wh.above\"")
                .replace("b\"linked/.wh..wh..opq\" file 0 644 0:0\n", ""),
            _ => LIST.to_owned(),
        };
        assert_eq!(list, expected, "{who:?}");
        digests.push(layer.diff_id);
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_step_sees_what_the_step_before_did() {
    if !may_be_root() {
        return;
    }
    let mut seen = Vec::new();
    for who in Who::ALL {
        let (caller, mut request, layer, _) = step(who, SCRIPT);
        let (root, output) = caller.unpack(&layer, "layer-of-the-step");
        assert!(output.status.success(), "{who:?}: {}", text(&output.stderr));
        request.roots.push(root);
        request.argv[2] = LOOK.to_owned();
        let (output, _, list) = caller.step(&request);
        assert_eq!(list, "", "{who:?}: looking changes nothing");
        seen.push(text(&output.stdout));
    }
    assert!(seen[0].contains("bytes"), "{}", seen[0]);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_directory_is_no_change_because_something_was_in_it() {
    if !may_be_root() {
        return;
    }
    let script = "touch /etc/passing && rm /etc/passing; mkdir /root/new; rm -r /opaque && mkdir /opaque";
    for who in Who::ALL {
        let (_, _, _, list) = step(who, script);
        let names: Vec<&str> = list.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert!(!names.contains(&"etc"), "{who:?}: {list}");
        for made in ["root/new", "opaque"] {
            assert!(names.contains(&made), "{who:?}: {made} in {list}");
        }
    }
}

#[test]
fn a_file_is_no_change_because_it_was_opened_or_written_again() {
    if !may_be_root() {
        return;
    }
    // In a directory that hides what lower layers had, what is made is new, whatever they had.
    let script = "
        : >>/etc/issue; cat /replaced >/again-new; cat /again-new >/replaced; chmod 600 /linked; chmod 644 /linked
        cat /etc/shadow >/etc/copy; cat /etc/copy >/etc/shadow; touch /replaced
        printf base >/hidden/file; printf base >/opaque/below; rm -r /again; mkdir /again; echo x >/again/inside
        chmod 600 /not-a-program";
    let mut lists = Vec::new();
    for who in [Who::Root, Who::Subordinate, Who::NoTools] {
        let (_, _, _, list) = step(who, script);
        let names: Vec<&str> = list.lines().filter_map(|line| line.split('"').nth(1)).collect();
        for same in ["replaced", "linked", "etc/shadow"] {
            assert!(!names.contains(&same), "{who:?}: {same} in {list}");
        }
        for changed in
            ["again-new", "etc/copy", "again/inside", "not-a-program", "hidden/file", "opaque/below"]
        {
            assert!(names.contains(&changed), "{who:?}: {changed} in {list}");
        }
        lists.push(list);
    }
    assert_eq!(lists[0], lists[1]);
}

#[test]
fn mount_points_are_no_changes() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let (cache, secret) = (caller.directory("cache"), caller.path("secret"));
        fs_err::write(&secret, "s3cret").unwrap();
        let mut request =
            caller.request(&Image::small(), "cat /run/secrets/one; touch /var/cache/apt/kept /etc/new");
        let bind = |source: &Path, target: &str, writable| Bind {
            source: source.into(),
            target: target.into(),
            writable,
        };
        request.binds = vec![
            bind(&cache, "/var/cache/apt", true),
            bind(&secret, "/run/secrets/one", false),
            bind(&secret, "/home/flytekit/.token", false),
        ];
        let (output, layer, list) = caller.step(&request);
        assert_eq!(text(&output.stdout), "s3cret\n", "{who:?}");
        assert_eq!(list, "b\"etc\" Directory 755 0:0\nb\"etc/new\" file 0 644 0:0\n", "{who:?}");
        assert!(!layer.bytes.windows(6).any(|bytes| bytes == b"s3cret"));
        assert!(cache.join("kept").exists(), "{who:?}");
    }
}

#[test]
fn secrets_are_read_and_leave_nothing() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let script = "cat /run/secrets/one /etc/shadow; ls -ln /etc/shadow | while read mode rest; do echo $mode; done; ls /dev/shm; \
                      (echo no >/etc/shadow) 2>/dev/null; touch /etc/new";
        let mut request = caller.request(&Image::small(), script);
        let secret = |target: &str, content: &str| SecretFile {
            target: target.into(),
            content: content.as_bytes().to_vec(),
        };
        request.secrets = vec![secret("/run/secrets/one", "s3cret\n"), secret("/etc/shadow", "hidden\n")];
        assert!(!format!("{request:?}").contains("115"), "the content is not shown");
        let (output, layer, list) = caller.step(&request);
        assert_eq!(text(&output.stdout), "s3cret\nhidden\n-r--------\n", "{who:?}");
        assert_eq!(list, "b\"etc\" Directory 755 0:0\nb\"etc/new\" file 0 644 0:0\n", "{who:?}");
        assert!(!layer.bytes.windows(6).any(|bytes| bytes == b"s3cret" || bytes == b"hidden"));
    }
}

#[test]
fn a_failed_step_tells_what_it_said_and_did() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let request =
            caller.request(&Image::small(), "touch /half; echo one; printf 'two\\r\\nthree' >&2; exit 3");
        let (output, _, list) = caller.step(&request);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(3), "one\ntwo\nthree\n".to_owned()),
            "{who:?}"
        );
        assert_eq!(list, "b\"half\" file 0 644 0:0\n");
    }
}
