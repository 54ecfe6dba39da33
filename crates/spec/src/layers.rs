//! `layers`: an image as a list of what is done to it, in an order of the user's own.
//!
//! ImageSpec's fields have a fixed order: packages of the system, Python packages, copies, commands. Where another one is
//! wanted, as `flyte.Image` has it, each layer is the fields of a spec, and the image is a chain of specs, each over the
//! one before it. Layers that follow that order share a spec, because each spec costs a resolution of its own.

use crate::node::{Content, Key, Node, Scalar};
use crate::reader::{nearest, wrong_type};
use crate::wire::field;
use crate::{Field, Problem, ProblemKind, Wanted};

const LAYERS: &str = "layers";

/// What may stand beside the layers, and is the whole image's.
const BESIDE: [Field; 11] = [
    Field::Name,
    Field::PythonVersion,
    Field::Builder,
    Field::SourceRoot,
    Field::Registry,
    Field::BaseImage,
    Field::Platform,
    Field::RegistryConfig,
    Field::TagFormat,
    Field::SourceCopyMode,
    Field::BuilderOptions,
];
/// What of it each spec of the chain has.
const EVERYWHERE: [Field; 5] =
    [Field::Name, Field::PythonVersion, Field::SourceRoot, Field::SourceCopyMode, Field::BuilderOptions];
/// What a layer may say.
const LAYER: [Field; 11] = [
    Field::Env,
    Field::Packages,
    Field::Requirements,
    Field::AptPackages,
    Field::PipIndex,
    Field::PipExtraIndexUrl,
    Field::PipSecretMounts,
    Field::PipExtraArgs,
    Field::Commands,
    Field::Copy,
    Field::BuilderOptions,
];

/// What a layer does; a spec does it in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    AptPackages,
    Packages,
    Copies,
    Commands,
}

type Entry = (Key, Node);

/// Whether a spec is written as layers.
pub(crate) fn are_in(entries: &[Entry]) -> bool {
    entries.iter().any(|(key, _)| key.scalar.text == LAYERS)
}

/// The same image as a chain of specs; `path` is the place of the spec in the outermost one.
pub(crate) fn lower(entries: &[Entry], path: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let (layers, beside): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|(key, _)| key.scalar.text == LAYERS);
    let named = |entry: &&Entry| field(&entry.0.scalar.text);
    for (key, _) in beside.iter().filter(|it| named(it).is_some_and(|field| !BESIDE.contains(&field))) {
        let path = format!("{path}{}", key.scalar.text);
        problems.push(Problem { path, position: key.position, kind: ProblemKind::BesideLayers });
    }
    let base = beside.iter().find(|it| named(it) == Some(Field::BaseImage)).copied().cloned();
    let is_own = |it: &&&Entry| !matches!(named(it), Some(Field::BaseImage | Field::BuilderOptions));
    let own: Vec<Entry> = beside.iter().filter(is_own).copied().cloned().collect();
    let is_everywhere = |it: &&Entry| named(it).is_none_or(|field| EVERYWHERE.contains(&field));
    let everywhere: Vec<Entry> = own.iter().filter(is_everywhere).cloned().collect();
    let options = beside.iter().find(|it| named(it) == Some(Field::BuilderOptions)).map(|it| &it.1);
    if let Some(options) = options.filter(|it| !matches!(it.content, Content::Mapping(_)) && !it.is_null()) {
        let path = format!("{path}{}", Field::BuilderOptions);
        problems.push(Problem {
            path,
            position: options.position,
            kind: wrong_type(Wanted::Mapping, options),
        });
    }
    let mut stages = stages(layers.iter().flat_map(|it| items(&it.1, path, problems)));
    let last = stages.pop().unwrap_or_default();
    let below = stages.into_iter().fold(base, |base, stage| {
        let position = None;
        let content = Content::Mapping(stage.over(base, &everywhere, options));
        Some((key(Field::BaseImage), Node { position, content }))
    });
    last.over(below, &own, options)
}

/// The layers that can be read; what is wrong with others is told.
fn items<'a>(node: &'a Node, path: &str, problems: &mut Vec<Problem>) -> Vec<Vec<(Field, &'a Entry)>> {
    let mut problem = |path: String, position, kind| problems.push(Problem { path, position, kind });
    let Content::Sequence(items) = &node.content else {
        problem(format!("{path}{LAYERS}"), node.position, wrong_type(Wanted::Layers, node));
        return Vec::new();
    };
    let mut layers = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}{LAYERS}[{index}]");
        let Content::Mapping(entries) = &item.content else {
            problem(path, item.position, wrong_type(Wanted::Layer, item));
            continue;
        };
        let mut layer = Vec::new();
        for entry in entries.iter().filter(|(_, node)| !node.is_null()) {
            let name = &entry.0.scalar.text;
            if let Some(field) = field(name).filter(|field| LAYER.contains(field)) {
                layer.push((field, entry));
                continue;
            }
            let nearest = nearest(name, LAYER.iter().map(|field| field.name()));
            let kind = ProblemKind::NoLayer { name: name.clone(), nearest };
            problem(format!("{path}.{name}"), entry.0.position, kind);
        }
        layers.push(layer);
    }
    layers
}

/// The layers, as few specs as keep their order.
fn stages<'a>(layers: impl Iterator<Item = Vec<(Field, &'a Entry)>>) -> Vec<Stage> {
    let mut stages = vec![Stage::default()];
    for layer in layers {
        let layer = Stage::of(&layer);
        let last = stages.last_mut().expect("there is always one");
        if last.takes(&layer) {
            last.add(layer);
        } else {
            // Who containers run as is so in all that follows.
            let user = last.options.iter().find(|(key, _)| key.scalar.text == USER).cloned();
            let mut next = Stage { options: user.into_iter().collect(), ..Stage::default() };
            next.add(layer);
            stages.push(next);
        }
    }
    stages
}

const USER: &str = "user";
/// Options that say how a container starts, which copies and commands see.
const STARTS: [&str; 2] = [USER, "working_directory"];
const COPY: &str = "copy";

/// One spec of the chain.
#[derive(Clone, Debug, Default)]
struct Stage {
    variables: Vec<Entry>,
    /// Options besides those of the whole image.
    options: Vec<Entry>,
    /// `copy` of the options.
    placed: Vec<Node>,
    secrets: Option<Entry>,
    fields: Vec<(Field, Entry)>,
    /// What is done, each once and in order.
    work: Vec<Work>,
}

impl Stage {
    /// The spec of one layer.
    fn of(layer: &[(Field, &Entry)]) -> Self {
        let mut stage = Self::default();
        for (field, entry) in layer {
            match (field, &entry.1.content) {
                (Field::Env, Content::Mapping(variables)) => stage.variables.extend_from_slice(variables),
                (Field::PipSecretMounts, _) => stage.secrets = Some((*entry).clone()),
                (Field::BuilderOptions, Content::Mapping(options)) => stage.options(options),
                _ => stage.fields.push((*field, (*entry).clone())),
            }
            stage.work.extend(work(*field));
        }
        stage.work.sort();
        stage.work.dedup();
        stage
    }

    fn options(&mut self, options: &[Entry]) {
        for (key, value) in options {
            match &value.content {
                Content::Sequence(copies) if key.scalar.text == COPY => {
                    self.placed.extend(copies.iter().cloned());
                    self.work.push(Work::Copies);
                }
                _ => self.options.push((key.clone(), value.clone())),
            }
        }
    }

    /// Whether the image is the same when a layer is done in this spec, instead of in one over it.
    fn takes(&self, layer: &Self) -> bool {
        let has = |entries: &[Entry], (key, _): &Entry| {
            entries.iter().any(|(other, _)| other.scalar.text == key.scalar.text)
        };
        let does = |work: Work| self.work.last() >= Some(&work);
        let is_seen_only_later = !layer.variables.iter().any(|it| has(&self.variables, it))
            && (layer.variables.is_empty() || !does(Work::Commands));
        let starts = |(key, _): &&Entry| STARTS.contains(&key.scalar.text.as_str());
        let starts_as_before = layer.options.iter().filter(starts).count() == 0 || !does(Work::Copies);
        let is_said_once = !layer.options.iter().any(|it| has(&self.options, it));
        let has_own_secrets = self.secrets.as_ref().map(|it| &it.1) != layer.secrets.as_ref().map(|it| &it.1)
            && !self.work.is_empty()
            && !layer.work.is_empty();
        // Two installations one after the other are not one: the later may replace what the earlier brought.
        let is_in_order = match (self.work.last(), layer.work.first()) {
            (Some(last), Some(first)) => last < first || last == first && *first != Work::Packages,
            _ => true,
        };
        // A spec copies what `copy` says before what its options say.
        let copies_in_order =
            self.placed.is_empty() || !layer.fields.iter().any(|(field, _)| *field == Field::Copy);
        is_seen_only_later
            && starts_as_before
            && is_said_once
            && !has_own_secrets
            && is_in_order
            && copies_in_order
    }

    fn add(&mut self, layer: Self) {
        self.variables.extend(layer.variables);
        self.options.extend(layer.options);
        self.placed.extend(layer.placed);
        self.secrets = layer.secrets.or(self.secrets.take());
        for (field, (key, node)) in layer.fields {
            let existing = self.fields.iter_mut().find(|(other, _)| *other == field);
            match (existing.map(|(_, (_, node))| &mut node.content), node.content) {
                (Some(Content::Sequence(items)), Content::Sequence(further)) => items.extend(further),
                (_, content) => self.fields.push((field, (key, Node { position: node.position, content }))),
            }
        }
        self.work.extend(layer.work);
        self.work.dedup();
    }

    /// Its entries, with those of the whole image and the base that it is over.
    fn over(self, base: Option<Entry>, beside: &[Entry], options: Option<&Node>) -> Vec<Entry> {
        let mapping = |content: Vec<Entry>| Node { position: None, content: Content::Mapping(content) };
        let mut entries: Vec<Entry> = beside.to_vec();
        entries.extend(base);
        entries.extend(self.fields.into_iter().map(|(_, entry)| entry));
        entries.extend(self.secrets);
        if !self.variables.is_empty() {
            entries.push((key(Field::Env), mapping(self.variables)));
        }
        let whole = match options.map(|options| &options.content) {
            Some(Content::Mapping(whole)) => whole.as_slice(),
            _ => &[],
        };
        let mut all: Vec<Entry> = whole.iter().cloned().chain(self.options).collect();
        if !self.placed.is_empty() {
            let copies = Node { position: None, content: Content::Sequence(self.placed) };
            all.push((Key { position: None, scalar: Scalar::string(COPY) }, copies));
        }
        if !all.is_empty() {
            entries.push((key(Field::BuilderOptions), mapping(all)));
        }
        entries
    }
}

fn work(field: Field) -> Option<Work> {
    match field {
        Field::AptPackages => Some(Work::AptPackages),
        Field::Packages
        | Field::Requirements
        | Field::PipIndex
        | Field::PipExtraIndexUrl
        | Field::PipExtraArgs => Some(Work::Packages),
        Field::Copy => Some(Work::Copies),
        Field::Commands => Some(Work::Commands),
        _ => None,
    }
}

fn key(field: Field) -> Key {
    Key { position: None, scalar: Scalar::string(field.name()) }
}

#[cfg(test)]
mod tests {
    use crate::{BaseImage, ImageSpec, ParseOptions, SpecError, parse_yaml};

    /// Each spec of the chain, the lowest first, in the order in which a spec does things.
    fn chain(yaml: &str) -> Vec<String> {
        let spec = parse_yaml(yaml, &ParseOptions::default()).unwrap();
        let mut lines: Vec<String> = spec.with_bases().map(line).collect();
        lines.reverse();
        lines
    }

    fn line(spec: &ImageSpec) -> String {
        let options = &spec.builder_options;
        let starts = options.user.iter().chain(&options.working_directory).cloned();
        let variables = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
        let placed = options.copy.iter().map(|copy| &copy.source);
        let copies = spec.copy.iter().chain(placed).map(|path| path.display().to_string());
        let words = starts.chain(variables);
        let words = words.chain(spec.apt_packages.iter().cloned()).chain(spec.packages.iter().cloned());
        let words: Vec<String> = words.chain(copies).chain(spec.commands.iter().cloned()).collect();
        words.join(" ")
    }

    #[test]
    fn layers_in_the_order_of_a_spec_are_one_spec() {
        let yaml = "layers:\n- {apt_packages: [git]}\n- {env: {A: '1'}}\n- {apt_packages: [curl]}\n\
                    - {packages: [numpy]}\n- {env: {B: '2'}}\n- {builder_options: {copy: [{source: src}]}}\n\
                    - {builder_options: {copy: [{source: data}]}}\n- {commands: [make]}\n- {commands: [make install]}\n";
        assert_eq!(chain(yaml), ["A=1 B=2 git curl numpy src data make make install"]);
    }

    #[test]
    fn what_would_be_another_image_has_a_spec_of_its_own() {
        for (layers, specs) in [
            // The later installation may replace what the earlier brought.
            ("[{packages: [a]}, {packages: [b]}]", &["a", "b"][..]),
            ("[{commands: [make]}, {packages: [a]}]", &["make", "a"]),
            ("[{commands: [make]}, {env: {A: x}}]", &["make", "A=x"]),
            ("[{env: {A: x}}, {env: {A: $A:y}}]", &["A=x", "A=$A:y"]),
            // A relative destination is in the folder that was there then.
            (
                "[{builder_options: {copy: [{source: s}]}}, {builder_options: {working_directory: /w}}]",
                &["s", "/w"],
            ),
            // What is copied later replaces what was there.
            ("[{builder_options: {copy: [{source: s}]}}, {copy: [c]}]", &["s", "c"]),
            ("[{copy: [c]}, {builder_options: {copy: [{source: s}]}}]", &["c s"]),
            ("[{builder_options: {user: u}}, {commands: [a]}, {packages: [b]}]", &["u a", "u b"]),
            ("[{apt_packages: [a], pip_secret_mounts: [[f, /f]]}, {packages: [b]}]", &["a", "b"]),
            ("[]", &[""]),
        ] {
            assert_eq!(chain(&format!("layers: {layers}")), specs, "{layers}");
        }
    }

    #[test]
    fn what_stands_beside_them_is_the_images() {
        let yaml = "{name: app, registry: localhost:5000, tag_format: v1, python_version: '3.11', platform: linux/arm64,\
                    base_image: 'debian:12', builder_options: {layout: flyte, commands: separate}, source_root: /tmp/x,\
                    source_copy_mode: NO_COPY, layers: [{packages: [a]}, {packages: [b]}]}";
        let spec = parse_yaml(yaml, &ParseOptions::default()).unwrap();
        assert_eq!(spec.image_name_text(".".as_ref()).unwrap(), "localhost:5000/app:v1");
        let Some(BaseImage::Spec(inner)) = &spec.base_image else { panic!("{:?}", spec.base_image) };
        assert_eq!((inner.registry.as_ref(), inner.states_platforms), (None, false));
        assert!(matches!(inner.base_image, Some(BaseImage::Registry(_))));
        for spec in [&spec, inner] {
            assert_eq!(spec.python_version.unwrap().to_string(), "3.11");
            assert!(spec.builder_options.separate_commands);
        }
        // Where the sources are for the moment is in no name.
        let elsewhere = parse_yaml(&yaml.replace("/tmp/x", "/tmp/y"), &ParseOptions::default()).unwrap();
        let Some(BaseImage::Spec(other)) = elsewhere.base_image else { panic!() };
        let directory = ".".as_ref();
        assert_eq!(inner.image_name(directory).unwrap(), other.image_name(directory).unwrap());
    }

    #[test]
    fn problems_are_where_they_were_written() {
        let said = |yaml: &str| match parse_yaml(yaml, &ParseOptions::default()).unwrap_err() {
            SpecError::Invalid { problems, .. } => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                lines.join("; ")
            }
            other => panic!("{other}"),
        };
        assert_eq!(
            said("packages: [a]\nlayers: []"),
            "packages (line 1, column 1): it cannot stand beside `layers`"
        );
        assert_eq!(
            said("layers:\n- registry: x"),
            "layers[0].registry (line 2, column 3): a layer has no such field"
        );
        assert_eq!(
            said("layers: {a: b}"),
            "layers (line 1, column 9): a list of layers is wanted here, not a mapping"
        );
    }
}
