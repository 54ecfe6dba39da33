//! What a lock was made from, and so whether it still covers a spec.

use std::collections::{BTreeMap, BTreeSet};

use imagewright_oci::{Digest, Platform, canonical_json};
use imagewright_recipe::{Base, Recipe};
use imagewright_spec::{Declared, Outcome, SourceTree, Sources, as_asked, as_locked, entry_name};
use serde::Serialize;

use crate::Lock;
use crate::difference::differing_names;

/// What a lock has to have been made from to cover a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedInputs {
    /// By the names of [`locked_inputs`].
    pub digests: BTreeMap<String, Digest>,
    /// The user's files that are copied.
    pub sources: BTreeMap<String, SourceTree>,
}

/// How many files are named of one source.
const MOST_FILES: usize = 4;

/// Digests of all that a resolution depends on: the fields of the spec that matter to it, and every local file
/// that they reach, by the name the user knows.
///
/// What only names the image or sets it up (`name`, `registry`, `env`, …) is left out: a lock serves for them all.
pub fn locked_inputs(recipe: &Recipe, declared: &Declared, sources: &Sources) -> LockedInputs {
    let files = declared.inputs.iter().filter(|(name, _)| *name != "spec");
    let mut inputs: BTreeMap<String, Digest> = files.map(|(name, digest)| (name.clone(), *digest)).collect();
    let (interpreter, packages) = (recipe.interpreter(), recipe.packages());
    let base = match &recipe.base {
        // What another spec says is an input of its own, `base_image: spec`.
        Base::Debian | Base::Spec => None,
        Base::Image(reference) => Some(reference.to_string()),
        Base::Local(image) => Some(image.to_string()),
    };
    let texts: Vec<&str> = packages.packages.iter().map(|package| package.text.as_str()).collect();
    let mut put = |name: &str, digest: Option<Digest>| {
        inputs.extend(digest.map(|digest| (name.to_owned(), digest)));
    };
    put("base_image", digest(base));
    put("python_version", digest(interpreter.version));
    put("python_exec", digest(interpreter.path.as_ref()));
    put("packages", digest(Some(texts).filter(|texts| !texts.is_empty())));
    put("requirements", digest(packages.requirements_file.as_ref()));
    put("pip_index", digest(packages.index.as_ref()));
    put("pip_extra_index_url", digest(Some(&packages.extra_indexes).filter(|urls| !urls.is_empty())));
    put("pip_extra_args", digest(packages.extra_arguments.as_ref()));
    put("builder_options.bytecode", digest(Some(packages.bytecode)));
    let sources = sources.iter().map(|(name, source)| (name.clone(), source.tree.clone()));
    LockedInputs { digests: inputs, sources: sources.collect() }
}

fn digest(value: Option<impl Serialize>) -> Option<Digest> {
    value.map(|value| Digest::of(&canonical_json(&value)))
}

impl Lock {
    /// What a lock does not cover, by the names of [`locked_inputs`], of copied files and of platforms; nothing when it
    /// covers all.
    ///
    /// What a front end asks for it covers in the version that it has, and a Python that nobody chose in another one.
    pub fn uncovered(&self, wanted: &LockedInputs, platforms: &[Platform]) -> Vec<String> {
        let is_source = |name: &str| self.sources.contains_key(name) || wanted.sources.contains_key(name);
        let has = as_asked(&wanted.digests, &as_locked(&self.inputs, |_| Some(Outcome::There)));
        let inputs = differing_names(&wanted.digests, &has).into_iter().cloned();
        let inputs = inputs.filter(|name| !is_source(name));
        let sources = differing_names(&wanted.sources, &self.sources).into_iter();
        let sources = sources.flat_map(|name| self.changed_files(name, wanted));
        let differing: BTreeSet<String> = inputs.chain(sources).collect();
        let missing = platforms.iter().filter(|platform| self.platform(platform).is_none());
        differing.into_iter().chain(missing.map(ToString::to_string)).collect()
    }

    /// The files of a source that are not what they were; its name when it is not there on both sides.
    fn changed_files(&self, name: &str, wanted: &LockedInputs) -> Vec<String> {
        let (Some(then), Some(now)) = (self.sources.get(name), wanted.sources.get(name)) else {
            return vec![name.to_owned()];
        };
        let changed = differing_names(&now.entries, &then.entries);
        let mut names: Vec<String> =
            changed.iter().take(MOST_FILES).map(|path| entry_name(name, path)).collect();
        if changed.len() > MOST_FILES {
            names.push(format!("{} more files of {name}", changed.len() - MOST_FILES));
        }
        names
    }

    /// The same lock for the copied files as they are now: nothing else that it pins depends on them.
    pub fn with_sources(&self, wanted: &LockedInputs) -> Self {
        let mut lock = self.clone();
        lock.inputs.retain(|name, _| !self.sources.contains_key(name));
        let digests = wanted.digests.iter().filter(|(name, _)| wanted.sources.contains_key(*name));
        lock.inputs.extend(digests.map(|(name, digest)| (name.clone(), *digest)));
        lock.sources.clone_from(&wanted.sources);
        lock
    }
}

#[cfg(test)]
mod tests {
    use imagewright_pypa::PythonMinor;
    use imagewright_recipe::lower;
    use imagewright_spec::{ParseOptions, SourceEntry, parse_yaml};

    use super::*;
    use crate::DEFAULT_EPOCH;

    fn inputs(yaml: &str, files: &[(&str, &[u8])]) -> LockedInputs {
        let spec = parse_yaml(yaml, &ParseOptions::default()).unwrap();
        let recipe = lower(&spec, PythonMinor(13).into()).unwrap();
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), Digest::of(content)));
        let spec = [("spec".to_owned(), Digest::of(yaml.as_bytes()))];
        let declared = Declared { digest: Digest::of(b""), inputs: files.chain(spec).collect() };
        locked_inputs(&recipe, &declared, &Sources::new())
    }

    fn lock_of(inputs: &LockedInputs) -> Lock {
        Lock {
            version: Lock::VERSION,
            epoch: DEFAULT_EPOCH,
            inputs: inputs.digests.clone(),
            sources: inputs.sources.clone(),
            platforms: BTreeMap::new(),
        }
    }

    fn uncovered(then: &LockedInputs, now: &LockedInputs) -> String {
        lock_of(then).uncovered(now, &[Platform::linux_amd64()]).join(" ")
    }

    #[test]
    fn names_the_fields_and_files_that_changed() {
        let then = inputs("{packages: [numpy], python_version: '3.11'}", &[("requirements.txt", b"six")]);
        let check = |yaml, files: &[(&str, &[u8])], expected: &str| {
            assert_eq!(uncovered(&then, &inputs(yaml, files)), format!("{expected}linux/amd64"), "{yaml}");
        };
        let same: &[(&str, &[u8])] = &[("requirements.txt", b"six")];
        check("{packages: [numpy], python_version: 3.11, name: a, registry: r.io, env: {A: b}}", same, "");
        check("{packages: [numpy, six], python_version: '3.11'}", same, "packages ");
        check("{packages: [numpy], base_image: 'debian:12'}", same, "base_image python_version ");
        check(
            "{packages: [numpy], python_version: '3.11'}",
            &[("requirements.txt", b"idna")],
            "requirements.txt ",
        );
        let options = "{packages: [numpy], python_version: '3.11', builder_options: {bytecode: false}}";
        check(options, same, "builder_options.bytecode ");
    }

    #[test]
    fn what_a_lock_has_of_a_front_ends_packages_it_covers() {
        let of = |files: &[(&str, &[u8])]| inputs("{packages: [numpy]}", files);
        let then = of(&[("with: kit==1.2", b"kit==1.2"), ("python by default", b"3.11")]);
        let check = |now: &[(&str, &[u8])], expected: &str| {
            assert_eq!(uncovered(&then, &of(now)), format!("{expected}linux/amd64"), "{now:?}");
        };
        let python: (&str, &[u8]) = ("python by default", b"3.12");
        check(&[("with: kit==1.3", b"kit==1.3"), python], "");
        check(&[python], "");
        check(&[("with: six", b"six"), python], "with: six ");
        check(&[("python", b"3.12")], "python ");
    }

    fn with_files(then: &LockedInputs, files: &[(&str, &str)]) -> LockedInputs {
        let file = |text: &str| SourceEntry::File {
            executable: false,
            size: text.len() as u64,
            digest: Digest::of(text.as_bytes()),
        };
        let entries = files.iter().map(|(path, text)| ((*path).to_owned(), file(text)));
        let tree = SourceTree { entries: entries.collect() };
        let mut inputs = then.clone();
        inputs.digests.insert("copy: data".to_owned(), tree.digest());
        inputs.sources.insert("copy: data".to_owned(), tree);
        inputs
    }

    #[test]
    fn names_the_files_that_changed() {
        let then = with_files(&inputs("{packages: [numpy]}", &[]), &[("a", "1"), ("x/b", "2")]);
        let check = |files: &[(&str, &str)], expected: &str| {
            let now = with_files(&then, files);
            assert_eq!(uncovered(&then, &now), format!("{expected}linux/amd64"), "{files:?}");
        };
        check(&[("a", "1"), ("x/b", "2")], "");
        check(&[("a", "1"), ("x/b", "3"), ("c", "")], "data/c data/x/b ");
        check(&[("x/b", "2")], "data/a ");
        let many = ["b", "c", "d", "e", "f", "g"].map(|name| (name, ""));
        check(&many, "4 more files of copy: data data/a data/b data/c data/d ");
        assert_eq!(uncovered(&then, &inputs("{packages: [numpy]}", &[])), "copy: data linux/amd64");

        let lock = lock_of(&then);
        let now = with_files(&then, &[("a", "2")]);
        assert!(lock.with_sources(&now).uncovered(&now, &[]).is_empty());
        let other = inputs("{packages: [numpy, six]}", &[]);
        assert_eq!(lock.with_sources(&other).uncovered(&other, &[]), ["packages"]);
    }
}
