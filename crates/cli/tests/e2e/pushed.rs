//! A pushed image is what others read and run.

use crate::support::{Docker, Peers, Workshop, assert_right, assert_valid, skopeo_digest, unique, unpacked};
use imagewright_testkit::validate::StoredImage;

#[test]
fn others_read_and_run_what_was_pushed() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("pushed");
    workshop.write(
        "image.yaml",
        format!(
            "name: {name}\nregistry: {}\npython_version: '3.11'\npackages: [numpy, requests]\n",
            peers.registry
        ),
    );
    let report = workshop.build("image.yaml", &[]);
    let image = report.text("image");
    assert!(image.starts_with(&format!("{}/{name}:", peers.registry)), "{image}");
    assert_eq!(report.text("status"), "built");

    let validated = assert_valid(image);
    assert_eq!(validated.digest.to_string(), report.digest());
    assert_eq!(skopeo_digest(image), report.digest());
    let root = unpacked(image, &workshop.path("umoci"));
    assert!(root.join("opt/venv/lib/python3.11/site-packages/numpy/__init__.py").is_file());
    assert!(fs_err::read_to_string(root.join("etc/passwd")).unwrap().contains("\nflytekit:"));

    let container = Docker::pull(&peers.docker, image);
    let program = "import getpass, numpy, os, pwd, requests\n\
                   print(pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), numpy.arange(4).sum(), requests.__name__)";
    assert_eq!(container.python(program), "flytekit /root 6 requests");
    container.check_requirements();
}

#[test]
fn an_image_without_a_registry_is_in_the_store() {
    let Some(()) = crate::support::network() else { return };
    let workshop = Workshop::warm();
    workshop.write("image.yaml", "name: local\npython_version: '3.11'\npackages: [six]\n");
    let report = workshop.build("image.yaml", &[]);
    let image = StoredImage::new(workshop.store(), report.digest().parse().unwrap());
    let validated = assert_right(&image);
    assert!(validated.paths.iter().any(|path| path == "opt/venv/lib/python3.11/site-packages/six.py"));
    assert!(validated.paths.iter().any(|path| path.ends_with("/__pycache__/six.cpython-311.pyc")));
    assert_eq!(workshop.build("image.yaml", &[]).text("status"), "exists");
}

#[test]
fn an_image_has_the_further_tags_that_are_asked_for() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("tags");
    workshop.write(
        "image.yaml",
        format!(
            "name: {name}\nregistry: {}\nbase_image: {}/debian-python:bookworm\npackages: [six]\n",
            peers.registry, peers.bases
        ),
    );
    let built = workshop.build("image.yaml", &["--tag", "latest"]);
    // The image is there by now: only its tags are set.
    let tagged = workshop.build("image.yaml", &["--tag", "latest", "--tag", "v1"]);
    assert_eq!((built.text("status"), tagged.text("status")), ("built", "exists"));
    let repository = format!("{}/{name}", peers.registry);
    for tag in ["latest", "v1"] {
        assert_eq!(skopeo_digest(&format!("{repository}:{tag}")), built.digest(), "{tag}");
    }
    workshop.write("image.yaml", format!("name: {name}\nregistry: {}\npackages: [idna]\n", peers.registry));
    let other = workshop.build("image.yaml", &["--tag", "latest"]);
    assert_ne!(other.digest(), built.digest());
    assert_eq!(skopeo_digest(&format!("{repository}:latest")), other.digest(), "a tag moves");
    assert_eq!(skopeo_digest(&format!("{repository}:v1")), built.digest());
}

#[test]
fn without_caches_every_layer_is_made_again_and_is_the_same() {
    let Some(()) = crate::support::network() else { return };
    let workshop = Workshop::warm();
    workshop.write("image.yaml", "name: again\npython_version: '3.11'\npackages: [six]\n");
    let first = workshop.build("image.yaml", &[]);
    let again = workshop.build("image.yaml", &["--no-cache"]);
    assert_eq!(again.digest(), first.digest());
    assert!(again.layers().iter().all(|layer| layer.source == "produced"), "{:?}", again.layers());
}
