use std::num::NonZeroUsize;
use std::sync::Arc;

use imagewright_layer::{
    Bytecode, EncodeOptions, EncodedLayer, InstallScheme, InstalledWheel, LayerError, ReadAt as _, Segment,
    Wheel, splice_wheels,
};
use imagewright_oci::Digest;
use imagewright_pypa::PythonMinor;
use imagewright_testkit::wheel::WheelBuilder;

/// A wheel `demo-1.0` with the files that are added.
pub(crate) fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
}

/// Reads a wheel that was made here.
pub(crate) trait Open {
    fn open(&self) -> Result<Wheel, LayerError>;

    fn install(&self) -> Result<InstalledWheel, LayerError> {
        self.open()?.install(&scheme())
    }
}

impl Open for WheelBuilder {
    fn open(&self) -> Result<Wheel, LayerError> {
        let bytes = self.bytes();
        Wheel::open(Digest::of(&bytes), Arc::new(bytes), &self.filename().parse().unwrap())
    }
}

pub(crate) fn scheme() -> InstallScheme {
    InstallScheme::virtual_environment("/opt/venv", PythonMinor(11)).unwrap()
}

pub(crate) fn options(threads: usize) -> EncodeOptions {
    EncodeOptions { epoch: 315_532_800, threads: NonZeroUsize::new(threads).unwrap() }
}

/// The layer of `wheels` and its bytes.
pub(crate) fn layer_of(wheels: &[InstalledWheel]) -> Result<(EncodedLayer, Vec<u8>), LayerError> {
    layer_with(wheels, Vec::new(), 1)
}

/// The layer of `wheels` and `bytecode`, made by `threads`, and its bytes, which have its digest.
pub(crate) fn layer_with(
    wheels: &[InstalledWheel],
    bytecode: Vec<Bytecode>,
    threads: usize,
) -> Result<(EncodedLayer, Vec<u8>), LayerError> {
    let mut inline = Vec::new();
    let layer = splice_wheels(wheels, bytecode.into_iter().map(Ok), &options(threads), &mut inline)?;
    let layer = layer.verify(&inline, wheels)?;
    let bytes = blob_bytes(&layer, &inline, wheels);
    Ok((layer, bytes))
}

fn blob_bytes(layer: &EncodedLayer, inline: &[u8], wheels: &[InstalledWheel]) -> Vec<u8> {
    let mut blob = Vec::new();
    for segment in &layer.segments {
        let mut bytes = vec![0; usize::try_from(segment.length()).unwrap()];
        match *segment {
            Segment::Inline { offset, .. } => inline.read_exact_at(&mut bytes, offset).unwrap(),
            Segment::Artifact { artifact, offset, .. } => {
                let wheel = wheels.iter().find(|wheel| wheel.wheel().artifact() == artifact).unwrap();
                wheel.wheel().source().read_exact_at(&mut bytes, offset).unwrap();
            }
        }
        blob.extend_from_slice(&bytes);
    }
    assert_eq!((Digest::of(&blob), blob.len() as u64), (layer.digest, layer.size));
    blob
}
