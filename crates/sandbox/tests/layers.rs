use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use imagewright_oci::{DiffId, Digest};
use tar::EntryType;

use crate::caller::{Caller, Who, entries, may_be_root, text};
use crate::image::{Image, Tar, Writer, mode_of};

#[test]
fn files_have_what_their_entries_say() {
    if !may_be_root() {
        return;
    }
    for (who, user_1000) in [(Who::Root, 1000), (Who::Subordinate, 3_000_999), (Who::NoTools, 47_110)] {
        let caller = Caller::new(who);
        let layer = Writer::default()
            .entry(EntryType::Regular, "set-id", "", b"x", 0o4755, 1000)
            .entry(EntryType::Directory, "closed", "", b"", 0o500, 1000)
            .entry(EntryType::Regular, "closed/file", "", b"", 0o400, 1000)
            .entry(EntryType::Symlink, "link", "nowhere", b"", 0o777, 1000)
            .finish();
        let (directory, output) = caller.unpack(&layer, "layer");
        assert_eq!(text(&output.stderr), "", "{who:?}");
        assert_eq!(text(&output.stdout), "Unpacked { entries: 4, bytes: 1, skipped_devices: 0 }\n");
        for (name, mode) in [("set-id", 0o4755), ("closed", 0o500), ("closed/file", 0o400), ("link", 0o777)] {
            let path = directory.join(name);
            assert_eq!(mode_of(&path), mode, "{who:?} {name}");
            let found = fs_err::symlink_metadata(&path).unwrap();
            assert_eq!((found.uid(), found.mtime()), (user_1000, 315_532_800), "{who:?} {name}");
        }
    }
}

#[test]
fn whiteouts_become_what_an_overlay_knows() {
    if !may_be_root() {
        return;
    }
    for who in Who::ALL {
        let caller = Caller::new(who);
        let (directory, output) = caller.unpack(&Image::small().layers[1], "layer");
        assert!(text(&output.stdout).contains("skipped_devices: 1"), "{who:?}: {}", text(&output.stderr));
        let gone = fs_err::symlink_metadata(directory.join("gone")).unwrap();
        assert!(gone.file_type().is_char_device() && gone.rdev() == 0, "{who:?}");
        assert_eq!(
            entries(&directory),
            ["again", "fifo", "gone", "hidden", "linked", "opaque", "replaced"],
            "{who:?}: no mark and no device is left"
        );
    }
}

/// Unpacks a layer that must be refused with these words, beside a directory that must stay untouched.
fn refused(layer: &Tar, expected: &str) {
    for who in Who::ALL {
        let caller = Caller::new(who);
        let victim = caller.directory("victim");
        fs_err::write(victim.join("file"), "mine").unwrap();
        let (directory, output) = caller.unpack(layer, "layer");
        assert_eq!(output.status.code(), Some(70), "{who:?}");
        assert!(text(&output.stderr).starts_with(expected), "{who:?}: {}", text(&output.stderr));
        assert_eq!(entries(&victim), ["file"], "{who:?}");
        assert_eq!(fs_err::read_to_string(victim.join("file")).unwrap(), "mine");
        let inside = entries(&directory);
        assert!(inside.iter().all(|name| name == "out"), "{who:?}: {inside:?}");
    }
}

#[test]
fn no_entry_leaves_the_layer() {
    if !may_be_root() {
        return;
    }
    let two_dots = "entry `../victim/file` of the layer is refused: it leaves the layer with `..`\n";
    refused(&Writer::default().file("../victim/file", b"x").finish(), two_dots);
    refused(&Writer::default().hard_link("out", "../victim/file").finish(), two_dots);
    refused(&Writer::default().directory("../victim/file").finish(), two_dots);
    for target in ["../victim", "/../../../../../victim", "/var/tmp"] {
        let layer = Writer::default().symlink("out", target).file("out/file", b"x").finish();
        refused(&layer, "cannot unpack out/file\nNot a directory (os error 20)\n");
        let layer = Writer::default().symlink("out", target).hard_link("linked", "out/file").finish();
        refused(&layer, "cannot unpack out/file\nNo such file or directory (os error 2)\n");
    }
    let whiteout = "entry `..` of the layer is refused: it is a whiteout of nothing\n";
    refused(&Writer::default().file(".wh...", b"").finish(), whiteout);
}

#[test]
fn a_link_inside_the_layer_is_followed_inside() {
    if !may_be_root() {
        return;
    }
    let layer = Writer::default()
        .directory("usr/lib")
        .symlink("lib", "/usr/lib")
        .file("lib/file", b"x")
        .symlink("out", "/usr/../../../usr")
        .file("out/other", b"x")
        .finish();
    let caller = Caller::new(Who::Root);
    let (directory, output) = caller.unpack(&layer, "layer");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(entries(&directory.join("usr/lib")), ["file"]);
    assert_eq!(entries(&directory.join("usr")), ["lib", "other"]);
}

#[test]
fn a_damaged_stream_is_noticed() {
    if !may_be_root() {
        return;
    }
    let caller = Caller::new(Who::Root);
    let whole = Writer::default().file("file", &[1; 4000]).finish();
    let other = Tar { bytes: whole.bytes.clone(), diff_id: DiffId(Digest::of(b"")) };
    let said = text(&caller.unpack(&other, "other").1.stderr);
    let expected = format!("layer {} has the content of {}\n", other.diff_id, whole.diff_id);
    assert!(said.starts_with(&expected), "{said}");
    let short = Tar { bytes: whole.bytes[..3000].to_vec(), diff_id: whole.diff_id };
    let (_, output) = caller.unpack(&short, "short");
    assert_eq!(output.status.code(), Some(70));
    assert!(text(&output.stderr).starts_with("cannot read the layer\n"), "{}", text(&output.stderr));
}
