use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use imagewright_debian::{Architecture, Suite};
use imagewright_layer::TreeKind;

use crate::network::mirrors;
use crate::unpacked::{Base, Purpose, encode, run};

#[test]
fn an_unpacked_bullseye_runs_and_can_be_configured_later() {
    runs_and_can_be_configured_later(Suite::Bullseye);
}

#[test]
fn an_unpacked_bookworm_runs_and_can_be_configured_later() {
    runs_and_can_be_configured_later(Suite::Bookworm);
}

#[test]
fn an_unpacked_trixie_runs_and_can_be_configured_later() {
    runs_and_can_be_configured_later(Suite::Trixie);
}

fn runs_and_can_be_configured_later(suite: Suite) {
    let Some(mirrors) = mirrors() else { return };
    if !rustix::process::geteuid().is_root() {
        println!("skipped: chroot needs root");
        return;
    }
    let base = Base::fetch(&mirrors, suite, Architecture::Amd64, Purpose::Base);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs_err::create_dir(&root).unwrap();
    let start = Instant::now();
    base.write(&root);
    println!("{suite}: unpacked, encoded and written in {:?}", start.elapsed());
    check_unpacked(suite, &root);
    let made = made_without_running(&root);
    let start = Instant::now();
    configure(&root);
    println!("{suite}: configured in {:?}", start.elapsed());
    check_configured(suite, &root);
    for (path, content) in made {
        let configured = fs_err::read_to_string(root.join(&path)).unwrap();
        // The user that apt downloads as is in base-passwd's master since bookworm; before, apt adds it.
        let lines =
            configured.lines().filter(|line| !(suite == Suite::Bullseye && line.starts_with("_apt:")));
        assert_eq!(lines.collect::<Vec<_>>(), content.lines().collect::<Vec<_>>(), "{suite}: {path}");
    }
}

/// What maintainer scripts would make, and this crate made in their stead.
fn made_without_running(root: &Path) -> Vec<(String, String)> {
    let mut paths: Vec<String> = [
        "group",
        "gshadow",
        "passwd",
        "shadow",
        "nsswitch.conf",
        "profile",
        "inputrc",
        "ca-certificates.conf",
        "ssl/certs/ca-certificates.crt",
    ]
    .map(|name| format!("etc/{name}"))
    .to_vec();
    for name in ["account", "auth", "password", "session", "session-noninteractive"] {
        paths.push(format!("etc/pam.d/common-{name}"));
    }
    let read = |path: String| {
        let content = fs_err::read_to_string(root.join(&path)).unwrap();
        (path, content)
    };
    paths.into_iter().map(read).collect()
}

fn check_unpacked(suite: Suite, root: &Path) {
    let python = "import ssl, sqlite3, ctypes, zoneinfo, lzma, bz2, hashlib, uuid, readline, curses, decimal, venv, pwd, sys\n\
         assert ctypes.CDLL('libc.so.6').getpid() > 0\n\
         assert pwd.getpwnam('root').pw_shell == '/bin/bash'\n\
         assert zoneinfo.ZoneInfo('Europe/Berlin').key\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n\
         context.load_verify_locations('/etc/ssl/certs/ca-certificates.crt')\n\
         assert context.cert_store_stats()['x509_ca'] > 100\n\
         if sys.version_info < (3, 12): import distutils.core\n\
         print('%d.%d' % sys.version_info[:2])";
    assert_eq!(inside(root, &["/usr/bin/python3", "-c", python]).trim(), suite.python().to_string());
    for command in [
        &["/bin/bash", "-c", "ls / && date && echo $HOME | awk '{print}' | which grep"][..],
        &["/bin/sh", "-c", "test -w /tmp && test -d /root && cat /etc/os-release && ldd /bin/ls"],
        &["/usr/bin/apt-get", "--version"],
        &["/usr/bin/dpkg", "--list"],
        &["/usr/bin/find", "/usr", "-xtype", "l", "-maxdepth", "2"],
        &["/usr/bin/id", "mail"],
        &["/bin/su", "--command", "id", "root"],
        // Each authority is found in the folder by the hash of its name.
        &[
            "/bin/bash",
            "-ec",
            "openssl verify -no_check_time -no-CAfile -CApath /etc/ssl/certs /usr/share/ca-certificates/mozilla/*",
        ],
    ] {
        inside(root, command);
    }
    let broken = inside(root, &["/usr/bin/find", "/etc/ssl/certs", "/etc/alternatives", "-xtype", "l"]);
    assert_eq!(broken, "", "broken links");
}

fn configure(root: &Path) {
    inside(root, &["/usr/bin/dpkg", "--configure", "--pending"]);
    let audit = inside(root, &["/usr/bin/dpkg", "--audit"]);
    assert_eq!(audit, "");
}

fn check_configured(suite: Suite, root: &Path) {
    let states = inside(root, &["/usr/bin/dpkg-query", "--show", "--showformat", "${Status}\n"]);
    assert!(states.lines().all(|state| state == "install ok installed"), "{suite}: {states}");
    // Nothing was asked, and no configuration file was seen as changed.
    let left = inside(root, &["/usr/bin/find", "/etc", "-name", "*.dpkg-*"]);
    assert_eq!(left, "", "{suite}");
    inside(root, &["/usr/bin/dpkg", "--verify"]);
    inside(root, &["/usr/sbin/update-ca-certificates", "--fresh"]);
}

#[expect(clippy::disallowed_methods, reason = "the base is run as a user would")]
fn inside(root: &Path, command: &[&str]) -> String {
    let mut chroot = Command::new("chroot");
    chroot.arg(root).args(command).env_clear();
    chroot.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/root");
    chroot.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
    run(&mut chroot)
}

#[test]
fn a_base_for_arm64_holds_nothing_of_another_machine() {
    const AARCH64: [u8; 2] = 183_u16.to_le_bytes();
    let Some(mirrors) = mirrors() else { return };
    for suite in Suite::ALL {
        let base = Base::fetch(&mirrors, suite, Architecture::Arm64, Purpose::Base);
        let mut programs = 0;
        for entry in base.layers().into_iter().flat_map(|(_, entries)| entries) {
            let TreeKind::File { content, .. } = entry.kind else { continue };
            let mut head = Vec::new();
            content.into_reader().unwrap().take(20).read_to_end(&mut head).unwrap();
            if head.starts_with(b"\x7FELF") {
                assert_eq!(head[18..20], AARCH64, "{}", entry.path);
                programs += 1;
            }
        }
        println!("{suite}: {programs} programs and libraries");
        assert!(programs > 300);
    }
}

#[test]
fn the_same_packages_make_the_same_layers() {
    let Some(mirrors) = mirrors() else { return };
    let base = Base::fetch(&mirrors, Suite::Bookworm, Architecture::Amd64, Purpose::Base);
    let digests = || {
        let digest = |(name, entries)| (name, encode(entries, &mut std::io::sink()));
        base.layers().into_iter().map(digest).collect::<Vec<_>>()
    };
    let first = digests();
    println!("{first:?}");
    assert_eq!(first, digests());
}
