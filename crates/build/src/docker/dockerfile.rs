//! The Dockerfile of a plan: what the native builder unpacks, said in the instructions of Docker.
//!
//! What is pinned stays pinned: the base by its digest, each wheel by its own. The order of steps is flytekit's.

use std::fmt::Write as _;

use imagewright_lock::facts::User;
use imagewright_lock::{BaseLock, InterpreterSource, PlatformLock};
use imagewright_oci::Annotations;
use imagewright_plan::{Content, LayerKind, Plan, TreeKind};
use imagewright_spec::{ImageSpec, SecretTarget};

use super::error::DockerError;

/// Where the folder of the context with packages is, while they are installed.
pub(super) const MOUNTED: &str = "/run/imagewright";
/// The folder of the context with the lock of the packages, and with wheels that Docker cannot fetch.
pub(super) const PACKAGES: &str = "packages";
/// That lock.
pub(super) const PYLOCK: &str = "pylock.toml";
/// The certificates that this machine trusts, as a secret of the build.
pub(super) const CERTIFICATES: &str = "certificates";
/// uv's own image. It has to know `pylock.toml`, as 0.7 does and later ones.
const UV_IMAGE: &str = "ghcr.io/astral-sh/uv:0.9";
/// A variable with which flytekit knows the image; it is set last, because every change of the spec changes it.
const IMAGE_ID: &str = "_F_IMG_ID";

/// What a Dockerfile is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dockerfile<'a> {
    pub(super) spec: &'a ImageSpec,
    pub(super) plan: &'a Plan,
    pub(super) lock: &'a PlatformLock,
    pub(super) labels: &'a Annotations,
    /// Files of the context that are unpacked into nothing, and then are the base.
    pub(super) assembled: &'a [String],
    /// Files of the context that are unpacked into the image, in order.
    pub(super) copies: &'a [String],
    /// The file of the context that has the interpreter.
    pub(super) interpreter: Option<&'a str>,
    /// Whether this machine has certificates of its own.
    pub(super) certificates: bool,
}

impl Dockerfile<'_> {
    /// The text.
    pub(super) fn text(&self) -> Result<String, DockerError> {
        let user = self.user();
        let mut sections = vec![self.stages()?, "USER root\nWORKDIR /".to_owned()];
        sections.extend(self.configuration()?);
        sections.extend(self.system_packages()?);
        sections.push(self.account(&user)?);
        sections.extend(self.python()?);
        sections.extend(self.certificate_link()?);
        sections.push(self.environment()?);
        sections.extend(self.entrypoint());
        if !self.copies.is_empty() {
            sections.push(lines(self.copies.iter().map(|file| format!("ADD {file} /"))));
        }
        sections.extend(self.commands());
        sections.push(self.end()?);
        Ok(sections.join("\n\n") + "\n")
    }

    /// The images that it starts from.
    fn stages(&self) -> Result<String, DockerError> {
        let uv = self.spec.builder_config.uv_image.as_deref().unwrap_or(UV_IMAGE);
        let mut text = format!("FROM {uv} AS uv\n");
        if let Some(file) = self.interpreter {
            write!(text, "\nFROM scratch AS python\nADD {file} /\n").expect("a String takes every write");
        }
        Ok(text + "\n" + &self.base()?)
    }

    /// The user that tasks run as: the base's, or the one that the plan adds.
    fn user(&self) -> User {
        let name = self.plan.container.user.as_deref().unwrap_or_default();
        self.plan.facts.accounts.user(name).expect("the plan's user is among its accounts")
    }

    /// Adds the user without the programs for it, which a base may lack.
    fn account(&self, user: &User) -> Result<String, DockerError> {
        let User { name, uid, gid, home } = user;
        let mut script = Vec::new();
        if self.plan.base.facts.accounts.user(name).is_none() {
            let path = self.plan.container.env_value("PATH").unwrap_or_default();
            let profile = format!("{home}/.profile");
            script.extend([
                format!("echo {} >>/etc/passwd", shell(&format!("{name}:x:{uid}:{gid}::{home}:/bin/bash"))?),
                format!("echo {} >>/etc/group", shell(&format!("{name}:x:{gid}:"))?),
                format!("mkdir -p {}", shell(home)?),
                format!("echo {} >{}", shell(&format!("export PATH={path}"))?, shell(&profile)?),
            ]);
        }
        script.push(format!("chown -R {uid}:{gid} /root /home"));
        Ok(format!("RUN {}", script.join(AND)))
    }

    /// The environment, and the packages in it.
    fn python(&self) -> Result<Option<String>, DockerError> {
        let mut sections = Vec::new();
        if let (Some(_), InterpreterSource::Archive { archive }) =
            (self.interpreter, &self.lock.interpreter.source)
        {
            sections.push(format!("COPY --from=python /python {}", archive.prefix()));
        }
        let prefix = &self.lock.environment.prefix;
        let mut script = Vec::new();
        if !self.lock.environment.continues {
            let interpreter = shell(&self.lock.interpreter.path)?;
            // One that is added is in its place by now; uv is not to fetch another.
            script.push(format!(
                "uv venv --no-python-downloads --python {interpreter} --system-site-packages {}",
                shell(prefix)?
            ));
        }
        let mut mounts = self.uv_mounts();
        if !self.lock.packages.is_empty() {
            let bytecode = if self.spec.builder_options.bytecode { "--compile-bytecode " } else { "" };
            let python = shell(&format!("{prefix}/bin/python"))?;
            script.push(format!(
                "uv pip install --preview-features pylock --python {python} {bytecode}--link-mode=copy \
                 --requirements {MOUNTED}/{PYLOCK}"
            ));
            mounts.push(format!("type=bind,source={PACKAGES},target={MOUNTED}"));
        }
        if !script.is_empty() {
            let trust = self.trust().map(|trust| format!("export {trust}"));
            script.splice(0..0, trust.into_iter().chain(self.secret_variables()));
            sections.push(self.run(&mounts, &script.join(AND)));
        }
        Ok((!sections.is_empty()).then(|| sections.join("\n\n")))
    }

    /// For a base without certificates, the link that the plan has for it.
    fn certificate_link(&self) -> Result<Option<String>, DockerError> {
        let skeleton = self.plan.layers.iter().find(|layer| layer.kind == LayerKind::Skeleton);
        let Some(Content::Tree(files)) = skeleton.map(|layer| &layer.content) else { return Ok(None) };
        let link = files.iter().find_map(|file| match &file.kind {
            TreeKind::Symlink(target) if file.path.starts_with("etc/ssl/") => Some((&file.path, target)),
            _ => None,
        });
        let Some((path, target)) = link else { return Ok(None) };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok(Some(format!("RUN mkdir -p /{folder} && ln -s {} /{path}", shell(target)?)))
    }

    /// The variables that the base does not have, or not so.
    fn environment(&self) -> Result<String, DockerError> {
        let base = &self.plan.base.config.config;
        let mut lines = Vec::new();
        for variable in self.plan.container.env.iter().flatten() {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            if name != IMAGE_ID && base.env_value(name) != Some(value) {
                lines.push(format!("{name}={}", instruction_value(name, value)?));
            }
        }
        Ok(format!("ENV {}", lines.join(" \\\n    ")))
    }

    fn entrypoint(&self) -> Option<String> {
        if let Some(words) = &self.spec.entrypoint {
            return Some(format!("ENTRYPOINT {}", json(words)));
        }
        // What an image starts with it keeps; what is made of nothing starts with nothing.
        let words = self.plan.container.cmd.as_ref()?;
        matches!(self.lock.base, BaseLock::Debian { .. }).then(|| format!("CMD {}", json(words)))
    }

    /// The commands, as flytekit runs them: one after the other, with uv at hand.
    fn commands(&self) -> Option<String> {
        let commands = &self.spec.commands;
        if commands.is_empty() {
            return None;
        }
        let scripts = if self.spec.builder_options.separate_commands {
            commands.clone()
        } else {
            vec![commands.join(" && ")]
        };
        let mounts = self.uv_mounts();
        let trust = self.trust();
        let variables = self.secret_variables();
        let exported = variables.iter().map(String::as_str).chain([r#"exec "$0" "$@""#]);
        let exported = exported.collect::<Vec<_>>().join(" && ");
        let exported = (!variables.is_empty()).then_some(["/bin/sh", "-c", &exported]);
        // As words, so that the script comes to the shell as it was written.
        let start = trust.iter().flat_map(|trust| ["/usr/bin/env", trust]);
        let start: Vec<&str> = start.chain(exported.into_iter().flatten()).chain(["/bin/sh", "-c"]).collect();
        let runs = scripts.iter().map(|script| self.run(&mounts, &json(&[&start[..], &[script]].concat())));
        Some(lines(runs))
    }

    /// What any change of the spec changes comes last.
    fn end(&self) -> Result<String, DockerError> {
        let container = &self.plan.container;
        let mut text = format!("WORKDIR {}\n", container.working_dir.as_deref().unwrap_or("/"));
        writeln!(text, "USER {}", container.user.as_deref().unwrap_or("root"))
            .expect("a String takes every write");
        if let Some(id) = container.env_value(IMAGE_ID) {
            writeln!(text, "ENV {IMAGE_ID}={}", instruction_value(IMAGE_ID, id)?)
                .expect("a String takes every write");
        }
        let labels =
            self.labels.iter().map(|(name, value)| Ok(format!("{name}={}", instruction_value(name, value)?)));
        let labels: Vec<String> = labels.collect::<Result<_, DockerError>>()?;
        Ok(text + "LABEL " + &labels.join(" \\\n      "))
    }

    /// An instruction that runs something with the secrets of the spec.
    pub(super) fn run(&self, mounts: &[String], script: &str) -> String {
        let secrets = self.spec.pip_secret_mounts.iter().enumerate();
        let secrets = secrets.map(|(index, secret)| match &secret.target {
            SecretTarget::File { path } => format!("type=secret,id={},target={path}", secret_id(index)),
            SecretTarget::Variable { .. } => format!("type=secret,id={}", secret_id(index)),
        });
        let mounts: Vec<String> =
            mounts.iter().cloned().chain(secrets).map(|mount| format!("--mount={mount}")).collect();
        format!("RUN {} \\\n    {script}", mounts.join(" \\\n    "))
    }

    /// What gives a shell the secrets that are variables. Docker can do it itself since 2024 only.
    pub(super) fn secret_variables(&self) -> Vec<String> {
        let secrets = self.spec.pip_secret_mounts.iter().enumerate();
        let variables = secrets.filter_map(|(index, secret)| match &secret.target {
            SecretTarget::Variable { name } => Some((index, name)),
            SecretTarget::File { .. } => None,
        });
        let read = |index| format!("\"$(cat /run/secrets/{})\"", secret_id(index));
        variables.map(|(index, name)| format!("export {name}={}", read(index))).collect()
    }

    /// uv and its cache, and the certificates that this machine trusts.
    fn uv_mounts(&self) -> Vec<String> {
        let uv = [
            "type=cache,sharing=locked,id=uv,target=/root/.cache/uv".to_owned(),
            "type=bind,from=uv,source=/uv,target=/usr/bin/uv".to_owned(),
        ];
        uv.into_iter().chain(self.certificates.then(|| format!("type=secret,id={CERTIFICATES}"))).collect()
    }

    /// The variable that makes programs trust them.
    fn trust(&self) -> Option<String> {
        self.certificates.then(|| format!("SSL_CERT_FILE=/run/secrets/{CERTIFICATES}"))
    }
}

/// What joins the commands of one instruction.
pub(super) const AND: &str = " && \\\n    ";

/// The id of a secret of the spec.
pub(super) fn secret_id(index: usize) -> String {
    format!("secret_{index}")
}

pub(super) fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// JSON is what Docker takes for words that no shell is to read.
fn json<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&words).expect("texts serialise")
}

/// One word for a shell.
pub(super) fn shell(text: &str) -> Result<String, DockerError> {
    match shlex::try_quote(text) {
        Ok(word) if !text.contains(['\n', '\r']) => Ok(word.into_owned()),
        _ => Err(DockerError::Unwritable { text: text.to_owned() }),
    }
}

/// The value of a variable or label. An instruction ends with its line, and nothing stands for a line break in it.
fn instruction_value(name: &str, value: &str) -> Result<String, DockerError> {
    if value.contains(['\n', '\r']) {
        return Err(DockerError::Unwritable { text: name.to_owned() });
    }
    let mut quoted = String::from("\"");
    for letter in value.chars() {
        if matches!(letter, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    Ok(quoted + "\"")
}
