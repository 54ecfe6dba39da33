//! Of an option that is written more than once, the same counts as for pip and for uv.

use std::path::Path;
use std::process::Command;

use imagewright_lock::python::Asked;
use imagewright_recipe::PackagesStep;
use serde_json::Value;

use super::index::{Index, Running};
use super::machine::{Ask, Machine, oracle, pins};

/// What may stand in a requirements file, each but the last two once more in another spelling or with another value.
const LINES: [&str; 8] = [
    "--index-url https://a/simple",
    "-i https://b/simple --index-url=https://c/simple",
    "--extra-index-url https://x/simple",
    "--extra-index-url https://y/simple",
    "--find-links /wheels",
    "--trusted-host one --trusted-host two:80",
    "--no-index",
    "-r more.txt",
];

#[test]
#[expect(clippy::disallowed_methods, reason = "the peer is a process")]
fn the_lines_of_files_count_as_for_pip() {
    let (Some(machine), Some(python)) = (Machine::new(), oracle()) else { return };
    let mut folders = Vec::new();
    for numbers in 0..LINES.len().pow(3) {
        let lines = [0, 1, 2].map(|place| LINES[numbers / LINES.len().pow(place) % LINES.len()]);
        let folder = machine.path(&format!("project/{numbers}"));
        machine.write(&format!("project/{numbers}/requirements.txt"), lines.join("\n"));
        let nested = "--index-url https://nested/simple\n--extra-index-url https://z/simple\n-c limits.txt\n";
        machine.write(&format!("project/{numbers}/more.txt"), nested);
        machine.write(&format!("project/{numbers}/limits.txt"), "--require-hashes\n");
        folders.push(folder);
    }
    let said =
        Command::new(python).args(["-c", include_str!("pip_peer.py")]).args(&folders).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let answers: Vec<Value> = serde_json::from_slice(&said.stdout).unwrap();
    for (folder, answer) in folders.iter().zip(&answers) {
        compare(&machine, folder, answer);
    }
    assert_eq!(answers.len(), LINES.len().pow(3));
}

#[track_caller]
fn compare(machine: &Machine, folder: &Path, pip: &Value) {
    let file = folder.join("requirements.txt");
    let text = fs_err::read_to_string(&file).unwrap();
    let step = PackagesStep { requirements_file: Some(file), ..PackagesStep::default() };
    let options = Asked::of(&step, &machine.host()).unwrap().options;
    let indexes = &options.indexes;
    let texts = |key: &str| -> Vec<String> { serde_json::from_value(pip[key].clone()).unwrap() };
    assert_eq!(pip["no_index"].as_bool(), Some(indexes.no_index), "{text}");
    assert_eq!(pip["require_hashes"].as_bool(), Some(options.require_hashes), "{text}");
    let mut links = texts("find_links");
    links.dedup();
    assert_eq!(links, indexes.find_links, "{text}");
    let mut hosts = texts("trusted_hosts");
    hosts.dedup();
    assert_eq!(
        hosts.iter().collect::<std::collections::BTreeSet<_>>(),
        indexes.insecure_hosts.iter().collect(),
        "{text}"
    );
    if indexes.no_index {
        return;
    }
    let default = indexes.default.as_ref().map_or("own".to_owned(), |index| index.url.to_string());
    let [pip_default, pip_additional @ ..] = &texts("index_urls")[..] else { panic!("{pip}") };
    assert_eq!(*pip_default, default, "{text}");
    // For pip, an index takes the place of the additional ones of earlier lines too; uv keeps them, and so do we.
    let additional: Vec<String> = indexes.additional.iter().map(|index| index.url.to_string()).collect();
    assert!(pip_additional.iter().all(|url| additional.contains(url)), "{text}\n{additional:?}");
    let written = ["https://x/", "https://y/"].iter().filter(|url| text.contains(*url)).count();
    assert_eq!(additional.len(), written + usize::from(text.contains("more.txt")), "{text}");
}

/// flytekit makes one command line of the fields, and uv reads it.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the peer is a process")]
async fn fields_and_files_count_as_for_uv() {
    let Some(machine) = Machine::new() else { return };
    let of = |version: &str| Index::default().with("alpha", version, "py3-none-any", &[]).start();
    let indexes = ["1.0", "2.0", "3.0"].map(of);
    let [one, two, three] = indexes.each_ref().map(Running::url);
    for (index, additional, arguments, file) in [
        (Some(&one), None, String::new(), format!("--index-url {two}")),
        (None, None, format!("--index-url {one}"), format!("--index-url {two}")),
        (None, None, String::new(), format!("--index-url {two}")),
        (Some(&one), Some(&two), String::new(), format!("--extra-index-url {three}")),
        (Some(&one), Some(&two), format!("--extra-index-url {three}"), String::new()),
        (Some(&one), None, String::new(), format!("--extra-index-url {three}")),
        (Some(&one), None, "--prerelease disallow".to_owned(), "--pre".to_owned()),
    ] {
        machine.write("project/requirements.txt", format!("{file}\nalpha\n"));
        let mut ask = Ask::machine(&[]).file("requirements.txt").arguments(&arguments);
        ask.step.index = index.cloned();
        ask.step.extra_indexes = additional.cloned().into_iter().collect();
        let found = machine.resolve(&ask).await.unwrap();
        let mut command = Command::new(oracle().unwrap().with_file_name("uv"));
        command.args([
            "pip",
            "compile",
            "--no-config",
            "--no-header",
            "--no-annotate",
            "--quiet",
            "--no-cache",
        ]);
        command.args(index.into_iter().flat_map(|url| ["--index-url", url]));
        command.args(additional.into_iter().flat_map(|url| ["--extra-index-url", url]));
        command.args(arguments.split_whitespace()).arg(machine.path("project/requirements.txt"));
        let said = command.env_clear().envs(&machine.variables).output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let uv: Vec<&str> = text.lines().filter(|line| line.contains("==")).collect();
        assert_eq!(pins(&found), uv, "{index:?} {additional:?} {arguments} {file}\n{said:?}");
    }
}
