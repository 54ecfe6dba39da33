//! Images, read by the judge of the testkit and by peers.

use std::path::{Path, PathBuf};

use imagewright_testkit::validate::{Finding, ImageSource, RegistryImage, Validated, validate};

use super::process::run;

/// Reads an image in a registry that anyone may pull from; it has to be right.
#[track_caller]
pub(crate) fn assert_valid(image: &str) -> Validated {
    assert_right(&RegistryImage::new(image.parse().unwrap()))
}

/// Reads an image anywhere; it has to be right.
#[track_caller]
pub(crate) fn assert_right(image: &impl ImageSource) -> Validated {
    validate(image).unwrap_or_else(|findings| {
        let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
        panic!("the image is not right:\n{}", found.join("\n"))
    })
}

/// The digest that skopeo sees.
#[track_caller]
pub(crate) fn skopeo_digest(image: &str) -> String {
    let image = format!("docker://{image}");
    run("skopeo", &["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &image]).trim().to_owned()
}

/// The root file system that umoci makes of an image.
#[track_caller]
pub(crate) fn unpacked(image: &str, folder: &Path) -> PathBuf {
    let text = |path: &Path| path.to_str().expect("test folders have plain names").to_owned();
    let (layout, bundle) = (folder.join("layout"), folder.join("bundle"));
    let (from, to) = (format!("docker://{image}"), format!("oci:{}:image", text(&layout)));
    fs_err::create_dir_all(folder).unwrap();
    run("skopeo", &["copy", "--quiet", "--src-tls-verify=false", &from, &to]);
    run("umoci", &["unpack", "--image", &format!("{}:image", text(&layout)), &text(&bundle)]);
    bundle.join("rootfs")
}

/// An image that a Docker daemon has; it forgets it in the end.
#[derive(Debug)]
pub(crate) struct Docker {
    host: String,
    image: String,
}

impl Docker {
    #[track_caller]
    pub(crate) fn pull(socket: &str, image: &str) -> Self {
        let pulled = Self { host: format!("unix://{socket}"), image: image.to_owned() };
        run("docker", &["--host", &pulled.host, "pull", "--quiet", image]);
        pulled
    }

    /// The same with the credentials in a directory of Docker's configuration.
    #[track_caller]
    pub(crate) fn pull_as(socket: &str, image: &str, config: &Path) -> Self {
        let pulled = Self { host: format!("unix://{socket}"), image: image.to_owned() };
        let config = config.to_str().expect("test folders have plain names");
        run("docker", &["--config", config, "--host", &pulled.host, "pull", "--quiet", image]);
        pulled
    }

    /// An image that it was given, or has made itself.
    pub(crate) fn loaded(socket: &str, image: &str) -> Self {
        Self { host: format!("unix://{socket}"), image: image.to_owned() }
    }

    /// Runs a command in a container without a network; its stdout without the last line break.
    #[track_caller]
    pub(crate) fn run(&self, command: &[&str]) -> String {
        let words = ["--host", &self.host, "run", "--rm", "--network", "none", &self.image];
        run("docker", &[&words[..], command].concat()).trim_end().to_owned()
    }

    /// Whether pip finds every distribution with what it needs. It may be told to be quiet by the base.
    #[track_caller]
    pub(crate) fn check_requirements(&self) {
        self.run(&["python", "-m", "pip", "check"]);
    }

    /// Runs a program of Python as the image's user.
    #[track_caller]
    pub(crate) fn python(&self, program: &str) -> String {
        self.run(&["python", "-c", program])
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            run("docker", &["--host", &self.host, "image", "rm", "--force", &self.image]);
        }
    }
}
