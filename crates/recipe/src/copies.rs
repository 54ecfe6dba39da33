use std::path::Path;

use imagewright_spec::{CopyOptions, Field, ImageSpec, Layout, SourceTree, clean, source_name};

use crate::step::{CopyStep, Destination};

/// Where relative destinations are, and what has no other one: the folder that tasks start in.
const HOME: &str = "root";

/// All that a spec has copied, in flytekit's order: the source root, then `copy`, then what has options of its own.
pub(crate) fn copies(spec: &ImageSpec) -> impl Iterator<Item = CopyStep> {
    let is_flytes = spec.builder_options.layout == Layout::Flyte;
    let is_absolute =
        |copy: &CopyOptions| copy.destination.as_ref().is_some_and(|path| path.starts_with('/'));
    let is_relative = move |copy: &CopyOptions| is_flytes && !is_absolute(copy);
    let root = spec.source_root.iter().filter(|_| spec.copies_source_root());
    let root = root.map(|path| step(Field::SourceRoot, path, Destination::At(HOME.to_owned())));
    let copies = spec.copy.iter().enumerate().map(|(index, path)| CopyStep {
        origin: format!("copy[{index}]"),
        ..step(Field::Copy, path, below_home(path))
    });
    let placed = spec.builder_options.copy.iter().enumerate();
    let placed = placed.map(move |(index, copy)| CopyStep {
        origin: format!("builder_options.copy[{index}]"),
        owner: copy.owner.clone(),
        mode: copy.mode,
        is_relative: is_relative(copy),
        ..step(Field::BuilderOptions, &copy.source, destination(copy, is_relative(copy)))
    });
    root.chain(copies).chain(placed)
}

fn step(field: Field, path: &Path, destination: Destination) -> CopyStep {
    let file_name = clean(path).rsplit('/').next().filter(|name| *name != SourceTree::TOP).map(str::to_owned);
    let (origin, input) = (field.to_string(), source_name(field, path));
    CopyStep { origin, input, file_name, destination, is_relative: false, owner: None, mode: None }
}

fn below_home(path: &Path) -> Destination {
    match clean(path) {
        top if top == SourceTree::TOP => Destination::At(HOME.to_owned()),
        path => Destination::At(format!("{HOME}/{path}")),
    }
}

/// Where it goes; `is_relative` says that this is below the working directory, wherever that is.
fn destination(copy: &CopyOptions, is_relative: bool) -> Destination {
    let text = match &copy.destination {
        Some(text) => text,
        None if is_relative => return Destination::At(clean(&copy.source)),
        None => return below_home(&copy.source),
    };
    let path = match text.strip_prefix('/') {
        Some(absolute) => clean(Path::new(absolute)),
        None if is_relative => clean(Path::new(text)),
        None => match below_home(Path::new(text)) {
            Destination::At(path) | Destination::Into(path) => path,
        },
    };
    let is_folder = text.ends_with('/') || text.ends_with("/.") || text == ".";
    if is_folder { Destination::Into(path) } else { Destination::At(path) }
}

#[cfg(test)]
mod tests {
    use imagewright_spec::{ParseOptions, parse_yaml};

    use super::*;

    #[test]
    fn each_has_its_place_and_comes_in_order() {
        let yaml = "source_root: ./src\nsource_copy_mode: ALL\ncopy: [a/b.csv, ., ./c/]\n\
                    builder_options:\n  copy:\n  - {source: x.toml, destination: /etc/app/}\n\
                    \x20 - {source: x.toml, destination: conf/y.toml, owner: root, mode: '600'}\n\
                    \x20 - {source: c, mode: '0600'}\n";
        let spec = parse_yaml(yaml, &ParseOptions::default()).unwrap();
        let lines: Vec<String> = copies(&spec)
            .map(|copy| {
                let CopyStep { origin, input, file_name, destination, owner, mode, is_relative: _ } = copy;
                let name = file_name.unwrap_or_default();
                let rest = owner.into_iter().chain(mode.map(|mode| format!("{mode:o}")));
                let rest: Vec<String> = rest.collect();
                format!("{origin} | {input} | {name} | {destination:?} {}", rest.join(" "))
            })
            .collect();
        assert_eq!(
            lines,
            [
                "source_root | source_root | src | At(\"root\") ",
                "copy[0] | copy: a/b.csv | b.csv | At(\"root/a/b.csv\") ",
                "copy[1] | copy: . |  | At(\"root\") ",
                "copy[2] | copy: c | c | At(\"root/c\") ",
                "builder_options.copy[0] | copy: x.toml | x.toml | Into(\"etc/app\") ",
                "builder_options.copy[1] | copy: x.toml | x.toml | At(\"root/conf/y.toml\") root 600",
                "builder_options.copy[2] | copy: c | c | At(\"root/c\") 600",
            ]
        );
    }
}
