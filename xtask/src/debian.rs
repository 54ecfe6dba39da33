//! What the tests need from Debian: found, installed where that is allowed, or named.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process::{command, find, run};

/// A program that the tests run and the Debian package that has it.
const PROGRAMS: [(&str, &str); 13] = [
    ("ctr", "containerd"),
    ("docker", "docker.io"),
    ("docker-registry", "docker-registry"),
    ("dockerd", "docker.io"),
    ("mmdebstrap", "mmdebstrap"),
    ("newuidmap", "uidmap"),
    ("openssl", "openssl"),
    ("podman", "podman"),
    ("readelf", "binutils"),
    ("runc", "runc"),
    ("skopeo", "skopeo"),
    ("strace", "strace"),
    ("umoci", "umoci"),
];

/// Where Debian puts Docker's client. Another one, earlier on `PATH`, may be of another version or no client at all.
pub(crate) const DOCKER: &str = "/usr/bin/docker";

/// Installs what is missing when this process may, and returns the packages that are still missing.
pub(crate) fn ensure() -> Result<Vec<&'static str>> {
    let missing = missing();
    if missing.is_empty() || !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
        return Ok(missing);
    }
    install(&missing)?;
    Ok(self::missing())
}

fn missing() -> Vec<&'static str> {
    let absent = |program: &str| match program {
        "docker" => !Path::new(DOCKER).is_file(),
        program => find(program).is_none(),
    };
    let mut packages: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| absent(program)).map(|&(_, package)| package).collect();
    // The client is a package of its own since trixie, where the daemon's package has no such file.
    if packages.contains(&"docker.io") && find("dockerd").is_some() {
        packages.retain(|package| *package != "docker.io");
        packages.push("docker-cli");
    }
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn install(packages: &[&str]) -> Result<()> {
    let _quiet = NoServices::begin()?;
    let apt = || {
        let mut apt = command("apt-get");
        apt.args(["--quiet=2", "-o", "Dpkg::Use-Pty=0"]).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().arg("update"))?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// While this lives, a package that is installed does not start its service: the tests start their own.
#[derive(Debug)]
struct NoServices(Option<PathBuf>);

impl NoServices {
    fn begin() -> Result<Self> {
        let policy = PathBuf::from("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self(None));
        }
        fs_err::write(&policy, "#!/bin/sh\nexit 101\n")?;
        let guard = Self(Some(policy.clone()));
        run(command("chmod").arg("755").arg(policy))?;
        Ok(guard)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(fs_err::remove_file) {
            eprintln!("warning: {error}");
        }
    }
}
