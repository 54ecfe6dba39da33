use std::num::NonZeroUsize;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use imagewright_layer::{
    Bytecode, EncodeOptions, EncodedLayer, InstallScheme, InstalledWheel, LayerError, ReadAt as _, Segment,
    Wheel, splice_wheels,
};
use imagewright_oci::Digest;
use imagewright_pypa::PythonMinor;

use super::{Item, archive};

/// A wheel `demo-1.0` with the files that are added.
#[derive(Clone, Debug)]
pub(crate) struct WheelBuilder {
    filename: String,
    items: Vec<Item>,
    metadata: String,
    wheel: String,
    record: Option<String>,
}

impl WheelBuilder {
    pub(crate) fn new() -> Self {
        Self::named("demo")
    }

    pub(crate) fn named(name: &str) -> Self {
        Self {
            filename: format!("{name}-1.0-py3-none-any.whl"),
            items: Vec::new(),
            metadata: format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
            wheel: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n".to_owned(),
            record: None,
        }
    }

    pub(crate) fn file(self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.item(Item::new(name, content))
    }

    pub(crate) fn item(mut self, item: Item) -> Self {
        self.items.push(item);
        self
    }

    pub(crate) fn metadata(self, metadata: &str) -> Self {
        Self { metadata: metadata.to_owned(), ..self }
    }

    pub(crate) fn wheel_file(self, wheel: &str) -> Self {
        Self { wheel: wheel.to_owned(), ..self }
    }

    /// Another RECORD than the right one.
    pub(crate) fn record(self, record: &str) -> Self {
        Self { record: Some(record.to_owned()), ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let stem = self.filename.split("-py3").next().unwrap();
        let mut items = self.items.clone();
        items.push(Item::new(&format!("{stem}.dist-info/METADATA"), self.metadata.as_str()));
        items.push(Item::new(&format!("{stem}.dist-info/WHEEL"), self.wheel.as_str()));
        let record = self.record.clone().unwrap_or_else(|| items.iter().map(record_line).collect());
        items.push(Item::new(&format!("{stem}.dist-info/RECORD"), record));
        archive(&items)
    }

    pub(crate) fn open(&self) -> Result<Wheel, LayerError> {
        let bytes = self.bytes();
        Wheel::open(Digest::of(&bytes), Arc::new(bytes), &self.filename.parse().unwrap())
    }

    pub(crate) fn install(&self) -> Result<InstalledWheel, LayerError> {
        self.open()?.install(&scheme())
    }
}

fn record_line(item: &Item) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Digest::of(&item.content).as_bytes());
    format!("{},sha256={hash},{}\n", String::from_utf8_lossy(&item.name), item.content.len())
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
