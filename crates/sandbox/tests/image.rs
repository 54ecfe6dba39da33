use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use imagewright_oci::{DiffId, Digest};
use tar::{EntryType, Header};

use crate::caller::{command, text};

/// Layers, lowest first.
pub(crate) struct Image {
    pub(crate) layers: Vec<Tar>,
}

/// A layer's tar stream.
pub(crate) struct Tar {
    pub(crate) bytes: Vec<u8>,
    pub(crate) diff_id: DiffId,
}

/// Writes a tar stream entry by entry, without any of the checks that a tar library would make.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, "", b"", 0o755, 0)
    }

    pub(crate) fn owned_directory(self, path: &str, owner: u64) -> Self {
        self.entry(EntryType::Directory, path, "", b"", 0o755, owner)
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", content, 0o644, 0)
    }

    pub(crate) fn program(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", content, 0o755, 0)
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, b"", 0o777, 0)
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, target, b"", 0o644, 0)
    }

    pub(crate) fn special(self, kind: EntryType, path: &str) -> Self {
        self.entry(kind, path, "", b"", 0o644, 0)
    }

    pub(crate) fn entry(
        mut self,
        kind: EntryType,
        path: &str,
        target: &str,
        content: &[u8],
        mode: u32,
        owner: u64,
    ) -> Self {
        let mut header = Header::new_gnu();
        let fields = header.as_old_mut();
        fields.name[..path.len()].copy_from_slice(path.as_bytes());
        fields.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(315_532_800);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn finish(mut self) -> Tar {
        // Longer than the two blocks that a reader needs, as GNU tar's record padding is.
        self.bytes.resize(self.bytes.len() + 8192, 0);
        Tar { diff_id: DiffId(Digest::of(&self.bytes)), bytes: self.bytes }
    }
}

impl Image {
    /// A shell and a few programs, and above it a layer that changes, hides and replaces.
    pub(crate) fn small() -> Self {
        Self { layers: vec![base(), change()] }
    }
}

fn base() -> Tar {
    let mut writer = Writer::default();
    for directory in ["usr", "usr/bin", "usr/lib", "usr/lib64", "etc", "root", "hidden", "opaque", "again"] {
        writer = writer.directory(directory);
    }
    for link in ["bin", "lib", "lib64"] {
        writer = writer.symlink(link, &format!("usr/{link}"));
    }
    for (path, content) in programs() {
        writer = writer.program(&path, &content);
    }
    writer
        .owned_directory("home/flytekit", 1000)
        .entry(EntryType::Directory, "tmp", "", b"", 0o1777, 0)
        .file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nflytekit:x:1000:1000::/home/flytekit:/bin/sh\n")
        .file("etc/group", b"root:x:0:\nflytekit:x:1000:\n")
        .symlink("etc/resolv.conf", "/run/resolve/resolv.conf")
        .entry(EntryType::Regular, "etc/shadow", "", b"shadow", 0o640, 42)
        .file("gone", b"base")
        .file("hidden/file", b"base")
        .file("opaque/below", b"base")
        .file("again/below", b"base")
        .file("replaced", b"base")
        .file("not-a-program", b"text")
        .finish()
}

fn change() -> Tar {
    Writer::default()
        .file(".wh.gone", b"")
        .file("hidden/.wh.file", b"")
        .file("opaque/above", b"change")
        .file("opaque/.wh..wh..opq", b"")
        .file(".wh.again", b"")
        .file("again/above", b"change")
        .file("replaced", b"first")
        .file("./replaced", b"change")
        .hard_link("linked", "/replaced")
        .special(EntryType::Fifo, "fifo")
        .special(EntryType::Char, "device")
        .file("lib-through-link/.wh..wh.plnk", b"")
        .finish()
}

/// The machine's own programs with the libraries they need, by their paths in the image.
fn programs() -> BTreeMap<String, Vec<u8>> {
    let names = [
        "sh", "id", "cat", "ls", "stat", "sleep", "touch", "chown", "mount", "head", "mkdir", "rm", "mknod",
        "ln", "chmod", "mkfifo", "mv", "rmdir", "setcap", "perl",
    ];
    let mut paths: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut libraries = BTreeSet::new();
    for name in names {
        let in_path = |folder: &&str| Path::new(folder).join(name).exists();
        let folder = ["/usr/bin", "/usr/sbin"].into_iter().find(in_path).unwrap();
        let program = Path::new(folder).join(name);
        let listed = command(OsStr::new("ldd")).arg(&program).output().unwrap();
        libraries.extend(
            text(&listed.stdout).split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned),
        );
        paths.insert(format!("usr/bin/{name}"), program);
    }
    for library in libraries {
        let below = library.trim_start_matches("/usr").trim_start_matches('/');
        paths.insert(format!("usr/{below}"), library.into());
    }
    let programs = paths.into_iter().map(|(path, source)| (path, fs_err::read(source).unwrap()));
    programs.collect()
}

/// The permission bits of a file of the machine.
pub(crate) fn mode_of(path: &Path) -> u32 {
    fs_err::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}
