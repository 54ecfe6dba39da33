//! The `platform` field.

use imagewright_oci::Platform;

use crate::{HostArchitecture, ProblemKind};

/// flytekit's default: ARM only when an ARM machine pushes to its own registry.
pub(crate) fn default(registry: Option<&str>, host: HostArchitecture) -> &'static str {
    let local = registry.is_some_and(|registry| registry.starts_with("localhost:"));
    if local && host == HostArchitecture::Arm64 { "linux/arm64" } else { "linux/amd64" }
}

/// The platforms of a list with commas.
pub(crate) fn parse_list(text: &str) -> Result<Vec<Platform>, ProblemKind> {
    let mut platforms = Vec::new();
    for part in text.split(',').map(str::trim) {
        let platform = parse(part)?;
        if platforms.contains(&platform) {
            return Err(ProblemKind::RepeatedPlatform { platform: part.to_owned() });
        }
        platforms.push(platform);
    }
    Ok(platforms)
}

fn parse(text: &str) -> Result<Platform, ProblemKind> {
    let platform: Platform = text.parse().map_err(|source| ProblemKind::Platform { source })?;
    let architecture = match platform.architecture.as_str() {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let reason = match (platform.os.as_str(), architecture) {
        ("linux", "amd64" | "arm64" | "arm" | "386" | "ppc64le" | "s390x" | "riscv64") => {
            return Ok(Platform { architecture: architecture.to_owned(), ..platform });
        }
        ("linux", _) => "no Linux programs are made for this processor",
        ("darwin" | "macos", _) => "an image holds Linux programs, and macOS has no containers",
        ("windows", _) => "an image of ours holds Linux programs, which a Windows container cannot run",
        _ => "an image holds Linux programs",
    };
    Err(ProblemKind::ImpossiblePlatform { platform: text.to_owned(), reason })
}
