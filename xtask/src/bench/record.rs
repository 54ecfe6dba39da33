use std::path::Path;

use anyhow::{Context, Result};

use super::job::Job;
use super::sample::{Sample, Side};

/// The table of a job, under its heading.
pub(super) fn section(job: Job, sides: &[Side]) -> String {
    let head = format!(
        "## `cargo xtask bench {job}`\n\n{}\n\n\
         | builder | median | runs | stored in the registry | requests | highest resident size |\n\
         |---|---|---|---|---|---|\n",
        job.sentence()
    );
    let rows: String = sides.iter().map(row).collect();
    let ratio = match sides {
        [ours, theirs] if job.is_compared() => {
            let ratio = median(&theirs.samples) / median(&ours.samples);
            format!("\n{} takes {ratio:.1} times as long.\n", theirs.builder)
        }
        [together, other] if !job.ten().is_empty() => {
            let ratio = median(&together.samples) / median(&other.samples);
            let (least, most) = spread(&together.samples, &other.samples);
            format!("\nAll ten at once take {ratio:.2} times as long; run by run, {least:.2} to {most:.2}.\n")
        }
        _ => String::new(),
    };
    head + &rows + &ratio
}

fn row(Side { builder, samples }: &Side) -> String {
    let runs: Vec<String> = samples.iter().map(|sample| format!("{:.3}", sample.seconds)).collect();
    let greatest = |of: fn(&Sample) -> Option<u64>| samples.iter().filter_map(of).max();
    let stored = greatest(|sample| Some(sample.stored)).map(megabytes).unwrap_or_default();
    let requests = greatest(|sample| sample.requests).map(|count| count.to_string()).unwrap_or_default();
    let resident = greatest(|sample| sample.resident).map(megabytes).unwrap_or_default();
    format!(
        "| {builder} | {:.3} s | {} | {stored} | {requests} | {resident} |\n",
        median(samples),
        runs.join(", ")
    )
}

/// Puts the section of a job where an earlier one of it stands, else at the end.
pub(super) fn replace(path: &Path, job: Job, section: &str) -> Result<()> {
    let text = fs_err::read_to_string(path)?;
    let (start, end) = (format!("<!-- {job} -->\n"), format!("<!-- end of {job} -->\n"));
    let (before, rest) = text.split_once(&start).with_context(|| format!("no place for {job}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no end of {job}"))?;
    Ok(fs_err::write(path, format!("{before}{start}{section}{end}{after}"))?)
}

fn median(samples: &[Sample]) -> f64 {
    let mut seconds: Vec<f64> = samples.iter().map(|sample| sample.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    if seconds.len() % 2 == 1 { seconds[middle] } else { f64::midpoint(seconds[middle - 1], seconds[middle]) }
}

/// The least and the greatest ratio of runs that took turns.
fn spread(samples: &[Sample], others: &[Sample]) -> (f64, f64) {
    let ratios = samples.iter().zip(others).map(|(one, other)| one.seconds / other.seconds);
    ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| (ratio.min(least), ratio.max(most)))
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("measurements.md");
        fs_err::write(&path, "head\n<!-- cold -->\nold\n<!-- end of cold -->\ntail\n").unwrap();
        replace(&path, Job::Cold, "new\n").unwrap();
        assert_eq!(
            fs_err::read_to_string(&path).unwrap(),
            "head\n<!-- cold -->\nnew\n<!-- end of cold -->\ntail\n"
        );
        assert!(replace(&path, Job::Torch, "new\n").is_err());
    }

    #[test]
    fn each_run_has_its_own_ratio() {
        let samples = [3.0, 1.0].map(|seconds| Sample { seconds, ..Sample::default() });
        let others = [4.0, 2.0].map(|seconds| Sample { seconds, ..Sample::default() });
        assert_eq!(spread(&samples, &others), (0.5, 0.75));
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let samples = [3.0, 1.0, 2.0, 10.0].map(|seconds| Sample { seconds, ..Sample::default() });
        assert!((median(&samples) - 2.5).abs() < 1e-9);
    }
}
