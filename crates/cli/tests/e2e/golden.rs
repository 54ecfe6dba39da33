//! Digests of layers that must not change without a new format number.

use std::collections::BTreeMap;

use crate::support::{Offline, network};
use imagewright_oci::Platform;
use imagewright_testkit::image::ImageBuilder;

/// Real wheels, pure and native, of releases that stay as they are.
const PACKAGES: &str = "idna==3.10, markupsafe==3.0.2, pyyaml==6.0.2, six==1.17.0";

/// The layers of the packages for one Python.
struct Golden {
    python: &'static str,
    /// Of each layer: what is in it, and its digest without bytecode.
    plain: [(&'static str, &'static str); 4],
    /// Who compiled, and the digests with bytecode: these are good for this compiler only.
    compiler: &'static str,
    compiled: [(&'static str, &'static str); 4],
}

const GOLDEN: [Golden; 3] = [
    Golden {
        python: "3.9.2",
        plain: [
            ("idna 3.10", "8486838dbd1f1311f6e57abcec86a9524abad395bd7c21d3c9d0685b579337d5"),
            ("markupsafe 3.0.2", "c25c6a46c8f268fe5f3645ae2aa6a3929948b63b121d6241e383074263401d2b"),
            ("pyyaml 6.0.2", "6c3786fc474153fd5a300171ef0d4286b66c4bbcad0ca702699ba0833b6d312f"),
            ("six 1.17.0", "7ef9455d5562d247e6e6e49b19cd1541e343f96b18465531d640bc6d43979fa4"),
        ],
        compiler: "Debian python3.9-minimal 3.9.2-1+deb11u7",
        compiled: [
            ("idna 3.10", "e14126311b1443baa3dc3cc876ba926788b2121a54755a9903fba7a145fb71d1"),
            ("markupsafe 3.0.2", "7199fd24e5ab046e31ff0dabe4d3ddf1250f58e1f9e3377f52062de2545410c3"),
            ("pyyaml 6.0.2", "0a18c74cccea21833328baa6aa39c3198ba882d5cff6dad7755afa1ff868ab42"),
            ("six 1.17.0", "211eedb3b5e3ea8185166ecd0545e5d0cf3762ec31e5f58aa96db79bd2dbbe22"),
        ],
    },
    Golden {
        python: "3.11.2",
        plain: [
            ("idna 3.10", "acd2ddc9c377ddd03ac6d34f887a971c492a18dc7843d03bbd010e90e5c7538a"),
            ("markupsafe 3.0.2", "bfc1f06ea94e02f7fe60d899cfc2b94e25df426e1ca41994fa771434a8b1a39b"),
            ("pyyaml 6.0.2", "ca71b3bbab110e750fd36b7d3fc7b9a276e859cfcefd68e5b41b53821307dc18"),
            ("six 1.17.0", "0829dd04dc52003b2e813087a0154d0e37f43672ea8261312e86e452456be522"),
        ],
        compiler: "Debian python3.11-minimal 3.11.2-6+deb12u9",
        compiled: [
            ("idna 3.10", "9ecdcb795aad81b52da372f0c74bbf6cf0e949cfe15262ff354062e1ea799890"),
            ("markupsafe 3.0.2", "4b19e3952e400dca732ae6f3393cb9589f563b924315959591d3a640bb15d6ac"),
            ("pyyaml 6.0.2", "588b0d6b45dcb58d809012492673dc7bddc6a07c667485c8425ddb217726c089"),
            ("six 1.17.0", "10deb8beaf7853a5bc7a2ef707654fefe7c57d8c001ed782982fe0694ebf0b99"),
        ],
    },
    Golden {
        python: "3.13.5",
        plain: [
            ("idna 3.10", "e643ec5bfa21a8388b9dbd14f624fb9e3d2ca4d86bf15d1bce21b18b1dbc60fc"),
            ("markupsafe 3.0.2", "862e474ccad7034ff9a080adbb2748a5a154e88258f3d5f4f991376f6d957054"),
            ("pyyaml 6.0.2", "0978539269d5b20bb40306bfcd93d9a9385d262c684c123c4dbccd997a63898e"),
            ("six 1.17.0", "d4972aefe84abb6add57a02f2ae11c034d51dc44aa37b8a81dc5204de89917fb"),
        ],
        compiler: "Debian python3.13-minimal 3.13.5-2+deb13u5",
        compiled: [
            ("idna 3.10", "4f8d876a3b36e04163e43905fadec42afb873e6497db19b6049ea5a6477f1fe3"),
            ("markupsafe 3.0.2", "925baa67a3596323e78117fa4b1d535c399dd724506fca8e55dffc55bcd72f22"),
            ("pyyaml 6.0.2", "2783fc79764d876845aa4af1a6b0ca8583f68bda405ede89113cf666c59998b3"),
            ("six 1.17.0", "f6397fb5c408572983dfadf1b455b5c1c769d87b7997bf855e9481eb221250c4"),
        ],
    },
];

type Layers = BTreeMap<String, String>;

#[test]
fn layers_of_named_wheels_have_known_digests() {
    let (Some(()), Some(world)) = (network(), Offline::new()) else { return };
    let mut wrong = Vec::new();
    for golden in &GOLDEN {
        ImageBuilder::like_debian(Platform::linux_amd64(), golden.python).put(&world.registry, "base", "1");
        let known = |layers: [(&str, &str); 4]| -> Layers {
            layers
                .iter()
                .map(|(packages, digest)| ((*packages).to_owned(), format!("sha256:{digest}")))
                .collect()
        };
        let (plain, _) = layers(&world, golden.python, false);
        if plain != known(golden.plain) {
            wrong.push(format!("without bytecode for {}: {plain:#?}", golden.python));
        }
        let (with_bytecode, compiler) = layers(&world, golden.python, true);
        if compiler != golden.compiler {
            println!("skipped: the compiler of {} is {compiler}, not {}", golden.python, golden.compiler);
        }
        if compiler == golden.compiler && with_bytecode != known(golden.compiled) {
            wrong.push(format!("with the bytecode of {compiler} for {}: {with_bytecode:#?}", golden.python));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The layers of the packages, and what compiled them.
fn layers(world: &Offline, python: &str, bytecode: bool) -> (Layers, String) {
    let host = world.registry.host();
    let text = format!(
        "name: golden\nregistry: {host}\nbase_image: {host}/base:1\npackages: [{PACKAGES}]\n\
         builder_options: {{bytecode: {bytecode}}}\nenv: {{PYTHON: {python}}}\n"
    );
    world.workshop.write("image.yaml", text);
    let lock = world.workshop.run(&["lock", "image.yaml", "--output", "-", "--refresh"]).expect(0).stdout;
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let compiler = &lock["platforms"]["linux/amd64"]["compiler"]["identity"];
    let report = world.workshop.build("image.yaml", &["--refresh"]);
    let named = report
        .own_layers()
        .into_iter()
        .filter(|layer| layer.packages.iter().any(|package| PACKAGES.contains(&package.replace(' ', "=="))));
    let layers = named.map(|layer| (layer.packages.join(", "), layer.digest)).collect();
    (layers, compiler.as_str().unwrap_or_default().to_owned())
}
