//! Whether what an image was made from is what is asked for.
//!
//! A front end asks for packages beside those of the spec (`with`). An image that has more of these than are asked for
//! has all that is, and serves; so who builds a spec without them does not take them from who needs them.

use imagewright_lock::differing_names;
use imagewright_oci::{Digest, canonical_json};
use imagewright_spec::requirements::distribution;
use imagewright_spec::{Declared, InputDigests, WITH, as_asked};

use crate::provenance::Provenance;

/// The inputs in which an image is not what is asked for, by the name the user knows; none when it is.
///
/// `inputs` are those that it has, or what of them counts.
pub(crate) fn unfulfilled(asked: &Declared, has: &Provenance, inputs: &InputDigests) -> Vec<String> {
    if has.declared == asked.digest {
        return Vec::new();
    }
    let then = as_asked(&asked.inputs, inputs);
    if then == asked.inputs {
        // The digest may be over more than the names, of a version that knows more than this one does.
        let is_all = has.declared == Digest::of(&canonical_json(&has.inputs));
        return if is_all { Vec::new() } else { vec!["spec".to_owned()] };
    }
    if has.inputs.is_empty() {
        return vec!["spec".to_owned()];
    }
    let names = differing_names(&asked.inputs, &then).into_iter();
    names.map(|name| told(name, &has.inputs)).collect()
}

/// `flytekit 1.16.30 -> 1.16.31 (with)` where a front end asks for another version than the image has.
fn told(name: &str, has: &InputDigests) -> String {
    let Some(wanted) = name.strip_prefix(WITH) else { return name.to_owned() };
    let others = has.keys().filter_map(|name| name.strip_prefix(WITH));
    let is_same = |other: &&str| *other != wanted && distribution(other) == distribution(wanted);
    let Some(other) = others.filter(|_| distribution(wanted).is_some()).find(is_same) else {
        return name.to_owned();
    };
    match (other.split_once("=="), wanted.split_once("==")) {
        (Some((_, from)), Some((package, to))) => format!("{package} {from} -> {to} (with)"),
        _ => format!("{other} -> {wanted} (with)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(written: &[(&str, &str)]) -> InputDigests {
        written.iter().map(|(name, text)| ((*name).to_owned(), Digest::of(text.as_bytes()))).collect()
    }

    fn declared(written: &[(&str, &str)]) -> Declared {
        let inputs = inputs(written);
        Declared { digest: Digest::of(&canonical_json(&inputs)), inputs }
    }

    fn lacking(asked: &[(&str, &str)], has: &[(&str, &str)]) -> String {
        let Declared { digest, inputs } = declared(has);
        let has = Provenance { declared: digest, inputs, lock: None };
        unfulfilled(&declared(asked), &has, &has.inputs).join(", ")
    }

    #[test]
    fn what_differs_is_never_said_to_exist() {
        let same = [("packages", "numpy"), ("requirements: a.txt", "six")];
        let asked = declared(&same);
        let check = |declared: &[u8], then: &[(&str, &str)], expected: &[&str]| {
            let has = Provenance { declared: Digest::of(declared), inputs: inputs(then), lock: None };
            assert_eq!(unfulfilled(&asked, &has, &has.inputs), expected, "{then:?}");
        };
        check(&canonical_json(&asked.inputs), &same, &[]);
        check(b"then", &[("packages", "scipy"), same[1]], &["packages"]);
        // Both agree on every name, and still on nothing: the digest is over more than the names.
        check(b"then", &same, &["spec"]);
        check(b"then", &[], &["spec"]);
        check(b"then", &[same[0], same[1], ("with: six", "six")], &["spec"]);
    }

    #[test]
    fn an_image_that_has_more_serves_and_one_that_has_less_does_not() {
        let spec = ("spec", "numpy");
        let old = ("with: flytekit==1.16.30", "flytekit==1.16.30");
        let new = ("with: flytekit==1.16.31", "flytekit==1.16.31");
        let six = ("with: six", "six");
        assert_eq!(lacking(&[spec], &[spec, new]), "");
        assert_eq!(lacking(&[spec, new], &[spec, six, new]), "");
        assert_eq!(lacking(&[spec, new], &[spec]), "with: flytekit==1.16.31");
        assert_eq!(lacking(&[spec, new], &[spec, old]), "flytekit 1.16.30 -> 1.16.31 (with)");
        assert_eq!(lacking(&[spec, old], &[spec, new]), "");
        assert_eq!(lacking(&[spec, ("with: flytekit", "")], &[spec, old]), "");
        let range = ("with: flytekit>=2", "");
        assert_eq!(lacking(&[spec, range], &[spec, old]), "flytekit==1.16.30 -> flytekit>=2 (with)");
        assert_eq!(lacking(&[spec, six], &[spec, old]), "with: six");
        assert_eq!(lacking(&[("spec", "scipy")], &[spec, new]), "spec");
    }
}
