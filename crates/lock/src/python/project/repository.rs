use std::borrow::Cow;

/// The address of a repository as a URL: `user@host:path` of git, as locks have it, is one of SSH.
pub(super) fn address(text: &str) -> Cow<'_, str> {
    let is_path = |start: &str| start.is_empty() || start.contains('/');
    match text.split_once(':') {
        Some((host, path)) if !text.contains("://") && !is_path(host) => {
            Cow::Owned(format!("ssh://{host}/{}", path.trim_start_matches('/')))
        }
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_own_form_is_one_of_ssh() {
        for (text, expected) in [
            ("git@github.com:org/repo.git", "ssh://git@github.com/org/repo.git"),
            ("host.example:/srv/repo", "ssh://host.example/srv/repo"),
            ("ssh://git@host.example:22/repo", "ssh://git@host.example:22/repo"),
            ("https://host.example/repo", "https://host.example/repo"),
            ("../repo", "../repo"),
            ("./a:b", "./a:b"),
        ] {
            assert_eq!(address(text), expected);
        }
    }
}
