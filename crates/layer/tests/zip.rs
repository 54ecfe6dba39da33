use std::io::{Cursor, Read as _, Write as _};

use imagewright_layer::{Method, ReadAt, ZipMember, read_members};
use imagewright_testkit::wheel::{Damage, Item, archive};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::support::{demo, layer_of};

fn refusal(items: &[Item]) -> String {
    read_members(&archive(items)).expect_err("the archive is to be refused").to_string()
}

#[test]
fn two_readers_could_see_different_files() {
    let item = |name: &str| Item::new(name, "content");
    let link = item("l").mode(0o120_777);
    let cases: Vec<(Vec<Item>, &str)> = vec![
        (vec![item("a"), item("a")], "`a` is there twice"),
        (vec![item("a/"), item("a")], "`a/` is a directory with content"),
        (vec![item("a"), item("a/b")], "`a` is both a file and a directory"),
        (vec![item("../a")], "`../a` has a name that is not a clean relative path"),
        (vec![item("a/../../b")], "not a clean relative path"),
        (vec![item("/etc/passwd")], "not a clean relative path"),
        (vec![item("a//b")], "not a clean relative path"),
        (vec![item("./a")], "not a clean relative path"),
        (vec![item("")], "not a clean relative path"),
        (vec![item("a\0b")], "not a clean relative path"),
        (vec![link], "`l` is a link"),
        (vec![item("a").flags(1)], "`a` is encrypted"),
        (vec![item("é").flags(0)], "`é` has a name in an unstated encoding"),
        (vec![item("a").damaged(Damage::Method)], "`a` is neither stored nor deflated"),
        (vec![item("a").damaged(Damage::LocalName)], "`a` has a local header that disagrees"),
        (vec![item("a").damaged(Damage::LocalSize)], "`a` has a local header that disagrees"),
        (vec![item("a").stored().damaged(Damage::Size)], "`a` is stored in another size"),
        (
            vec![item("a").stored().damaged(Damage::Swallow), item("b")],
            "`a` shares bytes with what comes next",
        ),
        (vec![item("a").stored().damaged(Damage::Swallow)], "`a` shares bytes with what comes next"),
    ];
    for (items, expected) in cases {
        let message = refusal(&items);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_is_no_whole_archive_is_refused() {
    let whole = archive(&[Item::new("a", "x"), Item::new("b", "y").flags(8)]);
    read_members(&whole).unwrap();
    for length in 0..whole.len() {
        assert!(read_members(&whole[..length].to_vec()).is_err(), "cut at {length}");
    }
    let with_tail = [&whole[..], b"x"].concat();
    let with_head = [b"x", &whole[..]].concat();
    assert!(read_members(&with_tail).is_err());
    assert!(read_members(&with_head).is_err());
}

fn by_reference(bytes: &[u8]) -> Vec<(String, u64, u64, u32, Option<u64>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let file = archive.by_index(index).unwrap();
            (
                file.name().unwrap().into_owned(),
                file.size(),
                file.compressed_size(),
                file.crc32(),
                file.data_start(),
            )
        })
        .collect()
}

fn by_us(bytes: &[u8]) -> Vec<(String, u64, u64, u32, Option<u64>)> {
    let columns = |m: ZipMember| (m.name, m.size, m.compressed_size, m.crc32, Some(m.data_offset));
    read_members(&bytes).unwrap().into_iter().map(columns).collect()
}

#[test]
fn agrees_with_another_reader() {
    let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut seekable = ZipWriter::new(Cursor::new(Vec::new()));
    let mut streamed = ZipWriter::new_stream(Vec::new());
    for (name, options) in
        [("a", deflated), ("d/é", stored), ("zip64", deflated.large_file(true)), ("e", stored)]
    {
        seekable.start_file(name, options).unwrap();
        seekable.write_all(&name.as_bytes().repeat(1000)).unwrap();
        streamed.start_file(name, options).unwrap();
        streamed.write_all(&name.as_bytes().repeat(1000)).unwrap();
    }
    for bytes in [seekable.finish().unwrap().into_inner(), streamed.finish().unwrap().into_inner()] {
        assert_eq!(by_us(&bytes), by_reference(&bytes));
    }
}

#[test]
fn more_members_than_sixteen_bits_count() {
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..70_000 {
        writer.start_file(index.to_string(), stored).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let members = read_members(&bytes).unwrap();
    assert_eq!(members.len(), 70_000);
    assert!(members.iter().all(|member| member.method == Method::Stored && member.size == 0));
}

fn a_wheel() -> Vec<u8> {
    demo()
        .file("demo/__init__.py", "x = 1\n")
        .file("demo/large", vec![7; 40_000])
        .item(Item::new("demo-1.0.data/scripts/run", "#!python\n").flags(8))
        .item(Item::new("demo/stored", "y").stored())
        .bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever is done to a wheel, it is refused, or its layer has the content that other readers see in it.
    #[test]
    fn a_damaged_wheel_never_panics(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = a_wheel();
        // The content of the large member is left alone, so that headers are hit more often.
        let outside: Vec<usize> = (0..bytes.len()).filter(|at| !(200..40_000).contains(at)).collect();
        for (at, value) in changes {
            bytes[*at.get(&outside)] = value;
        }
        let name = "demo-1.0-py3-none-any.whl".parse().unwrap();
        let digest = imagewright_oci::Digest::of(&bytes);
        let wheel = imagewright_layer::Wheel::open(digest, std::sync::Arc::new(bytes), &name);
        if let Ok(installed) = wheel.and_then(|wheel| wheel.install(&crate::support::scheme()))
            && let Ok((layer, blob)) = layer_of(&[installed])
        {
            let mut tar = Vec::new();
            flate2::read::MultiGzDecoder::new(&blob[..]).read_to_end(&mut tar).unwrap();
            prop_assert_eq!(imagewright_oci::Digest::of(&tar), layer.diff_id.0);
        }
    }

    #[test]
    fn noise_is_refused(bytes: Vec<u8>) {
        prop_assert!(read_members(&bytes as &dyn ReadAt).is_err());
    }
}
