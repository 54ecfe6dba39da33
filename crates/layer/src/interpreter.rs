//! Interpreter archives: a relocatable Python in one folder, read strictly and moved to where the image has it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use imagewright_oci::MediaType;
use imagewright_pypa::PythonMinor;

use crate::{Content, LayerEntry, LayerEntryKind, LayerError, TreeEntry, TreeKind, TreePath, read_layer};

/// The folder of an archive that everything is in.
const TOP: &str = "python";
/// Where the build of an archive believed to be installed.
const BUILT_FOR: &[u8] = b"/install";
/// Names of the build machine's tools, and those that a system's compiler is known by.
const TOOLS: [(&[u8], &[u8]); 3] = [
    (b"/tools/clang-linux64/bin/llvm-ar", b"ar"),
    (b"clang++ -pthread", b"c++ -pthread"),
    (b"clang -pthread", b"cc -pthread"),
];
/// Says to installers that distributions belong elsewhere (PEP 668).
const EXTERNALLY_MANAGED: &str = "\
[externally-managed]
Error=This Python belongs to the image.
 Packages go to the image's environment: install with the pip or uv of that one.
";

/// Reads an `install_only` archive of python-build-standalone as the entries of a layer with the interpreter at
/// `prefix`, parents included; all root's, modes 0755 and 0644.
///
/// `FORMAT.md` says what is left out and what is rewritten. An entry outside of the archive's one folder, a link
/// that leaves it, a path twice, or anything that is no file, directory or link is an error: nobody makes these
/// in good faith.
pub fn read_interpreter(
    archive: impl Read,
    prefix: &TreePath,
    minor: PythonMinor,
) -> Result<Vec<TreeEntry>, LayerError> {
    let mut place = Place { prefix, library: format!("lib/python{minor}"), entries: BTreeMap::new() };
    read_layer(archive, &MediaType::OciLayerGzip, |entry, content| place.take(entry, content))?;
    place.check(minor)?;
    let marker = prefix.join(&format!("{}/EXTERNALLY-MANAGED", place.library))?;
    let mut entries = place.entries;
    entries.insert(marker.clone(), TreeEntry::file(marker, 0o644, EXTERNALLY_MANAGED.into()));
    let above = crate::parents(prefix).map(|parent| (parent.path.clone(), parent));
    entries.extend(above);
    // Whoever writes them out one by one needs the file before its other names.
    let is_link = |entry: &TreeEntry| matches!(entry.kind, TreeKind::Hardlink { .. });
    let (links, others): (Vec<_>, Vec<_>) = entries.into_values().partition(is_link);
    Ok(others.into_iter().chain(links).collect())
}

struct Place<'a> {
    prefix: &'a TreePath,
    /// `lib/python3.12`.
    library: String,
    entries: BTreeMap<TreePath, TreeEntry>,
}

impl Place<'_> {
    fn take(&mut self, entry: &LayerEntry, content: &mut dyn Read) -> Result<(), LayerError> {
        let refused = || LayerError::UnsafeEntry { path: entry.path.display().to_string() };
        let below = below_top(&entry.path).ok_or_else(refused)?;
        if is_left_out(&below, &self.library, &entry.kind) {
            return Ok(());
        }
        let path = self.at(&below)?;
        let made = match &entry.kind {
            LayerEntryKind::Directory => TreeEntry::directory(path, 0o755),
            LayerEntryKind::File { .. } => {
                let mode = if entry.mode & 0o111 == 0 { 0o644 } else { 0o755 };
                TreeEntry::file(path, mode, self.content(&below, content)?)
            }
            LayerEntryKind::Symlink { target } => {
                let target = target.to_str().ok_or_else(refused)?;
                if !stays_inside(&below, target) {
                    return Err(LayerError::UnsafeEntry { path: format!("{below} -> {target}") });
                }
                TreeEntry::symlink(path, target)
            }
            LayerEntryKind::Hardlink { target } => {
                let target = self.at(&below_top(target).ok_or_else(refused)?)?;
                TreeEntry::new(path, TreeKind::Hardlink { target }, 0o644)
            }
            LayerEntryKind::Fifo
            | LayerEntryKind::CharacterDevice { .. }
            | LayerEntryKind::BlockDevice { .. }
            | LayerEntryKind::Whiteout
            | LayerEntryKind::Opaque => return Err(refused()),
        };
        let is_directory = |entry: &TreeEntry| matches!(entry.kind, TreeKind::Directory);
        match self.entries.insert(made.path.clone(), made) {
            Some(before) if !(is_directory(&before) && entry.kind == LayerEntryKind::Directory) => {
                Err(refused())
            }
            _ => Ok(()),
        }
    }

    fn at(&self, below: &str) -> Result<TreePath, LayerError> {
        if below.is_empty() { Ok(self.prefix.clone()) } else { self.prefix.join(below) }
    }

    fn content(&self, below: &str, content: &mut dyn Read) -> Result<Vec<u8>, LayerError> {
        let mut bytes = Vec::new();
        let unreadable = |source: io::Error| LayerError::Content { path: below.to_owned(), source };
        content.read_to_end(&mut bytes).map_err(unreadable)?;
        let file_name = below.rsplit_once('/').map_or(below, |(_, name)| name);
        let is_build_setting = file_name.starts_with("_sysconfigdata_") || has_suffix(file_name, ".pc");
        if !is_build_setting && !is_makefile(below, &self.library) {
            return Ok(bytes);
        }
        let prefix = format!("/{}", self.prefix);
        let moved = replace(&bytes, BUILT_FOR, prefix.as_bytes(), is_word);
        Ok(TOOLS.iter().fold(moved, |text, (from, to)| replace(&text, from, to, |_| false)))
    }

    /// Every entry is in a directory, every hard link leads to a file, and the interpreter is there.
    fn check(&mut self, minor: PythonMinor) -> Result<(), LayerError> {
        let mut missing = Vec::new();
        for path in self.entries.keys() {
            for parent in path.ancestors().filter(|parent| parent.below(self.prefix).is_some()) {
                match self.entries.get(&parent).map(|entry| &entry.kind) {
                    Some(TreeKind::Directory) => {}
                    Some(_) => return Err(LayerError::UnsafeEntry { path: path.to_string() }),
                    None => missing.push(parent),
                }
            }
        }
        missing.push(self.prefix.clone());
        for parent in missing {
            self.entries.entry(parent.clone()).or_insert_with(|| TreeEntry::directory(parent, 0o755));
        }
        let is_file = |path: &TreePath| {
            self.entries.get(path).is_some_and(|entry| matches!(entry.kind, TreeKind::File { .. }))
        };
        for entry in self.entries.values() {
            if let TreeKind::Hardlink { target } = &entry.kind
                && !is_file(target)
            {
                return Err(LayerError::UnsafeEntry { path: entry.path.to_string() });
            }
        }
        let program = format!("bin/python{minor}");
        if is_file(&self.prefix.join(&program)?) {
            Ok(())
        } else {
            Err(LayerError::NoInterpreter { path: format!("{TOP}/{program}") })
        }
    }
}

/// The modules of an interpreter's own library, as [`read_interpreter`] gave it: what can be compiled.
pub fn library_sources<'a>(
    entries: &'a [TreeEntry],
    prefix: &TreePath,
    minor: PythonMinor,
) -> Result<Vec<(&'a TreePath, &'a [u8])>, LayerError> {
    let library = prefix.join(&format!("lib/python{minor}"))?;
    let sources = entries.iter().filter_map(|entry| match &entry.kind {
        TreeKind::File { content: Content::Bytes(bytes), .. }
            if entry.path.below(&library).is_some() && entry.path.has_suffix(".py") =>
        {
            Some((&entry.path, bytes.as_slice()))
        }
        _ => None,
    });
    Ok(sources.collect())
}

/// The path below the archive's folder, empty for the folder itself.
fn below_top(path: &Path) -> Option<String> {
    Some(path.strip_prefix(TOP).ok()?.to_str()?.to_owned())
}

/// Whether a path is none of the image's: installed distributions, tests, bytecode, and static libraries.
fn is_left_out(below: &str, library: &str, kind: &LayerEntryKind) -> bool {
    if let Some(program) = below.strip_prefix("bin/") {
        // These start distributions of `site-packages`.
        return program.starts_with("pip") || program.starts_with("easy_install");
    }
    let Some(inside) = below.strip_prefix(library).and_then(|rest| rest.strip_prefix('/')) else {
        return has_suffix(below, ".a");
    };
    let is_directory = *kind == LayerEntryKind::Directory;
    let (parents, name) = inside.rsplit_once('/').unwrap_or(("", inside));
    let unwanted = |part: &str| matches!(part, "__pycache__" | "test" | "tests" | "idle_test");
    let in_site = inside.strip_prefix("site-packages/").is_some();
    in_site || parents.split('/').any(unwanted) || is_directory && unwanted(name) || has_suffix(inside, ".a")
}

/// `lib/python3.12/config-3.12-x86_64-linux-gnu/Makefile`, which `sysconfig` reads.
fn is_makefile(below: &str, library: &str) -> bool {
    below.starts_with(&format!("{library}/config-")) && below.ends_with("/Makefile")
}

fn has_suffix(text: &str, suffix: &str) -> bool {
    text.ends_with(suffix)
}

/// Whether a link at `below` to `target` leads to a place in the same folder.
fn stays_inside(below: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') {
        return false;
    }
    let mut depth = below.matches('/').count();
    target.split('/').all(|part| match part {
        "" | "." => true,
        ".." if depth == 0 => false,
        ".." => {
            depth -= 1;
            true
        }
        _ => {
            depth += 1;
            true
        }
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Replaces `from` by `to`, except where the byte behind it goes on as `continues` says.
fn replace(text: &[u8], from: &[u8], to: &[u8], continues: fn(u8) -> bool) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        match rest.strip_prefix(from) {
            Some(behind) if !behind.first().is_some_and(|byte| continues(*byte)) => {
                replaced.extend_from_slice(to);
                rest = behind;
            }
            _ => {
                replaced.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{EncodeOptions, encode_tree};

    const MINOR: PythonMinor = PythonMinor(12);

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn file(at: &str, content: &str) -> TreeEntry {
        TreeEntry::file(path(at), 0o664, content.into())
    }

    fn program() -> TreeEntry {
        TreeEntry::file(path("python/bin/python3.12"), 0o775, b"\x7fELF".to_vec())
    }

    fn read(entries: Vec<TreeEntry>) -> Result<Vec<TreeEntry>, LayerError> {
        let mut bytes = Vec::new();
        let options = EncodeOptions { epoch: 7, threads: NonZeroUsize::MIN };
        encode_tree(entries, &options, &mut bytes).unwrap();
        read_interpreter(&bytes[..], &path("opt/python/3.12.4"), MINOR)
    }

    fn refused(entries: Vec<TreeEntry>) -> String {
        read(entries).unwrap_err().to_string()
    }

    #[test]
    fn moves_what_an_image_needs() {
        let library = "python/lib/python3.12";
        let entries = vec![
            program(),
            TreeEntry::symlink(path("python/bin/python3"), "python3.12"),
            file("python/bin/pip3", "#!"),
            TreeEntry::symlink(path("python/lib/libpython.so"), "../bin/python3.12"),
            file(&format!("{library}/os.py"), "import abc"),
            file(&format!("{library}/__pycache__/os.cpython-312.pyc"), "x"),
            file(&format!("{library}/test/test_os.py"), "x"),
            file(&format!("{library}/test.py"), "x"),
            file(&format!("{library}/site-packages/pip/__init__.py"), "x"),
            file(
                &format!("{library}/_sysconfigdata__linux_.py"),
                "a='/install/lib' b='/installed' c='clang -pthread'",
            ),
            file("python/lib/pkgconfig/python3.pc", "prefix=/install\n"),
            file("python/lib/libpython3.12.a", "x"),
        ];
        let read = read(entries).unwrap();
        let listed: Vec<String> =
            read.iter().map(|entry| format!("{:o} {}", entry.mode, entry.path)).collect();
        let expected = [
            "755 opt",
            "755 opt/python",
            "755 opt/python/3.12.4",
            "755 opt/python/3.12.4/bin",
            "755 opt/python/3.12.4/bin/python3.12",
            "777 opt/python/3.12.4/bin/python3",
        ];
        for line in expected {
            assert!(listed.iter().any(|listed| listed == line), "{line} in {listed:?}");
        }
        let names: Vec<&str> = read.iter().map(|entry| entry.path.file_name()).collect();
        for name in ["pip3", "pip", "os.cpython-312.pyc", "test_os.py", "libpython3.12.a"] {
            assert!(!names.contains(&name), "{name}");
        }
        for name in ["os.py", "test.py", "libpython.so", "EXTERNALLY-MANAGED"] {
            assert!(names.contains(&name), "{name}");
        }
        let text = |name: &str| match &read.iter().find(|entry| entry.path.file_name() == name).unwrap().kind
        {
            TreeKind::File { content: Content::Bytes(bytes), .. } => {
                String::from_utf8(bytes.clone()).unwrap()
            }
            kind => panic!("{kind:?}"),
        };
        assert_eq!(
            text("_sysconfigdata__linux_.py"),
            "a='/opt/python/3.12.4/lib' b='/installed' c='cc -pthread'"
        );
        assert_eq!(text("python3.pc"), "prefix=/opt/python/3.12.4\n");
        let sources = library_sources(&read, &path("opt/python/3.12.4"), MINOR).unwrap();
        assert_eq!(sources.len(), 3);
    }

    #[test]
    fn refuses_what_leaves_the_folder() {
        let link = |at: &str, target: &str| vec![program(), TreeEntry::symlink(path(at), target)];
        for (at, target) in [
            ("python/lib/x", "/etc/passwd"),
            ("python/lib/x", "../../etc/passwd"),
            ("python/x", ".."),
            ("python/x", ""),
        ] {
            assert!(refused(link(at, target)).contains(" -> "), "{at} {target}");
        }
        assert!(refused(vec![program(), file("etc/passwd", "")]).contains("`etc/passwd`"));
        let other = refused(vec![file("python/bin/python3.11", "")]);
        assert_eq!(other, "the archive has no program at python/bin/python3.12");
        let through = vec![program(), TreeEntry::symlink(path("python/l"), "lib"), file("python/l/x", "")];
        assert!(matches!(read(through), Err(LayerError::UnsafeEntry { .. })));
        let fifo = TreeEntry::new(path("python/pipe"), TreeKind::Fifo, 0o644);
        assert!(matches!(read(vec![program(), fifo]), Err(LayerError::UnsafeEntry { .. })));
        let target = path("python/lib/gone");
        let hard = TreeEntry::new(path("python/hard"), TreeKind::Hardlink { target }, 0o644);
        assert!(matches!(read(vec![program(), hard]), Err(LayerError::UnsafeEntry { .. })));
        assert!(read_interpreter(&b"no archive"[..], &path("opt"), MINOR).is_err());
    }
}
