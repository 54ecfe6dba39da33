use std::collections::BTreeMap;

use imagewright_oci::{ContainerConfig, DEFAULT_PATH, Digest, canonical_json};
use imagewright_recipe::CommandsStep;
use imagewright_spec::Layout;

use crate::apt::AptAccess;
use crate::container::working_directory;
use crate::definition::{Content, LayerDefinition, LayerKind};
use crate::planner::Scope;

/// A command that runs in the image as far as it is made by then; what it changes is a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value`, all of them.
    pub environment: Vec<String>,
    /// Where it starts, with its leading slash.
    pub working_directory: String,
    /// The words of the spec that ask for it, for messages: `commands[1]`.
    pub origin: String,
    /// What it needs of the machine when it is apt that runs.
    pub apt: Option<AptAccess>,
}

/// How many letters of a command a title has.
const TITLE: usize = 60;

/// The layers of the spec's commands, above `below`.
///
/// As flytekit runs them: by a shell, as root, in `/`, with the image's environment, all of them as one command unless
/// they are to be separate (design D8). Flyte 2's run in the working directory, as those of a Dockerfile.
pub(crate) fn command_layers(
    scope: &Scope<'_>,
    container: &ContainerConfig,
    below: &[LayerDefinition],
) -> Vec<LayerDefinition> {
    let Some(CommandsStep { commands, separate }) = scope.recipe.commands() else { return Vec::new() };
    let scripts: Vec<(String, String)> = if *separate {
        let named = |(index, command): (usize, &String)| (format!("commands[{index}]"), command.clone());
        commands.iter().enumerate().map(named).collect()
    } else {
        vec![("commands".to_owned(), commands.join(" && "))]
    };
    let directory = match scope.recipe.settings.layout {
        Layout::Flytekit => "/".to_owned(),
        Layout::Flyte => working_directory(scope),
    };
    let mut layers: Vec<LayerDefinition> = Vec::new();
    for (origin, script) in scripts {
        let execution = Execution {
            argv: ["/bin/sh", "-c", &script].map(str::to_owned).to_vec(),
            environment: variables(container),
            working_directory: directory.clone(),
            origin: origin.clone(),
            apt: None,
        };
        let title = format!("{origin}: {}", shortened(&script));
        let below = parent(scope, below.iter().chain(&layers));
        layers.push(execution_layer(scope, LayerKind::Commands, title, execution, below));
    }
    layers
}

/// The image's variables. That of its own id says nothing to a command, and would make any change of the spec run all of
/// them again.
pub(crate) fn variables(container: &ContainerConfig) -> Vec<String> {
    let all = container.env.iter().flatten();
    all.filter(|variable| !variable.starts_with("_F_IMG_ID=")).cloned().collect()
}

/// What Debian's package manager does after unpacking.
///
/// What stands in for its results in an assembled base makes way where they would not be the same: `pam-auth-update`
/// leaves files alone that are not its own, also later on, and an alternative stays where it points.
const CONFIGURE: &str = "\
if [ ! -e /var/lib/pam/seen ]; then rm -f /etc/pam.d/common-*; fi
dpkg --configure -a
update-alternatives --auto pager > /dev/null 2>&1 || true
";

/// A run of the package manager, such that its result is the same every time. What is in `days` is the day that
/// accounts are said to have been changed on. A base that is no container's may have such days and an id of the machine,
/// which stay; caches, logs and backups, which nobody needs, go.
pub(crate) fn settled(script: &str) -> String {
    format!("{REMEMBER}{script}{SETTLE}")
}

const REMEMBER: &str = "\
shadow=$(cksum 2> /dev/null < /etc/shadow || true)
machine=$(find /etc/machine-id /var/lib/dbus/machine-id 2> /dev/null || true)
began=$(date +%s)
";

/// Bytecode of Python below 3.11 has sets in the order of their hashes, and what compiles it when a package is configured
/// does not take the environment's seed: so it is compiled once more.
const SETTLE: &str = "\
for python in /usr/bin/python3.[5-9] /usr/bin/python3.10; do
    if [ -x \"$python\" ]; then
        tag=cpython-3${python#*python3.}
        made=$(find /usr/lib/python3* -name \"*.$tag.pyc\" -newermt \"@$began\" | sort)
        if [ -n \"$made\" ]; then
            echo \"$made\" | sed \"s#__pycache__/\\([^/]*\\)\\.$tag\\.pyc\\$#\\1.py#\" | \"$python\" -S -m compileall -q -f -i - || true
        fi
    fi
done
if [ \"$shadow\" != \"$(cksum < /etc/shadow)\" ]; then
    sed -i \"s/^\\([^:]*:[^:]*:\\)[0-9]*:/\\1$days:/\" /etc/shadow
fi
if [ -z \"$machine\" ]; then rm -f /etc/machine-id /var/lib/dbus/machine-id; fi
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -f /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old
find /var/log -type f -delete
";

/// The variables of what the package manager runs; the spec's are not for it.
pub(crate) fn debian_environment() -> Vec<String> {
    let path = format!("PATH={DEFAULT_PATH}");
    let others = [
        "DEBCONF_NONINTERACTIVE_SEEN=true",
        "DEBIAN_FRONTEND=noninteractive",
        "LC_ALL=C.UTF-8",
        "PYTHONHASHSEED=0",
    ];
    others.map(str::to_owned).into_iter().chain([path]).collect()
}

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// The day of an epoch, as `/etc/shadow` counts.
pub(crate) fn day(epoch: u64) -> String {
    (epoch / SECONDS_OF_A_DAY).to_string()
}

/// Debian's packages are configured, in an assembled base, before anything else runs in it (design D6). That base may
/// come by way of an image.
pub(crate) fn configuration_layer(scope: &Scope<'_>, below: &[LayerDefinition]) -> Option<LayerDefinition> {
    if !scope.base.facts.unconfigured {
        return None;
    }
    let because = match (scope.recipe.apt_packages(), scope.recipe.commands()) {
        (Some(_), _) => "apt_packages are installed in the image",
        (None, Some(_)) => "commands run in the image",
        (None, None) => return None,
    };
    let script = settled(&format!("days=$1\n{CONFIGURE}"));
    let execution = Execution {
        argv: ["/bin/sh", "-e", "-c", &script, "sh", &day(scope.epoch)].map(str::to_owned).to_vec(),
        environment: debian_environment(),
        working_directory: "/".to_owned(),
        origin: "the configuration of Debian's packages".to_owned(),
        apt: None,
    };
    let title = format!("{} configuration", scope.system());
    let below = parent(scope, below.iter());
    let because = vec![because.to_owned()];
    Some(LayerDefinition {
        because,
        ..execution_layer(scope, LayerKind::Configuration, title, execution, below)
    })
}

/// The layer of an execution in what `below` stands for.
pub(crate) fn execution_layer(
    scope: &Scope<'_>,
    kind: LayerKind,
    title: String,
    execution: Execution,
    below: Digest,
) -> LayerDefinition {
    let mut inputs = scope.common_inputs(imagewright_layer::TREE_FORMAT);
    inputs.insert("everything below".to_owned(), below.to_string());
    inputs.insert("command".to_owned(), words(&execution.argv));
    inputs.insert("working directory".to_owned(), execution.working_directory.clone());
    inputs.extend(execution.environment.iter().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        (format!("variable {name}"), value.to_owned())
    }));
    let origin = execution.origin.clone();
    let origins = BTreeMap::from([("command".to_owned(), origin.clone())]);
    LayerDefinition::new(kind, title, inputs, vec![origin], Content::Execution(execution))
        .with_origins(origins)
}

/// What an execution runs in: the base and every layer so far.
pub(crate) fn parent<'a>(scope: &Scope<'_>, below: impl Iterator<Item = &'a LayerDefinition>) -> Digest {
    let base: Vec<String> = scope.base.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let keys: Vec<String> = below.map(|layer| layer.key.to_string()).collect();
    Digest::of(&canonical_json(&(base, keys)))
}

fn words(argv: &[String]) -> String {
    String::from_utf8(canonical_json(&argv)).expect("JSON is UTF-8")
}

/// The first line, or what of it fits a title.
pub(crate) fn shortened(script: &str) -> String {
    let line = script.trim().lines().next().unwrap_or_default();
    let mut letters = line.chars();
    let start: String = letters.by_ref().take(TITLE).collect();
    let is_whole = letters.next().is_none() && line.len() == script.trim().len();
    if is_whole { start } else { format!("{start} ...") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(shortened("make install"), "make install");
        assert_eq!(shortened(" make \\\n install "), "make \\ ...");
        assert_eq!(shortened(&"x".repeat(TITLE + 1)), format!("{} ...", "x".repeat(TITLE)));
    }
}
