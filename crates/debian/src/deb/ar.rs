use std::io::{self, Read};

use super::DebProblem;

const MAGIC: &[u8; 8] = b"!<arch>\n";

/// An `ar` archive that is read from front to back.
pub(super) struct Archive<R> {
    reader: R,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(mut reader: R) -> Result<Self, DebProblem> {
        let mut magic = [0; 8];
        reader.read_exact(&mut magic)?;
        if &magic == MAGIC { Ok(Self { reader }) } else { Err(DebProblem::Archive) }
    }

    /// Reads the next member, whose name must begin with `expected`; members that begin with `_` are skipped.
    pub(super) fn member<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&str, &mut dyn Read) -> Result<T, DebProblem>,
    ) -> Result<T, DebProblem> {
        loop {
            let (name, size) = self.header()?;
            let mut content = (&mut self.reader).take(size);
            if name.starts_with('_') {
                finish(&mut content, size)?;
                continue;
            }
            if !name.starts_with(expected) {
                return Err(DebProblem::Member { expected, found: name });
            }
            let value = read(&name, &mut content)?;
            finish(&mut content, size)?;
            return Ok(value);
        }
    }

    /// Sixty bytes: name 16, time 12, owner 6, group 6, mode 8, size 10, and an end mark.
    fn header(&mut self) -> Result<(String, u64), DebProblem> {
        let mut header = [0; 60];
        self.reader.read_exact(&mut header)?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(|text| text.trim_end().to_owned());
        match (text(&header[..16]), text(&header[48..58]).map(|size| size.parse()), &header[58..]) {
            (Ok(name), Ok(Ok(size)), b"`\n") => Ok((name.trim_end_matches('/').to_owned(), size)),
            _ => Err(DebProblem::Archive),
        }
    }
}

/// Reads to the end of a member and the byte that pads it to an even size.
fn finish<R: Read>(content: &mut io::Take<&mut R>, size: u64) -> Result<(), DebProblem> {
    io::copy(content, &mut io::sink())?;
    if content.limit() > 0 {
        return Err(DebProblem::Read(io::ErrorKind::UnexpectedEof.into()));
    }
    // The last member of a file may come without its padding.
    io::copy(&mut content.get_mut().take(size % 2), &mut io::sink())?;
    Ok(())
}
