/// A distribution whose wheel has at least this many bytes has a layer of its own.
///
/// Design D2 says 1 MiB. A bucket is sent whole when one distribution in it is new, and half-megabyte wheels such
/// as narwhals or joblib made that three times the bytes of what was new; at 256 KiB a bucket stays small.
pub const LEAST_THRESHOLD: u64 = 256 << 10;
/// Into how many layers the smaller distributions go.
pub const BUCKETS: u64 = 16;
/// The most layers an image may have with its base; engines stop at 127.
pub const MOST_LAYERS: usize = 100;
/// How many copies may have layers of their own; more than that are all in one.
pub const MOST_COPY_LAYERS: usize = 16;

/// How many layers there are of as many copies.
pub fn copy_layers(copies: usize) -> usize {
    if copies > MOST_COPY_LAYERS { 1 } else { copies }
}

/// The least threshold, doubled until the image has at most [`MOST_LAYERS`] layers.
///
/// `sizes` are those of the wheels in bytes, `others` is how many layers there are beside those of packages.
/// The threshold depends on sizes alone, never on ranks, so that another package moves none that is there.
pub fn threshold(sizes: &[u64], others: usize) -> u64 {
    let room = MOST_LAYERS.saturating_sub(others + usize::try_from(BUCKETS).expect("a small number"));
    let own_layers = |threshold: u64| sizes.iter().filter(|size| **size >= threshold).count();
    let mut threshold = LEAST_THRESHOLD;
    while own_layers(threshold) > room && threshold < u64::MAX / 2 {
        threshold *= 2;
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_until_it_fits() {
        let mib = |count: u64| count << 20;
        assert_eq!(threshold(&[mib(1), mib(800), 10], 5), LEAST_THRESHOLD);
        let many: Vec<u64> = (0..200).map(mib).collect();
        assert_eq!(threshold(&many, 5), mib(128));
        assert_eq!(threshold(&many[..81], 4), LEAST_THRESHOLD);
        assert_eq!(threshold(&many[..82], 4), mib(2));
        assert!(threshold(&many, 100) > mib(199));
    }
}
