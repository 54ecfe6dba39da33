//! What the user reads when there is no answer.

use std::error::Error as _;

use imagewright_lock::python::{PythonError, PythonErrorKind};
use imagewright_oci::Digest;
use imagewright_testkit::index::TestIndex;
use imagewright_testkit::wheel::{Damage, Item, WheelBuilder, archive};

use super::index::{Index, Running};
use super::machine::{Ask, Machine};

const ANY: &str = "py3-none-any";

fn index() -> Running {
    Index::default()
        .with("alpha", "1.0", ANY, &[])
        .with("alpha", "2.0", ANY, &[])
        .with("beta", "1.0", ANY, &["alpha<2"])
        .with_source("sklearn", "0.0")
        .with("native", "1.0", "cp39-cp39-manylinux_2_17_x86_64", &[])
        .with("native", "1.0", "cp311-cp311-win_amd64", &[])
        .with("native", "2.0", "cp311-cp311-manylinux_2_17_x86_64", &[])
        .with("dangling", "1.0", ANY, &["not-there"])
        .with("foreign", "1.0", "cp311-cp311-win_amd64", &[])
        .start()
}

/// The message and hint of a failure that must be of a kind; none when there is no oracle.
async fn fails(requirements: &[&str], arguments: &str, kind: PythonErrorKind) -> Option<String> {
    let machine = Machine::new()?;
    let index = index();
    let ask = Ask::of(requirements, &index.url()).arguments(arguments);
    let error = machine.resolve(&ask).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let message = format!("{}\nhint: {}", told(&error), error.hint().unwrap_or_default());
    println!("{message}\n");
    Some(message)
}

/// An error with its causes.
fn told(error: &PythonError) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n{cause}"))
}

#[tokio::test]
async fn each_says_what_and_where_and_what_to_do() {
    use PythonErrorKind::{Input, Unresolvable};
    let wrong = format!("alpha==1.0 --hash=sha256:{}", "0".repeat(64));
    let stated = Digest::of(&super::wheel::wheel("alpha", "1.0", ANY, &[])).to_string();
    for (requirements, arguments, kind, expected) in [
        (
            &["alpha==2.0", "beta"][..],
            "",
            Unresolvable,
            &["`alpha==2.0` is in `packages[0]`", "beta", "hint: loosen"][..],
        ),
        (&["alpha==1.0", "alpha==2.0"], "", Unresolvable, &["alpha is asked for more than once"]),
        (
            &["nosuch"],
            "",
            Unresolvable,
            &["nosuch was not found", "`nosuch` is in `packages[0]`", "is the name right"],
        ),
        (
            &["dangling"],
            "",
            Unresolvable,
            &["`dangling` is in `packages[0]`", "no configured index has not-there"],
        ),
        (&["sklearn"], "", Unresolvable, &["the package that brings `sklearn` is called scikit-learn"]),
        (&["native==1.0"], "", Unresolvable, &["native 2.0 has a wheel for this Python and platform"]),
        (
            &["foreign"],
            "",
            Unresolvable,
            &["foreign has wheels for: cp311-cp311-win_amd64", "no version of foreign has"],
        ),
        (&[&wrong], "", Unresolvable, &["no wheel of alpha 1.0", &stated]),
        (&["alpha"], "--require-hashes", Unresolvable, &["alpha 2.0 is needed, but no hash"]),
        (&["git+https://host/x"], "", Unresolvable, &["must be built from source", "`packages` or"]),
        (
            &["alpha", "beta==one two"],
            "",
            Input,
            &["`beta==one two` in `packages[1]` is not well-formed", "beta==one two"],
        ),
        (&["-e ."], "", Unresolvable, &["`-e .` in `packages[0]` must be built from source"]),
        (&["alpha=2.0"], "", Input, &["`alpha=2.0` in `packages[0]`", "a version is pinned with `==`"]),
        (&["alpha=>2"], "", Input, &["`alpha=>2` in `packages[0]` is not well-formed"]),
    ] {
        let Some(message) = fails(requirements, arguments, kind).await else { return };
        for part in expected {
            assert!(message.contains(part), "{part} is not in:\n{message}");
        }
        assert!(!message.contains("--no-build"), "{message}");
    }
}

/// What uv refuses is the user's, and is told with the option and the place that it came from.
#[tokio::test]
async fn options_that_cannot_be_taken_are_named() {
    for (requirements, arguments, expected) in [
        (
            &["alpha"][..],
            "--extra-index-ur x",
            &["`--extra-index-ur` in `pip_extra_args`", "did you mean `--extra-index-url`?"][..],
        ),
        (
            &["alpha"],
            "--uploaded-prior-to yesterdayish",
            &[
                "`--uploaded-prior-to` in `pip_extra_args`",
                "invalid value 'yesterdayish' for '--exclude-newer",
            ],
        ),
        (
            &["alpha"],
            "--prerelease allow --override nosuch.txt",
            &["`--override` in `pip_extra_args`", "cannot read `nosuch.txt`", "No such file"],
        ),
        (
            &["alpha"],
            "--resolution lowest --fork-strategy allow",
            &["`--fork-strategy` in `pip_extra_args`", "possible values: fewest"],
        ),
        (
            &["alpha", "--exclude-newer-package requirements.in=zz"],
            "--exclude-newer 2024-01-01",
            &["`--exclude-newer-package` in `packages[1]`", "could not be parsed"],
        ),
        (&["alpha"], "-f http://[x", &["`http://[x` in `pip_extra_args` is no package index"]),
        (&["alpha"], "-i not-a-url", &["`not-a-url` in `pip_extra_args` is no package index"]),
        (&["alpha"], "--target /x", &["cannot be used: packages go to the image's environment"]),
    ] {
        let Some(message) = fails(requirements, arguments, PythonErrorKind::Input).await else { return };
        for part in expected {
            assert!(message.contains(part), "{part} is not in:\n{message}");
        }
    }
}

#[tokio::test]
async fn files_are_named_with_their_line() {
    let Some(machine) = Machine::new() else { return };
    machine.write("project/requirements.txt", "# first\nbeta\n-c limits.txt\n");
    machine.write("project/limits.txt", "alpha==2.0\n");
    let index = index();
    let ask = Ask::of(&[], &index.url()).file("requirements.txt");
    let error = machine.resolve(&ask).await.unwrap_err().to_string();
    for part in ["`alpha==2.0` is in limits.txt line 1", "`beta` is in requirements.txt line 2"] {
        assert!(error.contains(part), "{part} is not in:\n{error}");
    }
    for (text, part) in [
        ("beta\n-e .\n", "`-e .` in requirements.txt line 2 must be built"),
        (
            "-r https://host/more.txt\n",
            "`https://host/more.txt` in requirements.txt line 1 is not a file of this machine",
        ),
        ("--target /x\n", "the option `--target` in requirements.txt line 1 cannot be used"),
    ] {
        machine.write("project/requirements.txt", text);
        let error = machine.resolve(&ask).await.unwrap_err().to_string();
        assert!(error.contains(part), "{part} is not in:\n{error}");
    }
}

/// What stands in a file of overrides is the user's as well as what stands in one of requirements.
#[tokio::test]
async fn overrides_are_named_with_their_line() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    let ask = Ask::of(&["alpha"], &index.url()).arguments("--override own.txt");
    for (text, parts) in [
        (
            "# first\nbeta\nalpha==\n",
            &["`alpha==` in own.txt line 3 is not well-formed", "expected version"][..],
        ),
        ("alpha\none two\n", &["`one two` in own.txt line 2 is not well-formed"]),
        ("alpha\n-e .\n", &["`-e .` in own.txt line 2 must be built from source"]),
        ("alpha\n--zzz\n", &["the option `--zzz` in own.txt line 2 is not an option"]),
        ("--overrides own.txt\n", &["`--override` in `pip_extra_args` cannot be used", "another file"]),
        ("-r more.txt\n", &["the file of `--override` in `pip_extra_args`", "own.txt, line 1", "`more.txt`"]),
    ] {
        machine.write("project/own.txt", text);
        let error = machine.resolve(&ask).await.unwrap_err();
        let is_ours = matches!(error.kind(), PythonErrorKind::Input | PythonErrorKind::Unresolvable);
        let error = told(&error);
        assert!(is_ours && parts.iter().all(|part| error.contains(part)), "{text}:\n{error}");
    }
    machine.write("project/limits.txt", "beta\none two\n");
    let ask = Ask::of(&["alpha"], &index.url()).arguments("-c limits.txt");
    let error = machine.resolve(&ask).await.unwrap_err().to_string();
    assert!(error.starts_with("`one two` in limits.txt line 2 is not well-formed"), "{error}");
}

/// What is wrong with the machine's own settings is told with the place that they are in.
#[tokio::test]
async fn settings_that_cannot_be_taken_are_named() {
    let index = index();
    for (name, value, words) in [
        ("UV_HTTP_TIMEOUT", "zz", "invalid value `zz`"),
        ("UV_HTTP_RETRIES", "zz", "invalid value `zz`"),
        ("UV_INDEX_STRATEGY", "zz", "possible values: first-index"),
        ("UV_EXCLUDE_NEWER", "yesterdayish", "invalid value 'yesterdayish'"),
        ("UV_EXTRA_INDEX_URL", "http://[x", "invalid IPv6 address"),
        ("PIP_EXTRA_INDEX_URL", "http://[x", "invalid IPv6 address"),
    ] {
        let Some(mut machine) = Machine::new() else { return };
        machine.variables.insert(name.to_owned(), value.to_owned());
        refuses(&machine, &index, &format!("uv does not take the variable `{name}` as it is"), words).await;
    }
    for (file, text, setting, words) in [
        (
            "project/uv.toml",
            "[[index]]\nname = \"a\"\nurl = \"http://[x\"\n",
            "the index `http://[x`",
            "invalid IPv6 address",
        ),
        (
            "project/pyproject.toml",
            "[tool.uv.pip]\nextra-index-url = [\"https://a/\", \"http://[y\"]\n",
            "the index `http://[y`",
            "invalid IPv6 address",
        ),
        ("home/.config/uv/uv.toml", "index-strategy = \"zz\"\n", "`index-strategy`", "unknown variant `zz`"),
        (
            "home/.config/uv/uv.toml",
            "find-links = [\"https://a/\", \"http://[z\"]\n",
            "`find-links`",
            "invalid IPv6 address",
        ),
        (
            "home/.config/pip/pip.conf",
            "[global]\nextra-index-url = https://a/ http://u:s3cr3t@[x\n",
            "the index `http://u:****@[x`",
            "invalid IPv6 address",
        ),
    ] {
        let mut machine = Machine::new().unwrap();
        machine.variables.remove("PIP_CONFIG_FILE");
        let path = machine.write(file, text);
        let expected = format!("uv does not take {setting} in {} as it is", path.display());
        refuses(&machine, &index, &expected, words).await;
    }
}

/// The resolution ends with an error of the user's that begins so and has uv's words.
async fn refuses(machine: &Machine, index: &Running, expected: &str, words: &str) {
    let error = machine.resolve(&Ask::of(&["alpha"], &index.url())).await.unwrap_err();
    assert_eq!(error.kind(), PythonErrorKind::Input, "{error:?}");
    let (first, rest) =
        error.to_string().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(first, expected, "{rest}");
    assert!(rest.contains(words) && !rest.contains("TOML") && !rest.contains("s3cr3t"), "{rest}");
}

#[tokio::test]
async fn an_index_that_is_not_there_is_a_matter_of_the_network() {
    let Some(mut machine) = Machine::new() else { return };
    machine.variables.insert("UV_HTTP_RETRIES".to_owned(), "0".to_owned());
    let error = machine.resolve(&Ask::of(&["alpha"], "http://127.0.0.1:9/simple")).await.unwrap_err();
    assert!(matches!(error, PythonError::Unreachable { .. }), "{error}");
    assert_eq!(error.kind(), PythonErrorKind::Network);
}

/// uv reads these by itself, before imagewright sees them.
#[tokio::test]
async fn a_wheel_that_is_none_is_not_a_matter_of_the_network() {
    let Some(machine) = Machine::new() else { return };
    let name = "liar-1.0-py3-none-any.whl";
    let content = "x = 1\n".repeat(200);
    let lying = Item::new("liar.py", content.as_str()).damaged(Damage::Crc);
    let whole = super::wheel::wheel("liar", "1.0", ANY, &[]);
    for (what, bytes) in [
        ("a page of a login", b"<html></html>".to_vec()),
        ("nothing", Vec::new()),
        ("cut off", whole[..whole.len() - 100].to_vec()),
        ("a lying CRC", WheelBuilder::new("liar", "1.0").item(lying).bytes()),
        (
            "one path twice",
            WheelBuilder::new("liar", "1.0").file("liar.py", "one").file("liar.py", "two").bytes(),
        ),
        ("no metadata", archive(&[Item::new("liar.py", "x")])),
        ("other metadata", WheelBuilder::new("liar", "1.0").metadata("Metadata-Version: 2.1\n").bytes()),
    ] {
        let path = machine.write(&format!("project/{name}"), &bytes);
        let index = TestIndex::start();
        index.add_file(name, &bytes);
        for place in [format!("file://{}", path.display()), index.file_url(name)] {
            let error =
                machine.resolve(&Ask::of(&[&format!("liar @ {place}")], &index.url())).await.unwrap_err();
            println!("{what}: {error}\n");
            assert_eq!(error.kind(), PythonErrorKind::Unresolvable, "{what}: {error}");
            assert!(error.to_string().contains("is in `packages[0]`"), "{what}: {error}");
            assert!(error.hint().unwrap().contains("damaged or was built wrongly"), "{what}: {error}");
        }
    }
}
