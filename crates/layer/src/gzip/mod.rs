//! Gzip members, written: a name, a time and extra fields never, so that equal content is equal bytes.

mod fixed;
mod member;

pub(crate) use member::{CHUNK, Compressor, HEADER, trailer};
