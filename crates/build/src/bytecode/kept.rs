use std::io::{self, BufReader, Read};
use std::iter::Peekable;

use imagewright_layer::{Bytecode, TreePath};
use imagewright_store::BlobReader;

/// The kept bytecode of one wheel, module by module, sorted by path.
#[derive(Debug)]
pub(crate) struct Kept {
    reader: BufReader<BlobReader>,
    left: u64,
}

impl Kept {
    pub(super) fn new(blob: BlobReader) -> Self {
        Self { left: blob.size(), reader: BufReader::new(blob) }
    }

    fn module(&mut self) -> io::Result<Bytecode> {
        let path = String::from_utf8(self.part()?).map_err(io::Error::other)?;
        let path = TreePath::new(&path).map_err(io::Error::other)?;
        Ok(Bytecode { path, content: self.part()? })
    }

    fn part(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        self.left = self.left.checked_sub(4 + length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut part = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.reader.read_exact(&mut part)?;
        Ok(part)
    }
}

impl Iterator for Kept {
    type Item = io::Result<Bytecode>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let module = self.module();
        if module.is_err() {
            self.left = 0;
        }
        Some(module)
    }
}

/// The bytecode of all wheels of a layer, sorted by path. Where two own one module the later's stands, as its
/// source does.
#[derive(Debug)]
pub(crate) struct Merged(Vec<Peekable<Kept>>);

impl Merged {
    pub(crate) fn new(wheels: impl IntoIterator<Item = Kept>) -> Self {
        Self(wheels.into_iter().map(Iterator::peekable).collect())
    }
}

impl Iterator for Merged {
    type Item = io::Result<Bytecode>;

    fn next(&mut self) -> Option<Self::Item> {
        let failed = self.0.iter_mut().position(|wheel| matches!(wheel.peek(), Some(Err(_))));
        if let Some(failed) = failed {
            return self.0[failed].next();
        }
        let paths = self.0.iter_mut().filter_map(|wheel| Some(&wheel.peek()?.as_ref().ok()?.path));
        let first = paths.min()?.clone();
        let is_first = |module: &io::Result<Bytecode>| matches!(module, Ok(module) if module.path == first);
        self.0.iter_mut().filter_map(|wheel| wheel.next_if(is_first)).last()
    }
}

#[cfg(test)]
mod tests {
    use imagewright_store::Store;

    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn modules_come_sorted_and_the_later_wheels_stand() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), 0).unwrap();
        let kept = |modules: &[(&str, &[u8])]| {
            let mut scratch = Scratch::new(&store).unwrap();
            for (path, content) in modules {
                scratch.add(&TreePath::new(path).unwrap(), content).unwrap();
            }
            Kept::new(store.blob(&scratch.keep(&store).unwrap()).unwrap().unwrap())
        };
        let wheels = [kept(&[("c", b"1"), ("a", b"1")]), kept(&[]), kept(&[("b", b""), ("c", b"3")])];
        let merged: Vec<(String, Vec<u8>)> = Merged::new(wheels)
            .map(Result::unwrap)
            .map(|module| (module.path.to_string(), module.content))
            .collect();
        let expected: [(&str, &[u8]); 3] = [("a", b"1"), ("b", b""), ("c", b"3")];
        assert_eq!(merged, expected.map(|(path, content)| (path.to_owned(), content.to_vec())));
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_ends_the_layer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), 0).unwrap();
        let whole = [&[0, 0, 0, 1], &b"a"[..], &[0, 0, 0, 2], b"xy"].concat();
        for length in 1..whole.len() {
            let blob = store.put_blob(&whole[..length]).unwrap();
            let mut merged = Merged::new([Kept::new(store.blob(&blob).unwrap().unwrap())]);
            assert!(merged.next().unwrap().is_err(), "{length}");
            assert!(merged.next().is_none(), "{length}");
        }
    }
}
