//! What a spec means, field by field.

use std::path::Path;

use imagewright_spec::{
    BaseImage, BuilderName, HostArchitecture, ImageSpec, LocalFormat, Overrides, ParseOptions, SecretMount,
    SecretSource, SecretTarget, SourceCopyMode, load, parse_json, parse_yaml,
};

fn yaml(text: &str) -> ImageSpec {
    parse_yaml(text, &ParseOptions::default()).unwrap()
}

const EVERY_FIELD: &str = r#"
name: Training
python_version: 3.10
builder: imagewright
source_root: .
env: {LOG: yes, VERSION: 1.10, "QUOTED": "a b"}
registry: GHCR.io/Team
packages: [numpy, "pandas>=2"]
conda_packages: [gxx]
conda_channels: [nvidia]
requirements: requirements.txt
apt_packages: [git]
cuda: 12.10
cudnn: "8"
base_image: {name: base, packages: [scipy]}
platform: linux/amd64, linux/aarch64
pip_index: https://index.example/simple
pip_extra_index_url: [https://other.example/simple]
pip_secret_mounts: [[.netrc, /root/.netrc]]
pip_extra_args: --pre
registry_config: config.json
entrypoint: []
commands: [touch /x]
tag_format: "{spec_hash}-dev"
source_copy_mode: all
copy: [data/x.csv]
runtime_packages: [ruff]
builder_options: {bytecode: false}
builder_config: {uv_image: example/uv}
"#;

#[test]
fn every_field_is_read() {
    let spec = yaml(EVERY_FIELD);
    assert_eq!(spec.name, "training");
    assert_eq!(spec.python_version.unwrap().to_string(), "3.10");
    assert_eq!(spec.builder, BuilderName::Native);
    assert_eq!(spec.source_root.as_deref(), Some(Path::new(".")));
    let env: Vec<(&str, &str)> =
        spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("LOG", "yes"), ("VERSION", "1.10"), ("QUOTED", "a b")]);
    assert_eq!(spec.registry.as_deref(), Some("ghcr.io/team"));
    assert_eq!(spec.packages, ["numpy", "pandas>=2"]);
    assert_eq!(spec.cuda.as_deref(), Some("12.10"));
    let Some(BaseImage::Spec(base)) = &spec.base_image else { panic!("{:?}", spec.base_image) };
    assert_eq!((base.name.as_str(), &base.packages[..]), ("base", &["scipy".to_owned()][..]));
    let platforms: Vec<String> = spec.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let SecretMount { source, target } = &spec.pip_secret_mounts[0];
    assert_eq!(*source, SecretSource::File { path: ".netrc".into() });
    assert_eq!(*target, SecretTarget::File { path: "/root/.netrc".to_owned() });
    assert_eq!(spec.entrypoint, Some(Vec::new()));
    assert_eq!(spec.source_copy_mode, SourceCopyMode::All);
    assert!(!spec.builder_options.bytecode);
    assert_eq!(spec.builder_config.uv_image.as_deref(), Some("example/uv"));
}

#[test]
fn defaults_are_flytekits() {
    let spec = yaml("{}");
    assert_eq!(spec.name, "flytekit");
    assert_eq!(spec.platforms[0].to_string(), "linux/amd64");
    assert_eq!((spec.entrypoint, spec.registry), (None, None));
    assert!(spec.builder_options.bytecode);
    let local = ParseOptions { host: HostArchitecture::Arm64, overrides: Overrides::default() };
    let spec = parse_yaml("registry: localhost:5000", &local).unwrap();
    assert_eq!(spec.platforms[0].to_string(), "linux/arm64");
}

#[test]
fn the_command_line_overrides_as_if_it_had_been_written() {
    let overrides = Overrides {
        name: Some("Other".to_owned()),
        registry: Some("localhost:5000".to_owned()),
        platform: Some("linux/arm64".to_owned()),
        builder: None,
    };
    let options = ParseOptions { host: HostArchitecture::Other, overrides };
    let overridden = parse_yaml("name: x\npackages: [numpy]\nbase_image: {name: base}", &options).unwrap();
    let written = "name: other\nregistry: localhost:5000\nplatform: linux/arm64\npackages: [numpy]\nbase_image: {name: base}";
    assert_eq!(overridden.id(), yaml(written).id());
}

#[test]
fn aliases_and_merges_are_followed() {
    let spec = yaml("env: &e {A: 1, B: 2}\nbase_image:\n  env:\n    <<: *e\n    B: 3\n    C: 4\n");
    let Some(BaseImage::Spec(base)) = &spec.base_image else { panic!("{:?}", spec.base_image) };
    let env: Vec<String> = base.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=1", "B=3", "C=4"]);
}

#[test]
fn local_bases_are_told_from_registries() {
    let base = |text: &str| yaml(&format!("base_image: {text}")).base_image.unwrap();
    for (text, format, path, name) in [
        ("oci:out/image", LocalFormat::OciLayout, "out/image", None),
        ("oci-archive:x.tar:1", LocalFormat::OciArchive, "x.tar", Some("1")),
        (
            "docker-archive:x.tar:host:5000/app:1",
            LocalFormat::DockerArchive,
            "x.tar",
            Some("host:5000/app:1"),
        ),
    ] {
        let BaseImage::Local(image) = base(text) else { panic!("{text}") };
        assert_eq!((image.format, &*image.path, image.name.as_deref()), (format, Path::new(path), name));
        assert_eq!(image.to_string(), text);
    }
    assert!(matches!(base("debian:12"), BaseImage::Registry(reference) if reference.tag() == Some("12")));
}

#[test]
fn files_say_which_notation_they_are_in() {
    let folder = tempfile::tempdir().unwrap();
    let (json, yaml) = (folder.path().join("image.json"), folder.path().join("image.yaml"));
    fs_err::write(&json, r#"{"name": "a", "env": {"A": true, "B": 3.10}}"#).unwrap();
    fs_err::write(&yaml, "name: a").unwrap();
    let spec = load(&json, &ParseOptions::default()).unwrap();
    assert_eq!((spec.env["A"].as_str(), spec.env["B"].as_str()), ("True", "3.10"));
    assert_eq!(load(&yaml, &ParseOptions::default()).unwrap().name, "a");
    for (path, text) in [(&json, "\u{feff}{}"), (&yaml, "\u{feff}name: b\r\npackages:\r\n- x\r\n")] {
        fs_err::write(path, text).unwrap();
        load(path, &ParseOptions::default()).unwrap();
    }
}

#[test]
fn what_the_native_builder_does_not_do_is_named() {
    let names: Vec<&str> = yaml(EVERY_FIELD).unsupported().iter().map(|item| item.field.name()).collect();
    let expected = "conda_packages conda_channels cuda cudnn";
    assert_eq!(names.join(" "), expected);
    assert!(
        yaml("packages: [numpy]\ncommands: []\ncopy: []\nplatform: linux/arm64").check_supported().is_ok()
    );
    let python =
        parse_json(r#"{"source_root": ".", "source_copy_mode": "NO_COPY"}"#, &ParseOptions::default());
    assert!(python.unwrap().check_supported().is_ok());
}

#[test]
fn image_names_are_references() {
    let directory = tempfile::tempdir().unwrap();
    let spec = yaml("name: x\nregistry: localhost:5000/team\ntag_format: \"{spec_hash}-dev\"");
    let name = spec.image_name(directory.path()).unwrap();
    assert_eq!((name.registry(), name.repository()), ("localhost:5000", "team/x"));
    assert!(name.tag().unwrap().ends_with("-dev"));
}
