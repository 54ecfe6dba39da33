//! Layers: wheels spliced, trees encoded, and what others made read.
//!
//! A zip member is a raw deflate stream with a CRC-32 and a size, which is the body and trailer of a gzip member;
//! and a gzip file may have many members. So the layer of a wheel is mostly the wheel's own bytes, with compressed
//! tar headers between them, and is made as fast as it can be hashed. `FORMAT.md` has the exact bytes.
//!
//! Invariants:
//!
//! - Nothing here opens a file, a socket or a process: readers and writers are passed in.
//! - Equal inputs give equal bytes, whatever the machine, the time and the number of threads.
//! - A wheel is refused when two programs could see different files in it, or when it is not what it says.
//! - An [`EncodedLayer`] was decompressed and checked; what was not is an [`UnverifiedLayer`].
//!
//! ```no_run
//! use std::{io, num::NonZeroUsize, sync::Arc};
//!
//! use imagewright_layer::{EncodeOptions, InstallScheme, Wheel, splice_wheels};
//! use imagewright_oci::HashingReader;
//! use imagewright_pypa::PythonMinor;
//!
//! let path = "numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl";
//! let mut reader = HashingReader::new(fs_err::File::open(path)?);
//! io::copy(&mut reader, &mut io::sink())?;
//! let artifact = reader.finish().0;
//!
//! let wheel = Wheel::open(artifact, Arc::new(fs_err::File::open(path)?), &path.parse()?)?;
//! let scheme = InstallScheme::virtual_environment("/opt/venv", PythonMinor(11))?;
//! let wheels = [wheel.install(&scheme)?];
//!
//! let options = EncodeOptions { epoch: 315_532_800, threads: NonZeroUsize::MIN };
//! let mut inline = fs_err::File::create_new("layer.inline")?;
//! let layer = splice_wheels(&wheels, [], &options, &mut inline)?;
//! println!("an upload of {} may start", layer.digest());
//! let layer = layer.verify(&fs_err::File::open("layer.inline")?, &wheels)?;
//! println!("and {} may be cached", layer.diff_id);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod format;
mod key;

mod error;
mod raw_path;
mod read_at;
mod segment;
mod tree_path;

mod wheel;
mod zip;

mod blob;
mod gzip;
mod pool;
mod tar;
mod writer;

mod inflate;
mod splice;
mod tree;
mod verify;

mod interpreter;
mod read_layer;

mod archive_files;
mod archive_writer;

pub use archive_files::{ArchivedFile, archive_files};
pub use archive_writer::ArchiveWriter;
pub use error::{BlobPart, LayerError};
pub use format::{INTERPRETER_FORMAT, TREE_FORMAT, WHEEL_FORMAT};
pub use interpreter::{library_sources, read_interpreter};
pub use key::LayerKey;
pub use raw_path::{EntryPath, RawPath};
pub use read_at::ReadAt;
pub use read_layer::{LayerEntry, LayerEntryKind, read_layer, tar_stream};
pub use segment::{EncodedLayer, Segment};
pub use splice::{Bytecode, UnverifiedLayer, splice_wheels};
pub use tree::{Content, OpenContent, TreeEntry, TreeKind, encode_tree, parents};
pub use tree_path::TreePath;
pub use wheel::{
    FileContent, InstallScheme, InstalledFile, InstalledWheel, Wheel, WheelProblem, record_paths,
};
pub use writer::EncodeOptions;
pub use zip::{Method, ZipMember, ZipProblem, read_members};
