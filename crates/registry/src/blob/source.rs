use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use imagewright_oci::Digest;
use tokio::sync::mpsc;

/// Bytes handed from the reading thread to the network at a time.
const CHUNK: usize = 1 << 18;

/// Chunks that may wait for the network; with six transfers, 6 MiB.
const WAITING: usize = 4;

/// A blob that can be read from its beginning as often as an upload needs.
pub trait BlobSource: Send + Sync {
    /// The digest of its bytes.
    fn digest(&self) -> Digest;
    /// Its length in bytes.
    fn size(&self) -> u64;
    /// A reader at its beginning.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

/// Reads on a blocking thread, a bounded number of chunks ahead.
pub(super) fn read_ahead(mut reader: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        loop {
            let chunk = read_chunk(&mut reader);
            let is_last = !matches!(&chunk, Ok(bytes) if bytes.len() == CHUNK);
            let is_end = matches!(&chunk, Ok(bytes) if bytes.is_empty());
            // The receiver is gone when the upload has ended early.
            if is_end || sender.blocking_send(chunk).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// Fills one chunk; it is shorter only at the end.
fn read_chunk(reader: &mut dyn Read) -> io::Result<Bytes> {
    let mut chunk = BytesMut::zeroed(CHUNK);
    let mut filled = 0;
    while filled < CHUNK {
        match reader.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    chunk.truncate(filled);
    Ok(chunk.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hands_over_everything_in_order() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 20 * CHUNK] {
            let content: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[at % 3]).collect();
            let mut receiver = read_ahead(Box::new(io::Cursor::new(content.clone())));
            let mut read = Vec::new();
            while let Some(chunk) = receiver.recv().await {
                read.extend_from_slice(&chunk.unwrap());
            }
            assert!(read == content, "{size}");
        }
    }
}
