//! What a lock was made from, and so whether it still covers a spec.

use std::collections::BTreeMap;

use imagewright_oci::{Digest, Platform, canonical_json};
use imagewright_recipe::{Base, Recipe};
use imagewright_spec::Declared;
use serde::Serialize;

use crate::Lock;
use crate::difference::differing_names;

/// Digests of all that a resolution depends on: the fields of the spec that matter to it, and every local file
/// that they reach, by the name the user knows.
///
/// What only names the image or sets it up (`name`, `registry`, `env`, …) is left out: a lock serves for them all.
pub fn locked_inputs(recipe: &Recipe, declared: &Declared) -> BTreeMap<String, Digest> {
    let files = declared.inputs.iter().filter(|(name, _)| *name != "spec");
    let mut inputs: BTreeMap<String, Digest> = files.map(|(name, digest)| (name.clone(), *digest)).collect();
    let (interpreter, packages) = (recipe.interpreter(), recipe.packages());
    let base = match &recipe.base {
        Base::Debian => None,
        Base::Image(reference) => Some(reference),
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
    inputs
}

fn digest(value: Option<impl Serialize>) -> Option<Digest> {
    value.map(|value| Digest::of(&canonical_json(&value)))
}

impl Lock {
    /// What a lock does not cover, by the names of [`locked_inputs`] and of platforms; nothing when it covers all.
    pub fn uncovered(&self, inputs: &BTreeMap<String, Digest>, platforms: &[Platform]) -> Vec<String> {
        let differing = differing_names(inputs, &self.inputs).into_iter().cloned();
        let missing = platforms.iter().filter(|platform| self.platform(platform).is_none());
        differing.chain(missing.map(ToString::to_string)).collect()
    }
}

#[cfg(test)]
mod tests {
    use imagewright_pypa::PythonMinor;
    use imagewright_recipe::lower;
    use imagewright_spec::{ParseOptions, parse_yaml};

    use super::*;
    use crate::DEFAULT_EPOCH;

    fn inputs(yaml: &str, files: &[(&str, &[u8])]) -> BTreeMap<String, Digest> {
        let spec = parse_yaml(yaml, &ParseOptions::default()).unwrap();
        let recipe = lower(&spec, PythonMinor(13).into()).unwrap();
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), Digest::of(content)));
        let spec = [("spec".to_owned(), Digest::of(yaml.as_bytes()))];
        let declared = Declared { digest: Digest::of(b""), inputs: files.chain(spec).collect() };
        locked_inputs(&recipe, &declared)
    }

    fn uncovered(then: &BTreeMap<String, Digest>, now: &BTreeMap<String, Digest>) -> String {
        let lock = Lock {
            version: Lock::VERSION,
            epoch: DEFAULT_EPOCH,
            inputs: then.clone(),
            platforms: BTreeMap::new(),
        };
        lock.uncovered(now, &[Platform::linux_amd64()]).join(" ")
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
}
