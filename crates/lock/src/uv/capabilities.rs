use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use imagewright_pypa::{Libc, TargetPython, Version};
use serde::{Deserialize, Serialize};

use super::Invocation;
use super::UvError;

/// What a uv says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Its version.
    pub version: Version,
    /// What it takes as `--python-platform`.
    pub platforms: Vec<String>,
    /// The index it asks when none is configured.
    pub default_index: String,
}

/// The answer, kept beside the marks by which a replaced program is noticed.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    executable: PathBuf,
    modified_nanoseconds: u128,
    size: u64,
    capabilities: Capabilities,
}

/// Asking uv takes about 20 ms twice; it never has reason to take seconds.
const LIMIT: Duration = Duration::from_secs(30);

impl Capabilities {
    /// Asks the program, or recalls what it said when it has not changed since.
    ///
    /// # Errors
    /// The program cannot be started, or is not a uv that this version understands.
    pub(super) async fn of(executable: &Path, memory: &Path) -> Result<Self, UvError> {
        let not_started = |source| UvError::NotStarted { program: executable.to_owned(), source };
        let metadata = fs_err::metadata(executable).map_err(not_started)?;
        let modified = metadata.modified().map_err(not_started)?;
        let modified_nanoseconds = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let size = metadata.len();
        let remembered = fs_err::read(memory)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok())
            .filter(|it| {
                (it.executable.as_path(), it.modified_nanoseconds, it.size)
                    == (executable, modified_nanoseconds, size)
            });
        if let Some(remembered) = remembered {
            return Ok(remembered.capabilities);
        }
        let capabilities = ask(executable).await?;
        let answer = Remembered {
            executable: executable.to_owned(),
            modified_nanoseconds,
            size,
            capabilities: capabilities.clone(),
        };
        remember(memory, &answer)?;
        Ok(capabilities)
    }

    fn parse(version: &str, help: &str) -> Option<Self> {
        let version = version.strip_prefix("uv ")?.split_whitespace().next()?.parse().ok()?;
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let platforms = words.split("--python-platform <PYTHON_PLATFORM>").nth(1)?;
        let platforms = platforms.split("[possible values: ").nth(1)?.split(']').next()?;
        let index = words.split("(by default: <").nth(1)?.split('>').next()?;
        Some(Self {
            version,
            platforms: platforms.split(", ").map(str::to_owned).collect(),
            default_index: index.to_owned(),
        })
    }

    /// The `--python-platform` for a target: of those whose wheels the target runs, the one that admits most.
    pub(crate) fn platform_for(&self, target: &TargetPython) -> Option<&str> {
        let machine = target.machine();
        match target.libc() {
            Libc::Glibc(major, minor) => {
                let level = |platform: &&String| {
                    let (wide, narrow) =
                        platform.strip_prefix(machine)?.strip_prefix("-manylinux_")?.split_once('_')?;
                    let level: (u32, u32) = (wide.parse().ok()?, narrow.parse().ok()?);
                    (level <= (major, minor)).then_some(level)
                };
                let levelled = self.platforms.iter().filter(|platform| level(platform).is_some());
                levelled.max_by_key(level).or_else(|| self.named(&format!("{machine}-unknown-linux")))
            }
            Libc::Musl(..) => self.named(&format!("{machine}-unknown-linux-musl")),
        }
        .map(String::as_str)
    }

    fn named(&self, name: &str) -> Option<&String> {
        self.platforms.iter().find(|platform| *platform == name)
    }
}

async fn ask(executable: &Path) -> Result<Capabilities, UvError> {
    let (version, help) = tokio::try_join!(
        output(executable, &["--version"]),
        output(executable, &["pip", "compile", "--help"])
    )?;
    Capabilities::parse(&version, &help).ok_or_else(|| UvError::NotUv {
        program: executable.to_owned(),
        answer: version.lines().next().unwrap_or_default().to_owned(),
    })
}

async fn output(executable: &Path, arguments: &[&str]) -> Result<String, UvError> {
    let variables = BTreeMap::from([("NO_COLOR".to_owned(), "1".to_owned())]);
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let finished =
        Invocation { program: executable, arguments, variables, directory: None, limit: LIMIT }.run().await?;
    if finished.status.success() {
        return Ok(finished.stdout);
    }
    let answer = finished.stderr.lines().next().unwrap_or_default().to_owned();
    Err(UvError::NotUv { program: executable.to_owned(), answer })
}

fn remember(memory: &Path, answer: &Remembered) -> Result<(), UvError> {
    let folder = memory.parent().expect("the memory is a file in the tools folder");
    let write = || {
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, answer)?;
        file.persist(memory).map_err(|error| error.error)
    };
    write().map(drop).map_err(|source| UvError::Folder { path: memory.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities() -> Capabilities {
        let help = "--python-platform <PYTHON_PLATFORM>
              The platform [possible values: windows, linux,
              x86_64-unknown-linux-gnu, x86_64-unknown-linux-musl, riscv64-unknown-linux, x86_64-manylinux2014,
              x86_64-manylinux_2_17, x86_64-manylinux_2_28, x86_64-manylinux_2_31, aarch64-manylinux_2_40]
          --default-index <DEFAULT_INDEX>
              The default package index (by default:
              <https://index.example/simple>) [env: UV_DEFAULT_INDEX]";
        Capabilities::parse("uv 0.13.8 (x86_64-unknown-linux-gnu)\n", help).unwrap()
    }

    #[test]
    fn reads_the_help() {
        let uv = capabilities();
        assert_eq!(uv.version.to_string(), "0.13.8");
        assert_eq!(uv.default_index, "https://index.example/simple");
        assert_eq!(uv.platforms.len(), 10);
        assert_eq!(Capabilities::parse("pip 26.0", ""), None);
    }

    #[test]
    fn admits_as_much_as_the_base_runs() {
        let uv = capabilities();
        for (platform, libc, expected) in [
            ("linux/amd64", Libc::Glibc(2, 36), Some("x86_64-manylinux_2_31")),
            ("linux/amd64", Libc::Glibc(2, 28), Some("x86_64-manylinux_2_28")),
            ("linux/amd64", Libc::Glibc(2, 12), None),
            ("linux/amd64", Libc::Musl(1, 2), Some("x86_64-unknown-linux-musl")),
            ("linux/arm64", Libc::Glibc(2, 41), Some("aarch64-manylinux_2_40")),
            ("linux/riscv64", Libc::Glibc(2, 41), Some("riscv64-unknown-linux")),
            ("linux/s390x", Libc::Glibc(2, 41), None),
        ] {
            let target = TargetPython::new(3, 11, platform.parse().unwrap(), libc).unwrap();
            assert_eq!(uv.platform_for(&target), expected, "{platform} {libc:?}");
        }
    }
}
