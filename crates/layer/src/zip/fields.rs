/// Takes little-endian numbers and byte runs off the front of a record.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2).and_then(|bytes| Some(u16::from_le_bytes(bytes.try_into().ok()?)))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes(4).and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes(8).and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

/// The content of the extra field with `id`, if the area is well formed up to it.
pub(super) fn extra(area: &[u8], id: u16) -> Option<&[u8]> {
    let mut fields = Fields(area);
    loop {
        let found = fields.u16()?;
        let size = fields.u16()?;
        let content = fields.bytes(usize::from(size))?;
        if found == id {
            return Some(content);
        }
    }
}
