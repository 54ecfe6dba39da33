use serde_json::Value;

use crate::user::{User, Who, bases};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The largest file in the store's blobs.
fn largest_blob(user: &User) -> u64 {
    let blobs = fs_err::read_dir(user.store().join("blobs")).unwrap();
    blobs.map(|entry| entry.unwrap().metadata().unwrap().len()).max().unwrap_or(0)
}

#[test]
fn an_image_of_others_says_what_it_can_and_none_of_its_layers_is_read() {
    let Some(bases) = bases() else { return };
    let user = User::new(Who::Root);
    let name = format!("{bases}/debian-python:bookworm");
    let inspection = json(&user.run(&["inspect", &name, "--json"]).expect(0).stdout);
    assert_eq!(inspection["image"], *name);
    assert_eq!(inspection["platform"]["architecture"], "amd64");
    assert_eq!(inspection["config"]["cmd"][0], "bash");
    assert!(inspection["provenance"].is_null());
    let layers = inspection["layers"].as_array().unwrap();
    let sizes: u64 = layers.iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    assert_eq!(inspection["size"].as_u64(), Some(sizes));
    assert!(sizes > 10_000_000);
    assert!(largest_blob(&user) < 1_000_000, "a layer was downloaded");
}

#[test]
fn an_image_of_ours_says_what_it_was_made_from() {
    let Some(bases) = bases() else { return };
    let user = User::new(Who::Root);
    user.write(
        "image.yaml",
        &format!(
            "name: inspected\nbase_image: {bases}/debian-python:bookworm\npackages: [six==1.17.0]\n\
             env: {{COLOUR: green}}\n"
        ),
    );
    let missing = user.run(&["inspect", "image.yaml"]).expect(1);
    assert!(missing.stderr.contains("imagewright build"), "{}", missing.stderr);
    user.run(&["build", "image.yaml"]).expect(0);
    let inspection = json(&user.run(&["inspect", "image.yaml", "--json"]).expect(0).stdout);
    let name = user.run(&["name", "image.yaml"]).expect(0).stdout;
    assert!(name.starts_with("inspected:") && inspection["image"] == *name.trim_end(), "{inspection}");
    assert_eq!(inspection["config"]["user"], "flytekit");
    assert!(inspection["config"]["env"].as_array().unwrap().contains(&Value::from("COLOUR=green")));
    assert!(inspection["base"]["name"].as_str().unwrap().ends_with("/debian-python:bookworm"));
    for digest in [&inspection["provenance"]["declared"], &inspection["provenance"]["lock"]] {
        assert!(digest.as_str().unwrap().starts_with("sha256:"));
    }
    let layers = inspection["layers"].as_array().unwrap();
    let with_six =
        layers.iter().find(|layer| layer["packages"].as_array().unwrap().contains(&"six 1.17.0".into()));
    assert_eq!(with_six.unwrap()["kind"], "packages");
    assert!(layers[0]["kind"].is_null(), "the base's layer is not ours");
    assert!(layers.iter().any(|layer| layer["kind"] == "skeleton"));
    let text = user.run(&["inspect", "image.yaml"]).expect(0).stdout;
    for word in ["six 1.17.0", "COLOUR=green", "flytekit", "skeleton"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
