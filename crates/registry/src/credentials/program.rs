use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Credential;

/// How long a credential helper may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(10);

/// What `docker-credential-<name> get` answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProgramAnswer {
    Found(Credential),
    /// The helper works and has nothing for this registry.
    Nothing,
    /// The helper does not work.
    Failed {
        because: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks a helper for a registry's credential, by the protocol of docker-credential-helpers.
///
/// Its output is never part of a message: on success it holds the secret, on failure it may.
pub(super) async fn ask_program(helper: &str, server: &str) -> ProgramAnswer {
    let program = format!("docker-credential-{helper}");
    let answer = tokio::time::timeout(PROGRAM_LIMIT, get(&program, server)).await;
    answer.unwrap_or_else(|_| failed(format!("gave no answer within {} s", PROGRAM_LIMIT.as_secs())))
}

async fn get(program: &str, server: &str) -> ProgramAnswer {
    let spawned = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return failed(format!("is not installed ({program})"));
        }
        Err(error) => return failed(format!("cannot be started ({program}: {error})")),
    };
    let mut stdin = child.stdin.take().expect("stdin is piped");
    if let Err(error) = stdin.write_all(format!("{server}\n").as_bytes()).await {
        // A helper may answer without reading its input; its answer decides.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            return failed(format!("does not read its input ({error})"));
        }
    }
    drop(stdin);
    match child.wait_with_output().await {
        Ok(output) if output.status.success() => parse(&output.stdout),
        Ok(output) if says_nothing_found(&output.stdout) => ProgramAnswer::Nothing,
        Ok(output) => failed(format!("failed ({})", output.status)),
        Err(error) => failed(format!("cannot be read ({error})")),
    }
}

fn parse(output: &[u8]) -> ProgramAnswer {
    match serde_json::from_slice::<Wire>(output) {
        Ok(wire) if wire.username.is_empty() && wire.secret.is_empty() => ProgramAnswer::Nothing,
        Ok(wire) => ProgramAnswer::Found(Credential::from_login(wire.username, wire.secret)),
        Err(_) => failed("printed no JSON with Username and Secret".to_owned()),
    }
}

/// The message that the protocol fixes for a registry without a credential.
fn says_nothing_found(output: &[u8]) -> bool {
    String::from_utf8_lossy(output).contains("credentials not found")
}

fn failed(because: String) -> ProgramAnswer {
    ProgramAnswer::Failed { because }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::credentials::Secret;

    async fn run(name: &str, script: &str) -> ProgramAnswer {
        let path = std::env::temp_dir().join(format!("docker-credential-{name}-{}", std::process::id()));
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let answer = get(path.to_str().unwrap(), "ghcr.io").await;
        fs_err::remove_file(path).unwrap();
        answer
    }

    #[tokio::test]
    async fn speaks_the_protocol() {
        let echo =
            r#"read server; printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' "$server" "$server""#;
        let expected = Credential::Password { username: "ghcr.io".to_owned(), password: Secret::new("s") };
        assert_eq!(run("echo", echo).await, ProgramAnswer::Found(expected));
        let token = r#"echo '{"Username":"<token>","Secret":"refresh"}'"#;
        let expected = Credential::Identity { token: Secret::new("refresh") };
        assert_eq!(run("token", token).await, ProgramAnswer::Found(expected));
        let nothing = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(run("nothing", nothing).await, ProgramAnswer::Nothing);
    }

    #[tokio::test]
    async fn what_a_broken_helper_prints_is_not_repeated() {
        for (name, script) in [("text", "echo hunter2"), ("fails", "echo hunter2; exit 3")] {
            let ProgramAnswer::Failed { because } = run(name, script).await else { panic!("{name} failed") };
            assert!(!because.contains("hunter2"), "{because}");
        }
    }
}
