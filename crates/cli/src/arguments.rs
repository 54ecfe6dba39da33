use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    CacheArguments, CompletionsArguments, DiffArguments, DockerfileArguments, DoctorArguments,
    InspectArguments, LockCommand, RunArguments, SpecCommand,
};
use crate::sandbox_arguments::SandboxArguments;
use crate::sink_arguments::SinkArguments;

/// Container images from an ImageSpec: without Dockerfile, Docker or root.
#[derive(Debug, Parser)]
#[command(name = "imagewright", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Write a failure into this file as JSON, instead of telling it on stderr: `exit_code`, `message`, `causes` and
    /// `hint`. For programs that call this one; `/dev/fd/N` is a file too.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) failure_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build images, and push those whose specs name a registry. Several are built side by side: each image once, and once
    /// what they have in common. When one fails, those under way are finished and no other is begun.
    Build(BuildArguments),
    Lock(LockCommand),
    /// Say what a build would do: every layer, whether it is there, and why not. Makes nothing, but for what has to be
    /// there to be looked into: the base of a nested spec, and wheels of what has none. To build those, the code of their
    /// projects runs in the sandbox, with the spec's `apt_packages` installed.
    Plan(PlanArguments),
    /// Say whether the image of a spec exists in its registry: exit code 0 yes, 1 no or stale, 4 unknown. Of several, 0 when
    /// all exist, and 4 when one is unknown.
    Exists(ExistsArguments),
    /// Print the tag of a spec, which is flytekit's.
    Tag(SpecArguments),
    /// Print the id of a spec, which is flytekit's.
    Id(SpecArguments),
    /// Print the full image name of a spec.
    Name(SpecArguments),
    Spec(SpecCommand),
    Diff(DiffArguments),
    Dockerfile(DockerfileArguments),
    Inspect(InspectArguments),
    Run(RunArguments),
    Cache(CacheArguments),
    Doctor(DoctorArguments),
    Completions(CompletionsArguments),
}

impl Command {
    /// How what happens is to be told.
    pub(crate) fn progress(&self) -> ProgressStyle {
        match self {
            Self::Build(arguments) => arguments.output.progress,
            Self::Lock(arguments) => arguments.report.progress,
            Self::Plan(arguments) => arguments.output.progress,
            Self::Dockerfile(arguments) => arguments.progress,
            Self::Run(arguments) => arguments.progress,
            _ => ProgressStyle::Auto,
        }
    }
}

/// A spec, and what the command line puts in the place of what it says.
#[derive(Debug, Args)]
pub(crate) struct SpecArguments {
    /// The spec: a YAML or JSON file, or `-` for standard input, where a request may be (docs/python.md); or a Python
    /// file, with names of workflows, tasks, environments or images in it behind it (`train.py fit`, `train.py:image`),
    /// and without any all that its tasks need. Of several, each has its line on standard output, in their order.
    #[arg(required_unless_present = "all", value_name = "SPEC")]
    pub(crate) specs: Vec<PathBuf>,
    /// What the Python files below a folder have, too. Those are imported that import flytekit, flyte or imagewright.
    #[arg(long, value_name = "DIR")]
    pub(crate) all: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArguments,
}

/// What the command line puts in the place of what a spec says.
#[derive(Debug, Args)]
pub(crate) struct OverrideArguments {
    /// Instead of the spec's `registry`.
    #[arg(long)]
    pub(crate) registry: Option<String>,
    /// Instead of the spec's `name`.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Instead of the spec's `platform`; several are joined with commas.
    #[arg(long)]
    pub(crate) platform: Option<String>,
    /// Instead of the spec's `builder`: `native`, `docker` (a Dockerfile and `docker build`) or `noop` (the base image is
    /// the image).
    #[arg(long)]
    pub(crate) builder: Option<String>,
}

/// How inputs are pinned.
#[derive(Debug, Args)]
pub(crate) struct LockArguments {
    /// A lock to start from, instead of the one beside the spec (`image.lock` for `image.yaml`).
    ///
    /// One that covers the spec is taken as it is. Of one that does not, what it pins is kept where it still serves.
    /// Without any, the lock attached to the image at the tag serves in the same way, else that of the last build of the
    /// image on this machine.
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Take everything from the lock, and fail when it does not cover the spec, or has no versions of its apt_packages.
    #[arg(long)]
    pub(crate) frozen: bool,
    /// Resolve anew: every index is asked again, no lock is preferred, and what has no wheel is built again.
    #[arg(long, conflicts_with = "frozen")]
    pub(crate) refresh: bool,
    /// Use what is in the caches only; what runs in the image has no network then.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    #[command(flatten)]
    pub(crate) lock: LockArguments,
    /// Push, also when FLYTE_PUSH_IMAGE_SPEC is 0.
    #[arg(long, conflicts_with = "no_push")]
    pub(crate) push: bool,
    /// Do not push.
    #[arg(long)]
    pub(crate) no_push: bool,
    /// Give the image this tag too, besides the one that the spec gives it.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Build although the image exists, and overwrite its tag.
    #[arg(long)]
    pub(crate) force: bool,
    /// Build although the image exists, and make every layer anew, with every wheel that is built from source. Downloaded
    /// inputs still serve.
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) sandbox: SandboxArguments,
    #[command(flatten)]
    pub(crate) sinks: SinkArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    #[command(flatten)]
    pub(crate) lock: LockArguments,
    #[command(flatten)]
    pub(crate) sandbox: SandboxArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExistsArguments {
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    /// The lock that the image must have been made from, instead of the one beside the spec.
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Print each answer as one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is printed, and how.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArguments {
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) progress: ProgressStyle,
    /// Print the result as JSON: one object on one line, for each spec.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// Bars on a terminal, else plain lines.
    #[default]
    Auto,
    /// Bars.
    Tty,
    /// A line for each thing that was done.
    Plain,
    /// A JSON object for each event.
    Json,
    /// Nothing but warnings.
    None,
}
