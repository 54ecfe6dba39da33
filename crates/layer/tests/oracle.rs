//! pip is the reference: what it installs into a virtual environment is what our layer has (issue item 6).

mod environment;
mod tree;

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use imagewright_layer::{
    EncodeOptions, InstallScheme, InstalledWheel, ReadAt, Segment, Wheel, read_members, splice_wheels,
};
use imagewright_oci::{Digest, HashingReader};
use imagewright_pypa::PythonMinor;

use crate::support::{network_oracle, run};
use environment::Environment;

/// Pure, native, abi3, scripts that are binaries, `.data` folders, headers, entry points; with all that they need,
/// so that they can be imported.
#[rustfmt::skip]
const REQUIREMENTS: [&str; 23] = [
    "aiohttp", "black", "cmake", "cryptography", "flask", "greenlet", "grpcio", "jmespath", "lxml", "ninja", "numpy",
    "orjson", "pandas", "pillow", "pip", "protobuf", "pybind11", "pyyaml", "requests", "ruff", "scipy", "setuptools",
    "sqlalchemy",
];

/// Wheels that are looked at without what they need: data files by the thousand.
const ALONE: [&str; 2] = ["jupyterlab", "tzdata"];

/// Scripts of several kinds, with an argument that makes them end well.
const SCRIPTS: [(&str, &str); 9] = [
    ("black", "--version"),
    ("cmake", "--version"),
    ("f2py", "-v"),
    ("flask", "--version"),
    ("jp.py", "--help"),
    ("ninja", "--version"),
    ("normalizer", "--version"),
    ("pip3.11", "--version"),
    ("ruff", "--version"),
];

#[test]
fn a_layer_is_what_pip_installs() {
    let Some(python) = network_oracle() else { return };
    let environment = Environment::prepare(&python, &REQUIREMENTS, &ALONE);
    let wheels = environment.wheels();
    assert!(wheels.len() >= 25, "{} wheels are too few", wheels.len());

    environment.create();
    environment.pip_install(&wheels);
    let by_pip = tree::read(&environment.prefix());
    let modules_by_pip = environment.importable_modules();
    let verdict_on_pip = environment.pip_check();

    environment.create();
    install_layer(&environment, &wheels);
    let by_us = tree::read(&environment.prefix());
    tree::assert_same(&by_pip, &by_us);

    assert_eq!(environment.importable_modules(), modules_by_pip);
    assert!(modules_by_pip.len() >= wheels.len() * 4 / 5, "{} of {}", modules_by_pip.len(), wheels.len());
    environment.check_records();
    assert_eq!(environment.pip_check(), verdict_on_pip);
    assert!(verdict_on_pip.contains("jupyterlab"), "{verdict_on_pip}");
    for (script, argument) in SCRIPTS {
        let script = script.replace("3.11", &environment.minor().to_string());
        run(environment.prefix().join("bin").join(script).to_str().unwrap(), &[argument]);
    }
}

/// Makes one layer of all wheels and unpacks it with GNU tar.
fn install_layer(environment: &Environment, wheels: &[String]) {
    let prefix = environment.prefix();
    let scheme = InstallScheme::virtual_environment(prefix.to_str().unwrap(), environment.minor()).unwrap();
    let installed: Vec<InstalledWheel> =
        wheels.iter().map(|wheel| open(wheel).install(&scheme).unwrap()).collect();
    let mut paths = BTreeSet::new();
    for file in installed.iter().flat_map(InstalledWheel::files) {
        assert!(paths.insert(&file.path), "two distributions have {}", file.path);
    }
    let blob = environment.scratch("layer.tar.gz");
    write_layer(&installed, &blob);
    let stage = environment.scratch("stage");
    fs_err::create_dir(&stage).unwrap();
    run("tar", &["-xzf", blob.to_str().unwrap(), "--no-same-owner", "-C", stage.to_str().unwrap()]);
    let unpacked = stage.join(prefix.strip_prefix("/").unwrap()).join(".");
    run("cp", &["-a", unpacked.to_str().unwrap(), prefix.to_str().unwrap()]);
}

fn open(path: &str) -> Wheel {
    let mut reader = HashingReader::new(fs_err::File::open(path).unwrap());
    io::copy(&mut reader, &mut io::sink()).unwrap();
    let source = Arc::new(fs_err::File::open(path).unwrap());
    agrees_with_another_reader(path, &*source);
    let filename = Path::new(path).file_name().unwrap().to_str().unwrap().parse().unwrap();
    Wheel::open(reader.finish().0, source, &filename).unwrap()
}

fn agrees_with_another_reader(path: &str, source: &dyn ReadAt) {
    let mut reference = zip::ZipArchive::new(fs_err::File::open(path).unwrap()).unwrap();
    let members = read_members(source).unwrap();
    assert_eq!(members.len(), reference.len(), "{path}");
    for (index, member) in members.iter().enumerate() {
        let other = reference.by_index_raw(index).unwrap();
        assert_eq!(member.name, other.name().unwrap());
        assert_eq!((member.size, member.compressed_size), (other.size(), other.compressed_size()));
        assert_eq!((member.crc32, Some(member.data_offset)), (other.crc32(), other.data_start()));
    }
}

fn write_layer(wheels: &[InstalledWheel], path: &Path) {
    let side = path.with_extension("inline");
    let options = EncodeOptions { epoch: 315_532_800, threads: NonZeroUsize::new(2).unwrap() };
    let mut inline = BufWriter::new(fs_err::File::create(&side).unwrap());
    let layer = splice_wheels(wheels, [], &options, &mut inline).unwrap();
    let inline = fs_err::File::open(&side).unwrap();
    let layer = layer.verify(&inline, wheels).unwrap();
    let mut out = BufWriter::new(fs_err::File::create(path).unwrap());
    for segment in &layer.segments {
        let (source, offset): (&dyn ReadAt, u64) = match segment {
            Segment::Inline { offset, .. } => (&inline, *offset),
            Segment::Artifact { artifact, offset, .. } => (source_of(wheels, *artifact), *offset),
        };
        let mut bytes = vec![0; usize::try_from(segment.length()).unwrap()];
        source.read_exact_at(&mut bytes, offset).unwrap();
        io::Write::write_all(&mut out, &bytes).unwrap();
    }
    drop(out.into_inner().unwrap());
}

fn source_of(wheels: &[InstalledWheel], artifact: Digest) -> &dyn ReadAt {
    wheels.iter().map(InstalledWheel::wheel).find(|wheel| wheel.artifact() == artifact).unwrap().source()
}

fn minor(text: &str) -> PythonMinor {
    text.trim().parse().unwrap()
}
