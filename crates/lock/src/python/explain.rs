//! A failed resolution in words that lead back to what the user wrote.

use std::collections::BTreeSet;

use imagewright_pypa::{PackageName, TargetPython};

use super::error::Finding;
use super::{Lacking, PythonError, Requirement, misnomer};

/// Lines of uv that advise options of uv, which the user did not set and cannot set.
const FOREIGN_ADVICE: [&str; 2] =
    ["hint: Wheels are required for", "hint: Consider enabling use of system TLS"];

/// Marks of a failure to reach an index, as opposed to a failure to find a solution there.
const NETWORK_MARKS: [&str; 7] = [
    "Failed to fetch",
    "Request failed after",
    "error sending request",
    UNAUTHORIZED,
    FORBIDDEN,
    PROXY_PASSWORD,
    "Failed to download",
];
/// Marks of what uv did not find in its cache when it may not ask anybody.
const OFFLINE_MARKS: [&str; 2] = ["the network was disabled", "Network connectivity is disabled"];
/// Marks of a wheel that uv has and cannot use, whether it is a file of this machine or was fetched.
const DAMAGE_MARKS: [&str; 4] = [
    "Failed to extract archive",
    "Failed to read metadata",
    "The wheel is invalid",
    "Package metadata name `",
];
/// Marks of an archive that is not whole because the connection broke.
const TRANSFER_MARKS: [&str; 3] = [
    "I/O operation failed during extraction",
    "error decoding response body",
    "request or response body error",
];
/// Marks of a disk that is full, a quota that is used up, a file system that is read-only.
const DISK_MARKS: [&str; 3] = ["(os error 28)", "(os error 122)", "(os error 30)"];
const UNAUTHORIZED: &str = "401 Unauthorized";
const FORBIDDEN: &str = "403 Forbidden";
const PROXY_PASSWORD: &str = "407 Proxy";

/// The kind of failure that uv describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Malformed,
    Disk,
    Offline,
    Damaged,
    Network,
    NoSolution,
    Other,
}

pub(super) fn classify(explanation: &str) -> Failure {
    let has = |marks: &[&str]| marks.iter().any(|mark| explanation.contains(mark));
    if explanation.trim_end().ends_with("try '--help'.") {
        // uv could not begin: what it says quotes the values of options, which may hold any other mark.
        Failure::Other
    } else if has(&DISK_MARKS) {
        Failure::Disk
    } else if has(&OFFLINE_MARKS) {
        Failure::Offline
    } else if has(&DAMAGE_MARKS) && !has(&TRANSFER_MARKS) {
        Failure::Damaged
    } else if has(&NETWORK_MARKS) {
        Failure::Network
    } else if has(&["No solution found", "unsatisfiable"]) {
        Failure::NoSolution
    } else if has(&["requirements.in", "constraints.txt", "overrides.txt", "parse requirement"]) {
        Failure::Malformed
    } else {
        Failure::Other
    }
}

/// Whether an index, or what is before it, refuses because of who asks.
pub(super) fn is_about_passwords(explanation: &str) -> bool {
    [UNAUTHORIZED, FORBIDDEN, PROXY_PASSWORD].iter().any(|mark| explanation.contains(mark))
}

/// What uv says of an option, without the advice to ask uv for help.
pub(super) fn usage(explanation: &str) -> String {
    let is_advice = |line: &&str| line.starts_with("For more information") || line.starts_with("Usage: ");
    let lines: Vec<&str> = explanation.lines().filter(|line| !is_advice(line)).collect();
    lines.join("\n").trim().trim_start_matches("error: ").to_owned()
}

/// uv's words without advice that cannot be followed here.
pub(super) fn tidy(explanation: &str) -> String {
    let lines = explanation
        .lines()
        .filter(|line| !FOREIGN_ADVICE.iter().any(|start| line.trim_start().starts_with(start)));
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").trim().replace("\n\n\n", "\n\n")
}

/// The requirements whose distribution the explanation names.
pub(super) fn involved(explanation: &str, requirements: &[Requirement]) -> Vec<Requirement> {
    let words = words(explanation);
    let is_named = |requirement: &&Requirement| requirement.name().is_some_and(|name| words.contains(&name));
    requirements.iter().filter(is_named).cloned().collect()
}

/// Whether the explanation is about a distribution.
pub(super) fn names(explanation: &str, name: &PackageName) -> bool {
    words(explanation).contains(name)
}

/// Distributions that the explanation says have no wheel that could be used.
pub(super) fn without_wheels(explanation: &str, involved: &[Requirement]) -> Vec<Requirement> {
    let sentences: Vec<&str> = explanation.split(['.', ',']).filter(|it| it.contains("wheel")).collect();
    let about = words(&explanation.lines().filter(|line| line.contains("wheel")).collect::<String>());
    let is_about = |requirement: &&Requirement| requirement.name().is_some_and(|name| about.contains(&name));
    if sentences.is_empty() { Vec::new() } else { involved.iter().filter(is_about).cloned().collect() }
}

/// What can be said without asking further.
pub(super) fn findings(explanation: &str, involved: &[Requirement]) -> Vec<Finding> {
    const NOT_FOUND: &str = " was not found in the";
    let is_missing = explanation.contains(NOT_FOUND) || explanation.contains("no usable wheels");
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for name in involved.iter().filter_map(Requirement::name) {
        if let Some(meant) = misnomer::meant(&name).filter(|_| is_missing) {
            findings.push(Finding::Misnomer { name, meant });
        } else if !seen.insert(name.clone()) {
            findings.push(Finding::Repeated { name });
        }
    }
    let missing = before(explanation, NOT_FOUND).filter_map(|it| it.parse::<PackageName>().ok());
    let missing: BTreeSet<_> = missing.filter(|name| misnomer::meant(name).is_none()).collect();
    findings.extend(missing.into_iter().map(|name| Finding::NotFound { name }));
    findings
}

/// The words that stand before a text, each time that it is there.
fn before<'a>(explanation: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    explanation.match_indices(text).filter_map(|(at, _)| explanation[..at].split_whitespace().next_back())
}

/// A file for uv: its name, its text, and what the user wrote of each line.
pub(super) type Listed<'a> = (&'static str, String, &'a [Requirement]);

/// The requirement that uv could not read: it names the file and the position in it.
pub(super) fn malformed(explanation: &str, files: &[Listed<'_>]) -> PythonError {
    let named = files.iter().find(|(name, ..)| explanation.contains(name));
    let requirement = named.and_then(|(name, text, requirements)| {
        let number_behind = |mark: &str| explanation.split(mark).nth(1).and_then(number);
        let by_line = number_behind(&format!("{name}:")).and_then(|line| line.checked_sub(1));
        let by_offset = || {
            let offset = number_behind("at position ")?;
            Some(text.bytes().take(offset).filter(|byte| *byte == b'\n').count())
        };
        requirements.get(by_line.or_else(by_offset)?).cloned()
    });
    // The file is ours and temporary: its name helps only where the line was not found.
    let is_known = |line: &&str| requirement.is_some() && files.iter().any(|(name, ..)| line.contains(name));
    let lines = explanation.lines().filter(|line| !is_known(line));
    let explanation = tidy(&lines.collect::<Vec<_>>().join("\n"));
    PythonError::Malformed { requirement, explanation }
}

fn number(text: &str) -> Option<usize> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

pub(super) fn unresolvable(
    explanation: &str,
    involved: Vec<Requirement>,
    findings: Vec<Finding>,
    target: &TargetPython,
    lacking: Vec<Lacking>,
) -> PythonError {
    PythonError::Unresolvable {
        lacking,
        target: Box::new(target.clone()),
        explanation: tidy(explanation),
        involved,
        findings,
    }
}

fn words(text: &str) -> BTreeSet<PackageName> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.split(|c| !is_part(c)).filter_map(|word| word.trim_matches('.').parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_malformed_line() {
        let requirements: Vec<Requirement> =
            ["numpy", "a==1x", "b"].map(|text| Requirement::of_field(text, "packages")).into();
        let file = "numpy\na==1x\nb\n";
        for explanation in [
            "error: Couldn't parse requirement in `requirements.in` at position 6",
            "error: Unexpected '-', expected: requirements.in:2:1",
        ] {
            let error = malformed(explanation, &[("requirements.in", file.to_owned(), &requirements)]);
            assert!(
                matches!(&error, PythonError::Malformed { requirement: Some(it), .. } if it.to_string() == "a==1x"),
                "{error}"
            );
        }
    }

    #[test]
    fn finds_a_malformed_first_line() {
        let requirements = [Requirement::of_field("numpy=>2", "packages[0]")];
        let explanation = "error: Couldn't parse requirement in `requirements.in` at position 0";
        let files = [("requirements.in", "numpy=>2\n".to_owned(), &requirements[..])];
        let error = malformed(explanation, &files).to_string();
        assert!(error.starts_with("`numpy=>2` in `packages[0]` is not well-formed"), "{error}");
    }

    #[test]
    fn tells_the_disk_from_the_index_and_the_wheel() {
        for (explanation, expected) in [
            (
                "error: Failed to write to the client cache\n  cause: No space left on device (os error 28)",
                Failure::Disk,
            ),
            (
                "error: Failed to download `a @ http://h/a.whl`\n  cause: Failed to extract archive: a.whl\n  \
                 cause: I/O operation failed during extraction\n  cause: Read-only file system (os error 30)",
                Failure::Disk,
            ),
            (
                "error: Failed to download `a @ http://h/a.whl`\n  cause: Failed to extract archive: a.whl\n  \
                 cause: I/O operation failed during extraction\n  cause: error decoding response body",
                Failure::Network,
            ),
            (
                "error: Failed to download `a @ http://h/a.whl`\n  cause: Failed to extract archive: a.whl\n  \
                 cause: Bad CRC (got 1, expected 2) for file: a.py",
                Failure::Damaged,
            ),
            ("error: Package metadata name `b` does not match given name `a`", Failure::Damaged),
        ] {
            assert_eq!(classify(explanation), expected, "{explanation}");
        }
    }

    #[test]
    fn names_what_was_written() {
        let requirements: Vec<Requirement> = ["scikit_learn>=1", "numpy==1.0", "pandas"]
            .map(|text| Requirement::of_field(text, "packages"))
            .into();
        let explanation = "Because there is no version of numpy==1.0 and scikit-learn>=1 needs it.";
        let texts: Vec<String> =
            involved(explanation, &requirements).into_iter().map(|it| it.to_string()).collect();
        assert_eq!(texts, ["scikit_learn>=1", "numpy==1.0"]);
    }
}
