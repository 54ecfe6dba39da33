//! The base images of the tests: Debian userlands, made once and kept as the storage of a registry.

use std::path::{Path, PathBuf};
use std::process::Child;

use anyhow::{Context, Result, bail};

use crate::peers::{Docker, Prepared, Registry};
use crate::process::{self, command, find, read, step};
use crate::workspace::Workspace;

const SUITE: &str = "bookworm";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Raised when what this file makes changes, so that what an earlier version made is made again.
const VERSION: u32 = 1;

/// Userlands that mmdebstrap makes: the repository, and packages besides the essential ones and apt.
const USERLANDS: [(&str, &str); 2] =
    [("debian", ""), ("debian-python", "ca-certificates,python3,python3-venv")];

/// What is installed in the images that have packages.
const WHEELS: [&str; 7] = [
    "certifi==2024.8.30",
    "charset-normalizer==3.3.2",
    "idna==3.10",
    "numpy==1.26.4",
    "requests==2.31.0",
    "six==1.16.0",
    "urllib3==2.2.3",
];

/// An image made by running a command in `debian-python`, with the wheels at `/wheels`.
struct Variant {
    repository: &'static str,
    script: &'static str,
    changes: &'static [&'static str],
}

const VARIANTS: [Variant; 2] = [
    Variant {
        repository: "debian-packages",
        script: "python3 -m venv /tmp/venv && /tmp/venv/bin/python -m pip --python /usr/bin/python3 install \
                 --no-cache-dir --break-system-packages --no-index --find-links /wheels numpy six requests",
        changes: &["CMD [\"bash\"]"],
    },
    Variant {
        repository: "debian-venv",
        script: "python3 -m venv /opt/venv && /opt/venv/bin/python -m pip install \
                 --no-cache-dir --no-index --find-links /wheels numpy six",
        changes: &[
            "CMD [\"bash\"]",
            "ENV VIRTUAL_ENV=/opt/venv",
            "ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ],
    },
];

/// The verb: makes the images unless they are there.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::find()?;
    let prepared = Prepared::new(&workspace)?;
    if !prepared.is_startable() {
        bail!("the base images need what is named above");
    }
    let content = ensure(&workspace, prepared.python())?;
    eprintln!("{}", content.display());
    Ok(())
}

/// The repository prefix of the images in a registry that was started with them.
pub(crate) fn prefix(authority: &str) -> String {
    format!("{authority}/base")
}

/// The storage of a registry that has the images; made when it is not there.
pub(crate) fn ensure(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let folder = workspace.cache("bases");
    let (storage, mark) = (folder.join("registry"), folder.join("complete"));
    if mark.exists() && fs_err::read_to_string(&mark)? == VERSION.to_string() {
        return Ok(storage);
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&storage)?;
    let (userlands, wheels) = (folder.join("userlands"), folder.join("wheels"));
    step("userlands", || bootstrap(&userlands))?;
    step("wheels for base images", || download(python, &wheels))?;
    let registry = Registry::keeping(workspace, &storage)?;
    let docker = Docker::start(workspace)?;
    let bases = prefix(registry.authority());
    for (repository, _) in USERLANDS {
        let image = format!("{bases}/{repository}:{SUITE}");
        process::run(
            docker
                .client()
                .args(["import", "--change", &format!("ENV PATH={PATH}"), "--change", "CMD [\"bash\"]"])
                .arg(userlands.join(repository).with_extension("tar"))
                .arg(&image),
        )?;
        process::run(docker.client().args(["push", "--quiet", &image]))?;
    }
    for variant in &VARIANTS {
        step(variant.repository, || make(&docker, variant, &bases, &wheels))?;
    }
    fs_err::remove_dir_all(userlands)?;
    fs_err::remove_dir_all(wheels)?;
    fs_err::write(mark, VERSION.to_string())?;
    Ok(storage)
}

/// Makes the userlands side by side: unpacking and the network take turns.
fn bootstrap(folder: &Path) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    let sources = sources()?;
    let mut running = Vec::new();
    for (repository, include) in USERLANDS {
        let mut mmdebstrap = command("mmdebstrap");
        mmdebstrap.args(["--quiet", "--variant=apt"]);
        if !include.is_empty() {
            mmdebstrap.arg(format!("--include={include}"));
        }
        for folder in ["man", "locale", "doc"] {
            mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
        }
        mmdebstrap.arg(SUITE).arg(folder.join(repository).with_extension("tar")).args(&sources);
        running.push(mmdebstrap.spawn().context("cannot start mmdebstrap")?);
    }
    let verdicts = running.iter_mut().map(Child::wait).collect::<Vec<_>>();
    for verdict in verdicts {
        let status = verdict?;
        if !status.success() {
            bail!("{status}: mmdebstrap");
        }
    }
    Ok(())
}

/// Source lines for the suite from the mirrors that this machine uses; none where it has no Debian mirror.
fn sources() -> Result<Vec<String>> {
    if find("apt-get").is_none() {
        return Ok(Vec::new());
    }
    let targets = read(command("apt-get").args([
        "indextargets",
        "--format",
        "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    let mirror = |label: &str| {
        let prefix = format!("Debian|{label}|");
        targets.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    let main = mirror("Debian")
        .into_iter()
        .flat_map(|uri| [format!("deb {uri} {SUITE} main"), format!("deb {uri} {SUITE}-updates main")]);
    let security = mirror("Debian-Security").map(|uri| format!("deb {uri} {SUITE}-security main"));
    Ok(main.chain(security).collect())
}

fn download(python: &Path, folder: &Path) -> Result<()> {
    let mut pip = crate::oracle::pip(python);
    pip.args(["download", "--only-binary", ":all:", "--no-deps", "--python-version", "3.11", "--dest"])
        .arg(folder);
    for level in ["manylinux_2_28", "manylinux_2_17", "manylinux2014"] {
        pip.arg("--platform").arg(format!("{level}_{}", std::env::consts::ARCH));
    }
    process::run(pip.args(WHEELS))
}

fn make(docker: &Docker, variant: &Variant, bases: &str, wheels: &Path) -> Result<()> {
    let image = format!("{bases}/{}:{SUITE}", variant.repository);
    let name = variant.repository;
    process::run(
        docker
            .client()
            .args(["run", "--name", name, "--network", "none", "--tmpfs", "/tmp:exec", "--volume"])
            .arg(format!("{}:/wheels:ro", wheels.display()))
            .args([
                "--env",
                "PIP_ROOT_USER_ACTION=ignore",
                "--env",
                "PIP_QUIET=1",
                "--env",
                "PIP_DISABLE_PIP_VERSION_CHECK=1",
            ])
            .arg(format!("{bases}/debian-python:{SUITE}"))
            .args(["sh", "-c", variant.script]),
    )?;
    let mut commit = docker.client();
    commit.arg("commit");
    for change in variant.changes {
        commit.args(["--change", change]);
    }
    process::run(commit.args([name, &image]))?;
    process::run(docker.client().args(["push", "--quiet", &image]))
}
