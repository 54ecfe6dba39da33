use imagewright_layer::{TreeEntry, TreeKind};

use super::tree::Tree;

/// Folders whose contents are documentation and translations, as in Debian's own slim images.
const DROPPED: [&str; 8] = [
    "usr/share/doc",
    "usr/share/gnome/help",
    "usr/share/groff",
    "usr/share/info",
    "usr/share/linda",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
];

/// What dpkg is told, so that packages which are installed later are treated alike.
const DPKG_OPTIONS: &str = "\
# Documentation and translations are left out, as they were when this image was made.
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/gnome/help/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
path-exclude /usr/share/man/*
# A step that fails is repeated from its beginning, so there is nothing to save from a crash.
force-unsafe-io
";

/// Whether an entry of a package comes into the image.
///
/// Licences stay, and so do the links by which packages share the folder that has them.
pub(super) fn is_kept(entry: &TreeEntry) -> bool {
    let path = entry.path.as_str();
    let Some(below) = DROPPED.iter().find_map(|folder| path.strip_prefix(folder)?.strip_prefix('/')) else {
        return true;
    };
    let in_doc = path.starts_with("usr/share/doc/");
    let is_link_to_licence = matches!(entry.kind, TreeKind::Symlink { .. }) && !below.contains('/');
    in_doc && (is_link_to_licence || below.ends_with("/copyright")) || path == "usr/share/locale/locale.alias"
}

/// Has dpkg leave out the same files later.
pub(super) fn apply(tree: &mut Tree) {
    tree.add_file("etc/dpkg/dpkg.cfg.d/image", DPKG_OPTIONS);
}

#[cfg(test)]
mod tests {
    use imagewright_layer::TreePath;

    use super::*;

    #[test]
    fn documentation_goes_and_licences_stay() {
        let path = |path: &str| TreePath::new(path).unwrap();
        for (text, kept) in [
            ("usr/share/doc", true),
            ("usr/share/doc/bash", false),
            ("usr/share/doc/bash/copyright", true),
            ("usr/share/doc/bash/README.gz", false),
            ("usr/share/man/man1/bash.1.gz", false),
            ("usr/share/locale/locale.alias", true),
            ("usr/share/locale/de/LC_MESSAGES/bash.mo", false),
            ("usr/share/documents/x", true),
            ("usr/bin/bash", true),
        ] {
            assert_eq!(is_kept(&TreeEntry::directory(path(text), 0o755)), kept, "{text}");
        }
        assert!(is_kept(&TreeEntry::symlink(path("usr/share/doc/libstdc++6"), "gcc-12-base")));
        assert!(!is_kept(&TreeEntry::symlink(path("usr/share/man/man1/x.1.gz"), "y.1.gz")));
    }
}
