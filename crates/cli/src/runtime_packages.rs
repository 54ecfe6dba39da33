//! `runtime_packages`: what is installed when a container starts, as flytekit's entry point does it.

use imagewright_build::connections;
use imagewright_lock::uv::Host;
use imagewright_sandbox::{Network, RunRequest};
use imagewright_spec::ImageSpec;
use serde_json::json;

use crate::failure::Failure;

/// Where flytekit's entry point looks for them, in the environment of a container.
const VARIABLE: &str = "_F_RUNTIME_PACKAGES";

/// What is for the start alone, in the environment until the command starts.
const START: &str = "IMAGEWRIGHT_START";

/// Installs the packages as pip does it for whoever runs it, and becomes the command.
const PROGRAM: &str = r#"
import json, os, subprocess, sys
start = json.loads(os.environ.pop("IMAGEWRIGHT_START"))
pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *start["packages"]]
environment = {**os.environ, **start["variables"]}
if subprocess.run(pip, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
    print("error: runtime_packages cannot be installed", file=sys.stderr)
    sys.exit(125)
command = sys.argv[1:]
try:
    os.execvp(command[0], command)
except OSError as error:
    print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)
    sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
"#;

/// Has the packages of a spec installed before the command starts, by its user and for this run only.
pub(crate) fn install_first(request: &mut RunRequest, spec: &ImageSpec, host: &Host) -> Result<(), Failure> {
    let packages = spec.runtime_packages.join(" ");
    if packages.trim().is_empty() || request.argv.is_empty() {
        return Ok(());
    }
    if request.network == Network::None {
        return Err(Failure::Arguments {
            message: "runtime_packages are installed when a command starts, which takes a network".to_owned(),
            hint: Some("leave `--network none` out, or move them to `packages`".to_owned()),
        });
    }
    let (binds, mut variables) = connections(host);
    request.binds.extend(binds);
    let indexes = [
        ("PIP_INDEX_URL", spec.pip_index.clone()),
        ("PIP_EXTRA_INDEX_URL", Some(spec.pip_extra_index_url.join(" ")).filter(|urls| !urls.is_empty())),
    ];
    let indexes = indexes.into_iter().filter_map(|(name, url)| Some((name.to_owned(), url?)));
    variables.extend(indexes);
    let start = json!({
        "packages": packages.split_whitespace().collect::<Vec<_>>(),
        "variables": variables,
    });
    request.env.push(format!("{VARIABLE}={packages}"));
    // Proxies and indexes may have passwords in them, and anybody may see what the arguments of a process are.
    request.env.push(format!("{START}={start}"));
    let program = ["python3", "-c", PROGRAM].map(str::to_owned);
    request.argv.splice(0..0, program);
    Ok(())
}
