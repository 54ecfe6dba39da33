//! `cargo xtask lint`: what is checked without running anything of the project.

use anyhow::{Result, bail};

use crate::process::{self, cargo, find, step};
use crate::tidy;

/// Runs every check, also after one has failed, so that one run shows all there is to mend.
pub(crate) fn run() -> Result<()> {
    let results = [
        step("formatting", || process::run(cargo().args(["fmt", "--all", "--check"]))),
        step("clippy", || {
            process::run(cargo().args([
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))
        }),
        step("documentation", || {
            process::run(
                cargo()
                    .args(["doc", "--quiet", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        }),
        dependencies(),
        step("tidy", tidy::run),
    ];
    let failed = results.iter().filter_map(|result| result.as_ref().err()).collect::<Vec<_>>();
    for error in &failed {
        eprintln!("lint: {error:#}");
    }
    if !failed.is_empty() {
        bail!("{} of {} checks failed", failed.len(), results.len());
    }
    Ok(())
}

fn dependencies() -> Result<()> {
    if find("cargo-deny").is_none() {
        eprintln!("==> dependencies: skipped: cargo-deny is not installed");
        return Ok(());
    }
    step("dependencies", || process::run(cargo().args(["deny", "--log-level", "error", "check"])))
}
