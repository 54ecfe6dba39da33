use imagewright_layer::TreeEntry;

use super::tree::{Tree, place};
use crate::Architecture;

/// Groups whose numbers base-passwd's master file fixes.
const MAIL: u32 = 8;
const UTMP: u32 = 43;

/// One thing that a maintainer script sets up when its package is installed for the first time.
enum Default {
    Copy { from: &'static str, to: &'static str },
    Empty { path: &'static str, mode: u32, group: u32 },
    Folder { path: &'static str, mode: u32, group: u32 },
    Link { path: &'static str, target: &'static str },
    Text { path: &'static str, text: &'static str },
}

use Default::{Copy, Empty, Folder, Link, Text};

const BASE_FILES: &[Default] = &[
    Link { path: "etc/dpkg/origins/default", target: "debian" },
    Copy { from: "usr/share/base-files/dot.profile", to: "root/.profile" },
    Copy { from: "usr/share/base-files/dot.bashrc", to: "root/.bashrc" },
    Copy { from: "usr/share/base-files/profile", to: "etc/profile" },
    Copy { from: "usr/share/base-files/motd", to: "etc/motd" },
    Copy { from: "usr/share/base-files/nsswitch.conf", to: "etc/nsswitch.conf" },
    Folder { path: "mnt", mode: 0o755, group: 0 },
    Folder { path: "srv", mode: 0o755, group: 0 },
    Folder { path: "opt", mode: 0o755, group: 0 },
    Folder { path: "etc/opt", mode: 0o755, group: 0 },
    Folder { path: "var/opt", mode: 0o755, group: 0 },
    Folder { path: "media", mode: 0o755, group: 0 },
    Folder { path: "var/mail", mode: 0o2775, group: MAIL },
    Link { path: "var/spool/mail", target: "../mail" },
    Folder { path: "run/lock", mode: 0o1777, group: 0 },
    Link { path: "var/run", target: "/run" },
    Link { path: "var/lock", target: "/run/lock" },
    Folder { path: "usr/local/bin", mode: 0o755, group: 0 },
    Folder { path: "usr/local/etc", mode: 0o755, group: 0 },
    Folder { path: "usr/local/games", mode: 0o755, group: 0 },
    Folder { path: "usr/local/include", mode: 0o755, group: 0 },
    Folder { path: "usr/local/lib", mode: 0o755, group: 0 },
    Folder { path: "usr/local/sbin", mode: 0o755, group: 0 },
    Folder { path: "usr/local/share/man", mode: 0o755, group: 0 },
    Folder { path: "usr/local/src", mode: 0o755, group: 0 },
    Empty { path: "var/log/wtmp", mode: 0o664, group: UTMP },
    Empty { path: "var/log/btmp", mode: 0o660, group: UTMP },
    Empty { path: "var/log/lastlog", mode: 0o664, group: UTMP },
    // Links of a system with merged /usr; newer base-files have them themselves.
    Link { path: "bin", target: "usr/bin" },
    Link { path: "lib", target: "usr/lib" },
    Link { path: "sbin", target: "usr/sbin" },
];

const DEFAULTS: &[(&str, &[Default])] = &[
    ("base-files", BASE_FILES),
    ("ca-certificates", &[Folder { path: "usr/local/share/ca-certificates", mode: 0o755, group: 0 }]),
    ("dash", &[Link { path: "usr/bin/sh", target: "dash" }]),
    ("libc-bin", &[Copy { from: "usr/share/libc-bin/nsswitch.conf", to: "etc/nsswitch.conf" }]),
    (
        "login",
        &[
            Empty { path: "etc/subgid", mode: 0o644, group: 0 },
            Empty { path: "etc/subuid", mode: 0o644, group: 0 },
            Empty { path: "var/log/faillog", mode: 0o644, group: 0 },
        ],
    ),
    ("readline-common", &[Copy { from: "usr/share/readline/inputrc", to: "etc/inputrc" }]),
    (
        "tzdata",
        &[
            Link { path: "etc/localtime", target: "/usr/share/zoneinfo/Etc/UTC" },
            Text { path: "etc/timezone", text: "Etc/UTC\n" },
        ],
    ),
];

/// Sets up what the maintainer scripts of a package would.
pub(super) fn apply(tree: &mut Tree, package: &str, architecture: Architecture) {
    let of_package = DEFAULTS.iter().filter(|(name, _)| *name == package);
    for default in of_package.flat_map(|(_, defaults)| *defaults) {
        add(tree, default);
    }
    if package == "base-files" && architecture == Architecture::Amd64 {
        // The loader's path, /lib64/ld-linux-x86-64.so.2, is in every program; that of arm64 is below /lib.
        tree.add_link("lib64", "usr/lib64");
    }
    if let Some(python) = package.strip_suffix("-minimal").filter(|name| name.starts_with("python3.")) {
        // Tells the script that configures the package that this is its first installation.
        tree.add_file(&format!("var/lib/python/{python}_installed"), "");
        let local = place(&format!("usr/local/lib/{python}/dist-packages"));
        tree.add_default(TreeEntry::directory(local, 0o755));
    }
}

fn add(tree: &mut Tree, default: &Default) {
    match *default {
        Copy { from, to } => {
            if let Some(content) = tree.content(from).map(<[u8]>::to_vec) {
                tree.add_file(to, content);
            }
        }
        Empty { path, mode, group } => {
            tree.add_default(TreeEntry::file(place(path), mode, Vec::new()).owned_by(0, group));
        }
        Folder { path, mode, group } => {
            tree.add_default(TreeEntry::directory(place(path), mode).owned_by(0, group));
        }
        Link { path, target } => tree.add_link(path, target),
        Text { path, text } => tree.add_file(path, text),
    }
}
