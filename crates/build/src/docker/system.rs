//! What is of the system in a Dockerfile: Debian's packages, configured as the native builder does it, and those that apt
//! installs, in the versions that the lock has.

use imagewright_lock::{BaseLock, SystemPackage};
use imagewright_plan::{AptAccess, AptVersions, Content, Execution, LayerDefinition, LayerKind};
use imagewright_spec::BaseImage;

use super::dockerfile::{AND, Dockerfile, MOUNTED, lines, shell};
use super::error::DockerError;

/// The folder of the context with scripts that the native builder runs, too.
const STEPS: &str = "steps";
/// The one that configures Debian's packages.
const CONFIGURATION: &str = "configuration.sh";

/// Whether a layer is of the base that is assembled from Debian's packages.
pub(super) fn is_assembled(layer: &LayerDefinition) -> bool {
    matches!(layer.content, Content::Debian(_) | Content::DebianDatabase(_))
}

/// The script that configures Debian's packages, by its path in the context, if the plan has it run.
pub(super) fn configuration_script(layers: &[LayerDefinition]) -> Option<(String, String)> {
    let [_, _, _, script, ..] = &configuration(layers)?.argv[..] else { return None };
    Some((format!("{STEPS}/{CONFIGURATION}"), script.clone()))
}

fn configuration(layers: &[LayerDefinition]) -> Option<&Execution> {
    layers.iter().find(|layer| layer.kind == LayerKind::Configuration)?.execution()
}

impl Dockerfile<'_> {
    /// The base: one by its digest, or nothing, which the layers of the native builder are unpacked into.
    pub(super) fn base(&self) -> Result<String, DockerError> {
        match &self.lock.base {
            BaseLock::Image { reference, .. } if self.is_base_in_no_registry() => {
                Err(DockerError::LocalBase { image: reference.familiar() })
            }
            BaseLock::Image { reference, digest } => Ok(format!("FROM {}", reference.with_digest(*digest))),
            BaseLock::Local { image, .. } => Err(DockerError::LocalBase { image: image.to_string() }),
            BaseLock::Debian { .. } => {
                let layers = self.assembled.iter().map(|file| format!("ADD {file} /"));
                Ok(lines(std::iter::once("FROM scratch".to_owned()).chain(layers)))
            }
        }
    }

    /// Whether the base is the image of a spec that is pushed nowhere.
    fn is_base_in_no_registry(&self) -> bool {
        matches!(&self.spec.base_image, Some(BaseImage::Spec(base)) if base.registry.is_none())
    }

    /// What Debian's package manager does once before anything else runs.
    pub(super) fn configuration(&self) -> Result<Option<String>, DockerError> {
        let Some(Execution { argv, environment, .. }) = configuration(&self.plan.layers) else {
            return Ok(None);
        };
        let variables: Vec<String> =
            environment.iter().map(|variable| shell(variable)).collect::<Result<_, _>>()?;
        // Behind `sh -e -c SCRIPT sh` are what the script takes.
        let taken: Vec<String> = argv.iter().skip(5).map(|word| shell(word)).collect::<Result<_, _>>()?;
        Ok(Some(format!(
            "RUN --mount=type=bind,source={STEPS},target={MOUNTED} \\\n    \
             env -i {} \\\n    /bin/sh -e {MOUNTED}/{CONFIGURATION} {}",
            variables.join(" "),
            taken.join(" ")
        )))
    }

    /// The spec's own packages, and in the versions of the lock also what came with them.
    pub(super) fn system_packages(&self) -> Result<Option<String>, DockerError> {
        let mut executions = self.plan.layers.iter().filter_map(LayerDefinition::execution);
        let Some(AptAccess { cache, asked, versions, .. }) = executions.find_map(|it| it.apt.as_ref()) else {
            return Ok(None);
        };
        let pinned: &[SystemPackage] = match versions {
            AptVersions::Chosen(pinned) => pinned,
            AptVersions::Preferred(_) => &[],
        };
        let name = |text: &str| text.split(['=', '/', ':']).next().unwrap_or_default().to_owned();
        let is_pinned = |text: &str| pinned.iter().any(|package| package.full_name() == name(text));
        let is_asked =
            |package: &&SystemPackage| asked.iter().any(|it| name(&it.text) == package.full_name());
        let others = asked.iter().map(|it| it.text.clone()).filter(|text| !is_pinned(text));
        let mut names: Vec<String> = others.map(|name| shell(&name)).collect::<Result<_, _>>()?;
        // What is asked for by another name, as `awk` is, stands for one of the pinned, and only apt knows for which.
        let is_each_known = names.is_empty();
        // These have nothing that a shell would take for something else.
        names.extend(pinned.iter().map(ToString::to_string));
        let brought = pinned.iter().filter(|package| is_each_known && !is_asked(package));
        let brought: Vec<String> = brought.map(SystemPackage::full_name).collect();
        let mut script = self.secret_variables();
        script.push("apt-get update".to_owned());
        // What came with a package is named to have its version, and apt is told that nobody asked for it.
        if !brought.is_empty() {
            script.push("manual=$(apt-mark showmanual)".to_owned());
        }
        script.push(format!(
            "DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --allow-downgrades {}",
            names.join(" ")
        ));
        if !brought.is_empty() {
            script.push(format!("apt-mark auto {} >/dev/null", brought.join(" ")));
            script.push("apt-mark manual $manual >/dev/null".to_owned());
        }
        script.push("rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log".to_owned());
        let mounts = [
            format!("type=cache,sharing=locked,id={cache}-packages,target=/var/cache/apt"),
            format!("type=cache,sharing=locked,id={cache}-lists,target=/var/lib/apt/lists"),
        ];
        Ok(Some(self.run(&mounts, &script.join(AND))))
    }
}
