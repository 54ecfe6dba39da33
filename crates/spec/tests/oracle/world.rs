//! Working directories with the files that generated specs name.

#![expect(clippy::disallowed_methods, reason = "git makes the repositories that are tested against")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::random::Random;

const NAMES: &[&str] = &[
    "a.py",
    "b.txt",
    "Makefile",
    "café.md",
    "mod.pyc",
    ".hidden",
    "data.csv",
    "keep.csv",
    "with space.txt",
    "it's.log",
    "Ünïcode.bin",
    "z_last",
    "x.log",
];
const FOLDERS: &[&str] = &["src", "data", "pkg", "__pycache__", ".cache", "a-b", "a", "naïve", ".git"];
const PATTERNS: &[&str] = &[
    "*.log",
    "data",
    "data/*",
    "!data/keep.csv",
    "**/*.csv",
    "/a.py",
    "pkg/",
    "# comment",
    "",
    "[a-c]*",
    "!b.txt",
    "**/__pycache__",
    "a?py",
    "*",
    "!a.py",
    "./data",
    "pkg/../data",
    "é*",
    "caf?.md",
    "**/pkg/**",
    ".hidden",
];

/// A working directory with requirements, files to copy and source roots in it.
pub(crate) struct World {
    pub(crate) directory: PathBuf,
}

impl World {
    pub(crate) fn new(parent: &Path, index: usize, random: &mut Random) -> Self {
        let directory = parent.join(format!("world {index}"));
        fs_err::create_dir(&directory).unwrap();
        for name in ["requirements.txt", "reqs-é.txt"] {
            let text = random.pick(&[
                "numpy\n",
                "  \n\nnumpy==1\nrequests \n\x0b\x0c\n",
                "",
                "# only é\r\n",
                "\u{a0}x\u{a0}",
            ]);
            fs_err::write(directory.join(name), text).unwrap();
        }
        if random.one_in(2) {
            let status = Command::new("git").args(["init", "-q"]).current_dir(&directory).status().unwrap();
            assert!(status.success());
        }
        for root in ["src", "data", "tree"] {
            tree(&directory.join(root), random, 0);
        }
        ignore_files(&directory, random);
        ignore_files(&directory.join("src"), random);
        ignore_files(&directory.join("tree"), random);
        Self { directory }
    }
}

fn ignore_files(folder: &Path, random: &mut Random) {
    for name in [".gitignore", ".dockerignore"] {
        if random.one_in(2) {
            let lines: Vec<&str> = (0..random.below(5)).map(|_| random.pick(PATTERNS)).collect();
            let end = random.pick(&["\n", "\r\n", "  \n"]);
            fs_err::write(folder.join(name), lines.join(end)).unwrap();
        }
    }
}

fn tree(folder: &Path, random: &mut Random, depth: usize) {
    fs_err::create_dir_all(folder).unwrap();
    for _ in 0..random.below(6) {
        let path = folder.join(random.pick(NAMES));
        match random.below(8) {
            0 => drop(symlink("b.txt", &path)),
            1 => drop(symlink("/nowhere", &path)),
            2 => drop(symlink("..", &path)),
            _ if !path.is_symlink() => {
                fs_err::write(&path, format!("{}\n", random.next()).repeat(random.below(40))).unwrap();
            }
            _ => {}
        }
    }
    for _ in 0..random.below(if depth < 3 { 4 } else { 1 }) {
        let name = random.pick(FOLDERS);
        if !(depth == 0 && name == ".git") {
            tree(&folder.join(name), random, depth + 1);
        }
    }
}
