//! Images of one layer, wrong in one way each.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use imagewright_oci::{
    Annotations, Descriptor, DiffId, Digest, History, ImageConfig, ImageIndex, ImageManifest, MediaType,
    Platform,
};
use imagewright_testkit::validate::{ImageSource, validate, validate_index};

/// An image in memory.
struct Image {
    config: ImageConfig,
    layer: Vec<u8>,
    is_ours: bool,
    change: fn(&mut ImageManifest),
}

impl ImageSource for Image {
    fn manifest(&self) -> std::io::Result<(Descriptor, Bytes)> {
        let config = Descriptor::of(MediaType::OciConfig, &self.config.to_bytes());
        let mut layer = Descriptor::of(MediaType::OciLayerGzip, &self.layer);
        if self.is_ours {
            layer.annotations.insert("io.imagewright.layer.key".to_owned(), "a key".to_owned());
        }
        let mut manifest = ImageManifest::new(config, vec![layer], Annotations::new());
        (self.change)(&mut manifest);
        let bytes = manifest.to_bytes();
        Ok((Descriptor::of(MediaType::OciManifest, &bytes), bytes.into()))
    }

    fn part(&self, _: &Descriptor) -> std::io::Result<Bytes> {
        Ok(self.manifest()?.1)
    }

    fn blob(&self, descriptor: &Descriptor) -> std::io::Result<Box<dyn std::io::Read + '_>> {
        match descriptor.media_type {
            MediaType::OciConfig => Ok(Box::new(std::io::Cursor::new(self.config.to_bytes()))),
            _ => Ok(Box::new(self.layer.as_slice())),
        }
    }
}

/// An entry: its path, its content unless it is a directory.
type Entry<'a> = (&'a str, Option<&'a str>);

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_ustar();
        // `set_path` refuses what the tests are about.
        header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(if content.is_some() {
            tar::EntryType::Regular
        } else {
            tar::EntryType::Directory
        });
        header.set_size(content.map_or(0, |content| content.len() as u64));
        header.set_mtime(7);
        header.set_cksum();
        builder.append(&header, content.unwrap_or_default().as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new().operating_system(255).write(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn image(tar: &[u8], layer: Vec<u8>, is_ours: bool) -> Image {
    let mut config = ImageConfig::new(Platform::linux_amd64());
    config.created = Some("1980-01-01T00:00:00Z".to_owned());
    config.rootfs.diff_ids.push(DiffId(Digest::of(tar)));
    config.history.push(History::default());
    Image { config, layer, is_ours, change: |_| {} }
}

fn of(entries: &[Entry<'_>]) -> Image {
    let tar = archive(entries);
    image(&tar, gzip(&tar), true)
}

fn findings(image: &Image) -> String {
    let found = validate(image).expect_err("something was to be found");
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_right_image_is_right() {
    let right = of(&[("a/", None), ("a/b", Some("x")), ("a/c", Some("y"))]);
    assert_eq!(validate(&right).unwrap().paths, ["a", "a/b", "a/c"]);
    let bytecode =
        [("a/", None), ("a/x.py", Some("")), ("a/__pycache__/", None), ("a/__pycache__/x.pyc", Some(""))];
    validate(&of(&bytecode)).unwrap();
}

#[test]
fn entries_of_ours_that_may_not_be() {
    let cases: [(&[Entry<'_>], &str); 9] = [
        (&[("b", Some("")), ("a", Some(""))], "has a behind b"),
        (&[("a", Some("")), ("a", Some(""))], "has a twice"),
        (&[("a/", None), ("a/../../b", Some(""))], "has the path \"a/../../b\""),
        (&[("/a", Some(""))], "has the path \"/a\""),
        (&[("a/b", Some(""))], "has a of a/b without its directory"),
        (&[("a", Some("")), ("a/b", Some(""))], "has a of a/b without its directory"),
        (&[(".wh.gone", Some(""))], "removes gone, which is not there"),
        (&[(".wh.a", Some("content")), ("a", Some(""))], "has a whiteout \".wh.a\" that is none"),
        (&[(".wh..wh..plnk", Some(""))], "has a whiteout \".wh..wh..plnk\" that is none"),
    ];
    for (entries, expected) in cases {
        let found = findings(&of(entries));
        assert!(found.contains(expected), "{entries:?}: {found}");
    }
}

#[test]
fn layers_of_others_are_judged_by_what_all_agree_on() {
    let others = |entries: &[Entry<'_>]| Image { is_ours: false, ..of(entries) };
    validate(&others(&[("./", None), ("./b", Some("")), ("./a/c", Some(""))])).unwrap();
    assert!(findings(&others(&[("a", Some("")), ("./a", Some(""))])).contains("has a twice"));
}

#[test]
fn documents_that_do_not_fit() {
    let entries: [Entry<'_>; 1] = [("a", Some("x"))];
    let changed = |change: fn(&mut ImageManifest)| findings(&Image { change, ..of(&entries) });
    let found = changed(|manifest| manifest.layers[0].size += 1);
    assert!(found.contains("layer 0") && found.contains("bytes, not"), "{found}");
    let found = changed(|manifest| manifest.layers[0].digest = Digest::of(b""));
    assert!(found.contains("not sha256:e3b0c4"), "{found}");
    let found = changed(|manifest| manifest.media_type = None);
    assert!(found.contains("manifest: says nothing of its media type"), "{found}");
    let found = changed(|manifest| manifest.layers[0].media_type = MediaType::DockerLayerGzip);
    assert!(found.contains("is of type application/vnd.docker"), "{found}");
    let mut image = of(&entries);
    image.config.history.clear();
    image.config.rootfs.diff_ids[0] = DiffId(Digest::of(b"other"));
    let found = findings(&image);
    assert!(found.contains("0 entries of the history for 1 layers"), "{found}");
    assert!(found.contains("not to its diff id"), "{found}");
}

/// An index of one image.
struct Index {
    image: Image,
    change: fn(&mut Descriptor),
}

impl ImageSource for Index {
    fn manifest(&self) -> std::io::Result<(Descriptor, Bytes)> {
        let (descriptor, _) = self.image.manifest()?;
        let mut entry = Descriptor { platform: Some(Platform::linux_amd64()), ..descriptor };
        (self.change)(&mut entry);
        let bytes = ImageIndex::new(vec![entry], Annotations::new()).to_bytes();
        Ok((Descriptor::of(MediaType::OciIndex, &bytes), bytes.into()))
    }

    fn part(&self, descriptor: &Descriptor) -> std::io::Result<Bytes> {
        self.image.part(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> std::io::Result<Box<dyn std::io::Read + '_>> {
        self.image.blob(descriptor)
    }
}

#[test]
fn an_index_is_judged_by_its_images() {
    let index = |change| Index { image: of(&[("a", Some("x"))]), change };
    assert_eq!(validate_index(&index(|_| {})).unwrap().len(), 1);
    let found = |change| {
        let found = validate_index(&index(change)).expect_err("something was to be found");
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(found(|entry| entry.digest = Digest::of(b"other")).contains("index: is sha256:"));
    assert!(found(|entry| entry.platform = None).contains("platform of an image"));
    assert!(found(|entry| entry.platform = Some(Platform::new("linux", "arm64"))).contains("platform of"));
    assert!(validate_index(&of(&[("a", Some("x"))])).is_err());
}

#[test]
fn gzip_that_others_refuse_or_that_depends_on_its_maker() {
    let tar = archive(&[("a", Some("x"))]);
    let (first, second) = tar.split_at(600);
    let members = [gzip(first), gzip(second)].concat();
    validate(&image(&tar, members.clone(), true)).unwrap();
    let mut crc = members.clone();
    let last = crc.len() - 8;
    crc[last] ^= 1;
    assert!(findings(&image(&tar, crc, true)).contains("cannot be read"));
    let mut named = flate2::GzBuilder::new().filename("x").mtime(1).write(Vec::new(), Compression::fast());
    named.write_all(&tar).unwrap();
    let found = findings(&image(&tar, named.finish().unwrap(), true));
    assert!(found.contains("a gzip member with a name") && found.contains("with a time"), "{found}");
    let cut = &tar[..tar.len() - 512];
    assert!(findings(&image(cut, gzip(cut), true)).contains("does not end as an archive does"));
}
