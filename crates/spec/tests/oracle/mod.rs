//! Identity, against flytekit itself.

mod generate;
mod loaded;
mod peer;
mod random;
mod value;
mod world;
mod written;

use std::collections::BTreeMap;
use std::path::Path;

use imagewright_spec::{HostArchitecture, ImageSpec, ParseOptions, SpecError, parse_json, parse_yaml};

use generate::Notation;
use peer::{Answer, Peer};
use random::Random;
use world::World;

const SPECS: usize = 3200;
/// What enough of the specs must have in them.
const COVERED: [&str; 12] = [
    "base_image",
    "copy",
    "env",
    "requirements.txt",
    "reqs-é.txt",
    "source_root",
    "tag_format",
    "null",
    "\\",
    "'",
    "日本語",
    "😀",
];
const SCALARS: usize = 2500;

fn parse(text: &str, notation: Notation, host: HostArchitecture) -> Result<ImageSpec, SpecError> {
    let options = ParseOptions { host, ..ParseOptions::default() };
    match notation {
        Notation::Json => parse_json(text, &options),
        Notation::Yaml => parse_yaml(text, &options),
    }
}

fn ours(
    text: &str,
    notation: Notation,
    host: HostArchitecture,
    directory: &Path,
) -> Result<Answer, SpecError> {
    let spec = parse(text, notation, host)?;
    Ok(Answer { id: spec.id(), tag: spec.tag(directory)? })
}

/// Every spec that flytekit takes, whatever is in it, has flytekit's id and tag.
#[test]
fn random_specs_have_flytekits_identity() {
    let Some(mut peer) = Peer::start() else { return };
    let parent = tempfile::tempdir().unwrap();
    let mut random = Random::new(20_261_121);
    let worlds: Vec<World> = (0..40).map(|index| World::new(parent.path(), index, &mut random)).collect();
    let mut compared = 0;
    let mut tally = BTreeMap::from(COVERED.map(|mark| (mark, 0)));
    for index in 0..SPECS {
        let directory = &worlds[random.below(worlds.len())].directory;
        let notation = if index % 2 == 0 { Notation::Json } else { Notation::Yaml };
        let host = if random.one_in(4) { HostArchitecture::Arm64 } else { HostArchitecture::Other };
        let spec = generate::spec(&mut random, notation, directory, 0);
        let text = match notation {
            Notation::Json => spec.to_json(),
            Notation::Yaml => spec.to_yaml(&mut random),
        };
        let theirs = peer.ask(&text, notation, host, directory);
        let ours = ours(&text, notation, host, directory);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "spec {index} in {}:\n{text}", directory.display());
                compared += 1;
                for (mark, count) in &mut tally {
                    *count += usize::from(text.contains(mark));
                }
            }
            (ours, theirs) => panic!("spec {index}: {ours:?} {theirs:?}\n{text}"),
        }
    }
    println!("{compared} specs have flytekit's id and tag; of these have {tally:?}");
    assert!(tally.values().all(|count| *count >= 20), "{tally:?}");
    assert!(compared >= 3000, "only {compared} specs were compared");
}

/// A plain scalar has the type that PyYAML gives it.
#[test]
fn random_scalars_have_pyyamls_type() {
    let Some(mut peer) = Peer::start() else { return };
    let directory = std::env::temp_dir();
    let mut random = Random::new(7);
    let (mut compared, mut refused) = (0, 0);
    for _ in 0..SCALARS {
        let text = format!("builder: noop\nbuilder_config:\n  a: {}\n", generate::plain_scalar(&mut random));
        let theirs = peer.ask(&text, Notation::Yaml, HostArchitecture::Other, &directory);
        match (ours(&text, Notation::Yaml, HostArchitecture::Other, &directory), theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "{text}");
                compared += 1;
            }
            (Err(_), Err(_)) => refused += 1,
            (ours, theirs) => panic!("{text}{ours:?} {theirs:?}"),
        }
    }
    println!("{compared} scalars have PyYAML's type, {refused} are refused by both");
    assert!(compared > SCALARS / 2);
}

/// Python escapes the same characters, those of Unicode 14 in its Python 3.11.
#[test]
fn every_character_is_printed_as_python_prints_it() {
    let Some(mut peer) = Peer::start() else { return };
    let directory = std::env::temp_dir();
    let characters: Vec<char> =
        (0x20..=0x10_ffff).filter_map(char::from_u32).filter(|c| *c != '"' && *c != '\\').collect();
    for chunk in characters.chunks(4096) {
        let text = format!("{{\"pip_extra_args\": \"{}\"}}", chunk.iter().collect::<String>());
        let theirs = peer.ask(&text, Notation::Json, HostArchitecture::Other, &directory).unwrap();
        let ours = ours(&text, Notation::Json, HostArchitecture::Other, &directory).unwrap();
        assert_eq!(ours.id, theirs.id, "from U+{:04X}", u32::from(chunk[0]));
    }
}

/// What both PyYAML and we can read, both read alike; PyYAML refuses more tabs, we more indentation.
#[test]
fn random_documents_are_not_read_differently() {
    let Some(mut peer) = Peer::start() else { return };
    let directory = std::env::temp_dir();
    let mut random = Random::new(99);
    let (mut equal, mut refused) = (0, 0);
    for _ in 0..3000 {
        let text = generate::document(&mut random);
        let theirs = peer.ask(&text, Notation::Yaml, HostArchitecture::Other, &directory);
        let ours = ours(&text, Notation::Yaml, HostArchitecture::Other, &directory);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "{text:?}");
                equal += 1;
            }
            _ => refused += 1,
        }
    }
    println!("{equal} documents are read alike, {refused} are refused by one or both");
    assert!(equal > 500);
}
