//! What `diff` tells of the files of two images.

use serde_json::Value;

use crate::support::Offline;

#[test]
fn files_are_compared_when_they_are_asked_for() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    workshop.write("data.csv", "a,b\n");
    world.spec(&["alpha==1.0", "gamma"]);
    let spec = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    workshop.write("left.yaml", &spec);
    workshop.write("right.yaml", spec.replace("alpha==1.0, gamma", "alpha==2.0") + "copy: [data.csv]\n");
    let left = workshop.build("left.yaml", &[]);
    workshop.build("right.yaml", &[]);

    let plain = workshop.run(&["diff", "left.yaml", "right.yaml"]).expect(1).stdout;
    assert!(plain.contains("- gamma 1.0") && !plain.contains("files\n"), "{plain}");
    let told = workshop.run(&["diff", "left.yaml", "right.yaml", "--files", "--json"]).expect(1).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let files = told["changes"]["files"].as_array().unwrap();
    let site = "opt/venv/lib/python3.11/site-packages";
    let change = |path: &str| files.iter().find(|change| change["name"] == path);
    let gone = change(&format!("{site}/gamma.py")).unwrap();
    assert!(gone["right"].is_null() && gone["left"].as_str().unwrap().contains("0644 0:0 6 bytes"), "{gone}");
    let added = change("root/data.csv").unwrap();
    assert!(added["left"].is_null() && added["right"].as_str().unwrap().contains(" 4 bytes "), "{added}");
    let changed = change(&format!("{site}/alpha/__init__.py")).unwrap();
    assert_ne!(changed["left"], changed["right"]);
    assert!(change(&format!("{site}/alpha/native.so")).is_none(), "it is the same in both");

    // A base of theirs hides what a whiteout removes, and the same files in other layers are the same.
    let over = format!(
        "name: over\nregistry: {}\nbase_image: {}\npip_index: {}\npackages: [alpha==2.0]\n\
         builder_options: {{bytecode: false}}\n",
        world.registry.host(),
        left.text("image"),
        world.index.url()
    );
    workshop.write("over.yaml", over);
    workshop.build("over.yaml", &[]);
    let text = workshop.run(&["diff", "left.yaml", "over.yaml", "--files"]).expect(1).stdout;
    assert!(text.contains(&format!("- {site}/alpha-1.0.dist-info/METADATA 0644")), "{text}");
    assert!(text.contains(&format!("+ {site}/alpha-2.0.dist-info/METADATA 0644")), "{text}");
    assert!(!text.contains(".wh.") && !text.contains("gamma") && !text.contains("native.so"), "{text}");
    workshop.run(&["diff", "left.yaml", left.text("image"), "--files"]).expect(0);
}
