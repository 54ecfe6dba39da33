use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use flate2::GzHeader;
use flate2::bufread::GzDecoder;

/// The content of a gzip file, member by member; CRC and size of each are checked on the way.
#[derive(Debug)]
pub(super) struct Members<R> {
    /// None behind the last.
    current: Option<GzDecoder<R>>,
    problems: BTreeSet<&'static str>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(input: R) -> Self {
        Self { current: Some(GzDecoder::new(input)), problems: BTreeSet::new() }
    }

    /// What members said that depends on who made them, or when.
    pub(super) fn problems(&self) -> impl Iterator<Item = &'static str> {
        self.problems.iter().copied()
    }

    fn look_at(&mut self, header: Option<&GzHeader>) {
        let Some(header) = header else { return };
        let habits = [
            (header.mtime() != 0, "a time"),
            (header.filename().is_some(), "a name"),
            (header.extra().is_some(), "an extra field"),
            (header.comment().is_some(), "a comment"),
            (header.operating_system() != 255, "an operating system"),
        ];
        self.problems.extend(habits.iter().filter(|(has, _)| *has).map(|(_, what)| what));
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.current.take() {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.current = Some(member);
                return Ok(count);
            }
            self.look_at(member.header());
            let mut rest = member.into_inner();
            if !rest.fill_buf()?.is_empty() {
                self.current = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}
