//! `cache`: what the store takes, what of it can go, and whether it is sound.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Subcommand};
use imagewright_sandbox::{Mode, Sandbox};
use imagewright_store::{CheckReport, Depth, PrunePolicy, PruneReport, Store, Tally, Usage};
use serde_json::{Value, json};
use thiserror::Error;

use super::print;
use crate::environment::Environment;
use crate::failure::{Failure, NO};
use crate::progress::bytes;
use crate::session;
use crate::session::HELPER;

/// Look at the store, make room in it, check it.
#[derive(Debug, Args)]
pub(crate) struct CacheArguments {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Say what takes how much room.
    Du {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    Prune(PruneArguments),
    Check(CheckArguments),
}

/// Remove what belongs to nothing any more, and what the options name. What is removed is made or fetched again when
/// it is needed.
#[derive(Debug, Args)]
struct PruneArguments {
    /// Remove everything, also the programs that imagewright installed for itself.
    #[arg(long, conflicts_with_all = ["max_size", "older_than"])]
    all: bool,
    /// Remove what was used longest ago, until the rest takes at most this: `20GB`, `500MiB`.
    #[arg(long, value_name = "SIZE")]
    max_size: Option<Size>,
    /// Remove what was not used for this long: `30d`, `12h`, `2w`.
    #[arg(long, value_name = "AGE")]
    older_than: Option<Age>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Check that everything the store knows of is there and as long as it was; with `--deep`, also that no byte of it
/// changed. Exit code 1 when something is wrong.
#[derive(Debug, Args)]
struct CheckArguments {
    /// Read every byte and compare digests, not only lengths.
    #[arg(long)]
    deep: bool,
    /// Forget and remove what is wrong; it is made or fetched again when it is needed.
    #[arg(long)]
    repair: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(u64);

/// A number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age(u64);

/// An amount that cannot be read.
#[derive(Debug, PartialEq, Eq, Error)]
enum AmountError {
    #[error("it is no size such as 20GB, 500MiB or 1000000")]
    Size,
    #[error("it is no age such as 30d, 12h or 2w")]
    Age,
}

impl FromStr for Size {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let unit = |unit: &str| match unit.to_ascii_lowercase().as_str() {
            "" | "b" => Some(1),
            "k" | "kb" => Some(1_000),
            "m" | "mb" => Some(1_000_000),
            "g" | "gb" => Some(1_000_000_000),
            "t" | "tb" => Some(1_000_000_000_000),
            "kib" => Some(1 << 10),
            "mib" => Some(1 << 20),
            "gib" => Some(1 << 30),
            "tib" => Some(1 << 40),
            _ => None,
        };
        amount(text, unit).map(Self).ok_or(AmountError::Size)
    }
}

impl FromStr for Age {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        const HOUR: u64 = 60 * 60;
        let unit = |unit: &str| match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(HOUR),
            "d" => Some(24 * HOUR),
            "w" => Some(7 * 24 * HOUR),
            _ => None,
        };
        amount(text, unit).map(Self).ok_or(AmountError::Age)
    }
}

/// A whole number and its unit.
fn amount(text: &str, unit: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    number.parse::<u64>().ok()?.checked_mul(unit(rest.trim_start())?)
}

pub(crate) fn run(environment: &Environment, arguments: &CacheArguments) -> Result<ExitCode, Failure> {
    let store = session::store(environment)?;
    match &arguments.command {
        CacheCommand::Du { json } => du(&store, *json),
        CacheCommand::Prune(arguments) => prune(&store, arguments),
        CacheCommand::Check(arguments) => check(&store, arguments),
    }
}

fn du(store: &Store, as_json: bool) -> Result<ExitCode, Failure> {
    let usage = store.usage()?;
    let Usage { artifacts, blobs, roots, tools, caches, index, garbage } = usage;
    let rows = [
        ("artifacts", artifacts),
        ("blobs", blobs),
        ("roots", roots),
        ("tools", tools),
        ("caches", caches),
        ("index", Tally { count: 1, bytes: index }),
        ("garbage", garbage),
    ];
    if as_json {
        let mut object = tallies(&rows);
        object["total"] = json!(usage.total());
        object["directory"] = json!(store.directory());
        print(object)?;
    } else {
        print(format!("{}\n{}", store.directory().display(), table(&rows, usage.total())))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn prune(store: &Store, arguments: &PruneArguments) -> Result<ExitCode, Failure> {
    let policy = PrunePolicy {
        max_bytes: arguments.max_size.map(|size| size.0),
        older_than: arguments.older_than.map(|age| age.0),
        all: arguments.all,
    };
    let report = store.prune(&policy)?;
    let total = report.total();
    let PruneReport { artifacts, blobs, roots, tools, caches, garbage, left_behind } = report;
    let left_behind = without_foreign_files(store, left_behind)?;
    let rows = [
        ("artifacts", artifacts),
        ("blobs", blobs),
        ("roots", roots),
        ("tools", tools),
        ("caches", caches),
        ("garbage", garbage),
    ];
    if arguments.json {
        let mut object = tallies(&rows);
        object["total"] = json!(total);
        object["left_behind"] = json!(left_behind);
        print(object)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(table(&rows, total))?;
    for path in left_behind {
        print(format!("could not be removed: {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes what has files of subordinate ids in it, as `run` unpacks them; gives back what stays nevertheless.
fn without_foreign_files(store: &Store, left_behind: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    if left_behind.is_empty() {
        return Ok(left_behind);
    }
    let scratch = store.scratch_directory()?;
    let sandbox = Sandbox::forced(Mode::SubordinateIds, Path::new(HELPER), scratch.path());
    let Ok(sandbox) = sandbox else { return Ok(left_behind) };
    Ok(left_behind.into_iter().filter(|path| sandbox.remove(path).is_err()).collect())
}

fn check(store: &Store, arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let depth = if arguments.deep { Depth::Digests } else { Depth::Lengths };
    let report = store.check(depth)?;
    let is_clean = report.is_clean();
    if arguments.repair && !is_clean {
        store.repair(&report)?;
    }
    let is_repaired = arguments.repair && !is_clean;
    if arguments.json {
        print(check_json(&report, is_repaired))?;
    } else {
        print(check_text(&report, depth, is_repaired))?;
    }
    Ok(if is_clean || is_repaired { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

fn check_json(report: &CheckReport, is_repaired: bool) -> Value {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let mut object = tallies(&[("artifacts", report.artifacts), ("blobs", report.blobs)]);
    object["roots"] = json!(report.roots);
    object["layers"] = json!(report.layers);
    object["garbage"] = json!(report.garbage);
    object["findings"] = json!(findings);
    object["repaired"] = json!(is_repaired);
    object
}

fn check_text(report: &CheckReport, depth: Depth, is_repaired: bool) -> String {
    let CheckReport { findings, artifacts, blobs, roots, layers, garbage, .. } = report;
    let mut lines = vec![format!(
        "{} artifacts ({}), {} blobs ({}), {roots} roots, {layers} layers",
        artifacts.count,
        bytes(artifacts.bytes),
        blobs.count,
        bytes(blobs.bytes),
    )];
    if !garbage.is_empty() {
        lines.push(format!("{} files belong to nothing; `cache prune` removes them", garbage.len()));
    }
    lines.extend(findings.iter().map(ToString::to_string));
    // A repair removes what its own check finds: it has to look as deep as this one.
    let (sound, option) = match depth {
        Depth::Lengths => ("nothing is missing; `--deep` reads every byte", ""),
        Depth::Digests => ("nothing is wrong", " --deep"),
    };
    lines.push(match (findings.len(), is_repaired) {
        (0, _) => sound.to_owned(),
        (count, true) => {
            format!("{count} findings; what was wrong is removed, and made again when it is needed")
        }
        (count, false) => format!("{count} findings; `cache check{option} --repair` removes what is wrong"),
    });
    lines.join("\n")
}

fn tallies(rows: &[(&str, Tally)]) -> Value {
    let entry = |(name, tally): &(&str, Tally)| {
        ((*name).to_owned(), json!({ "count": tally.count, "bytes": tally.bytes }))
    };
    Value::Object(rows.iter().map(entry).collect())
}

fn table(rows: &[(&str, Tally)], total: u64) -> String {
    let row =
        |(name, tally): &(&str, Tally)| format!("{name:<10} {:>7}  {:>9}\n", tally.count, bytes(tally.bytes));
    let rows: String = rows.iter().map(row).collect();
    format!("{rows}{:<10} {:>7}  {:>9}", "total", "", bytes(total))
}

#[cfg(test)]
mod tests {
    use imagewright_store::Finding;

    use super::*;

    #[test]
    fn amounts_have_units() {
        for (text, expected) in [
            ("1000", Ok(Size(1000))),
            ("20GB", Ok(Size(20_000_000_000))),
            ("2 GiB", Ok(Size(2 << 30))),
            ("1k", Ok(Size(1000))),
            ("GB", Err(AmountError::Size)),
            ("-1GB", Err(AmountError::Size)),
            ("1.5GB", Err(AmountError::Size)),
            ("99999999999TB", Err(AmountError::Size)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        assert_eq!("2w".parse(), Ok(Age(1_209_600)));
        assert_eq!("12h".parse(), Ok(Age(43_200)));
        assert_eq!("12".parse::<Age>(), Err(AmountError::Age));
    }

    #[test]
    fn a_repair_is_advised_that_finds_the_same() {
        let finding = Finding::Index { problem: "a page is lost".to_owned() };
        let mut report = CheckReport::default();
        report.findings.push(finding);
        let advice = |depth| check_text(&report, depth, false).lines().last().map(str::to_owned);
        let deep = "1 findings; `cache check --deep --repair` removes what is wrong";
        assert_eq!(advice(Depth::Digests).as_deref(), Some(deep));
        let shallow = "1 findings; `cache check --repair` removes what is wrong";
        assert_eq!(advice(Depth::Lengths).as_deref(), Some(shallow));
        let text = check_text(&CheckReport::default(), Depth::Lengths, false);
        assert!(text.ends_with("`--deep` reads every byte"), "{text}");
    }
}
