//! Makes a layer of wheels and says how long each part took: `splice OUT WHEEL...`.
#![expect(clippy::print_stdout, reason = "it is a program that prints")]

use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use imagewright_layer::{EncodeOptions, InstallScheme, ReadAt, Segment, Wheel, splice_wheels};
use imagewright_oci::{Digest, HashingReader};
use imagewright_pypa::PythonMinor;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: splice OUT WHEEL...")?;
    let scheme = InstallScheme::virtual_environment("/opt/venv", PythonMinor(11))?;
    let mut wheels = Vec::new();
    for path in arguments {
        let (artifact, source) = open(&path)?;
        let started = Instant::now();
        let name = Path::new(&path).file_name().and_then(|name| name.to_str()).ok_or("no file name")?;
        wheels.push(Wheel::open(artifact, source, &name.parse()?)?.install(&scheme)?);
        println!("{:8.3} s  read {name}", started.elapsed().as_secs_f64());
    }
    let side = format!("{out}.inline");
    let options = EncodeOptions {
        epoch: 315_532_800,
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let started = Instant::now();
    let mut inline = io::BufWriter::new(fs_err::File::create(&side)?);
    let layer = splice_wheels(&wheels, [], &options, &mut inline)?;
    println!(
        "{:8.3} s  digest {} of {} bytes",
        started.elapsed().as_secs_f64(),
        layer.digest(),
        layer.size()
    );
    let started = Instant::now();
    let inline = fs_err::File::open(&side)?;
    let layer = layer.verify(&inline, &wheels)?;
    let ranges = layer.segments.iter().filter(|segment| matches!(segment, Segment::Artifact { .. })).count();
    println!(
        "{:8.3} s  diff id {} of {} bytes; {ranges} ranges, {} bytes inline",
        started.elapsed().as_secs_f64(),
        layer.diff_id,
        layer.uncompressed_size,
        inline.size()?
    );
    let mut blob = io::BufWriter::new(fs_err::File::create(&out)?);
    for segment in &layer.segments {
        let (source, offset): (&dyn ReadAt, u64) = match segment {
            Segment::Inline { offset, .. } => (&inline, *offset),
            Segment::Artifact { artifact, offset, .. } => {
                let wheel = wheels.iter().find(|wheel| wheel.wheel().artifact() == *artifact);
                (wheel.ok_or("a range of no wheel")?.wheel().source(), *offset)
            }
        };
        let mut rest = segment.length();
        let mut bytes = vec![0; 1 << 20];
        while rest > 0 {
            let count = usize::try_from(rest)?.min(bytes.len());
            source.read_exact_at(&mut bytes[..count], offset + segment.length() - rest)?;
            blob.write_all(&bytes[..count])?;
            rest -= count as u64;
        }
    }
    Ok(blob.flush()?)
}

fn open(path: &str) -> Result<(Digest, Arc<dyn ReadAt>), Box<dyn Error>> {
    let mut reader = HashingReader::new(fs_err::File::open(path)?);
    io::copy(&mut reader, &mut io::sink())?;
    Ok((reader.finish().0, Arc::new(fs_err::File::open(path)?)))
}
