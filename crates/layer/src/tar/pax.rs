/// The name in the ustar block of a PAX header, as Python's tarfile writes it.
pub(super) const HEADER_NAME: &[u8] = b"././@PaxHeader";

/// Appends `<length> <key>=<value>\n`, where the length counts itself.
pub(super) fn record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    // The digits of the length lengthen it; a second round settles it.
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_itself() {
        for value_length in 0..2000 {
            let mut out = Vec::new();
            record(&mut out, "path", &vec![b'x'; value_length]);
            let stated = std::str::from_utf8(&out).unwrap().split(' ').next().unwrap();
            assert_eq!(stated.parse::<usize>().unwrap(), out.len());
        }
    }
}
