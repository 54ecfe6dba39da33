//! Wheels made on the spot: right ones, and ones that lie in a way that a test names.

mod archive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use imagewright_oci::Digest;

pub use archive::{Damage, Item, archive};

/// A wheel with the files that are added, by the binary distribution format unless told otherwise.
///
/// No compressor is involved, so that its bytes, and what is made of them, are the same everywhere.
#[derive(Clone, Debug)]
pub struct WheelBuilder {
    name: String,
    version: String,
    tag: String,
    items: Vec<Item>,
    extra_metadata: String,
    metadata: Option<String>,
    wheel: String,
    record: Option<String>,
}

impl WheelBuilder {
    /// `name-version-py3-none-any.whl`, without a module.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tag: "py3-none-any".to_owned(),
            items: Vec::new(),
            extra_metadata: String::new(),
            metadata: None,
            wheel: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n".to_owned(),
            record: None,
        }
    }

    /// For other interpreters or platforms, such as `cp311-cp311-manylinux_2_17_x86_64`.
    #[must_use]
    pub fn tag(self, tag: &str) -> Self {
        Self { tag: tag.to_owned(), ..self }
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.item(Item::new(name, content))
    }

    /// Adds a member.
    #[must_use]
    pub fn item(mut self, item: Item) -> Self {
        self.items.push(item);
        self
    }

    /// Adds a dependency.
    #[must_use]
    pub fn requires(self, requirement: &str) -> Self {
        self.extra(&format!("Requires-Dist: {requirement}\n"))
    }

    /// Says which Python it needs.
    #[must_use]
    pub fn requires_python(self, specifier: &str) -> Self {
        self.extra(&format!("Requires-Python: {specifier}\n"))
    }

    fn extra(mut self, line: &str) -> Self {
        self.extra_metadata.push_str(line);
        self
    }

    /// Another METADATA than the right one.
    #[must_use]
    pub fn metadata(self, metadata: &str) -> Self {
        Self { metadata: Some(metadata.to_owned()), ..self }
    }

    /// Another WHEEL than the right one.
    #[must_use]
    pub fn wheel_file(self, wheel: &str) -> Self {
        Self { wheel: wheel.to_owned(), ..self }
    }

    /// Another RECORD than the right one.
    #[must_use]
    pub fn record(self, record: &str) -> Self {
        Self { record: Some(record.to_owned()), ..self }
    }

    /// What it is called.
    pub fn filename(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tag)
    }

    /// The text of METADATA.
    pub fn metadata_text(&self) -> String {
        self.metadata.clone().unwrap_or_else(|| {
            let Self { name, version, extra_metadata, .. } = self;
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extra_metadata}")
        })
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let info = format!("{}-{}.dist-info", self.name, self.version);
        let mut items = self.items.clone();
        items.push(Item::new(&format!("{info}/METADATA"), self.metadata_text()));
        items.push(Item::new(&format!("{info}/WHEEL"), self.wheel.as_str()));
        let record = self.record.clone().unwrap_or_else(|| items.iter().map(record_line).collect());
        items.push(Item::new(&format!("{info}/RECORD"), record));
        archive(&items)
    }
}

fn record_line(item: &Item) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Digest::of(&item.content).as_bytes());
    format!("{},sha256={hash},{}\n", String::from_utf8_lossy(&item.name), item.content.len())
}
