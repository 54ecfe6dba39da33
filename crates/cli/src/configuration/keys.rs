//! Every setting, once: its key in `imagewright.toml`, its variable, and what it is for.

use std::fmt;

use toml::Value;

/// A setting, as `docs/configuration.md` lists it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// In the file; a dot stands for a table.
    pub(crate) name: &'static str,
    /// The variable that says the same.
    pub(crate) variable: Option<&'static str>,
    /// What may stand behind it in the file.
    pub(crate) takes: Takes,
    /// What it is for, and what holds without it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is checked against it"))]
    pub(crate) what: &'static str,
    /// How it is written in the file.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is checked against it"))]
    pub(crate) example: &'static str,
    /// Whether a project's file may have it: what it names is started, or written to.
    pub(crate) in_project: bool,
}

/// What a setting is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Text,
    Count,
    Flag,
    Texts,
    /// For each registry, the texts of its mirrors.
    Mirrors,
}

impl Takes {
    pub(crate) fn fits(self, value: &Value) -> bool {
        let is_texts = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_str));
        match self {
            Self::Text => value.is_str(),
            Self::Count => value.as_integer().is_some_and(|count| count > 0),
            Self::Flag => value.is_bool(),
            Self::Texts => is_texts(value),
            Self::Mirrors => value.as_table().is_some_and(|table| table.values().all(is_texts)),
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text in quotes",
            Self::Count => "a whole number from 1 on",
            Self::Flag => "`true` or `false`",
            Self::Texts => "a list of texts in quotes",
            Self::Mirrors => "a table of registries, each with a list of texts,",
        })
    }
}

pub(crate) const PYTHON: Key = Key {
    name: "python",
    variable: Some("IMAGEWRIGHT_PYTHON"),
    takes: Takes::Text,
    what: "Python of an image when neither its spec nor its base says one; else 3.13.",
    example: r#"python = "3.12""#,
    in_project: true,
};
pub(crate) const STORE: Key = Key {
    name: "store",
    variable: Some("IMAGEWRIGHT_STORE"),
    takes: Takes::Text,
    what: "Directory of the store; else `imagewright` in the user's cache directory.",
    example: r#"store = "/var/cache/imagewright""#,
    in_project: false,
};
pub(crate) const UV: Key = Key {
    name: "uv",
    variable: Some("IMAGEWRIGHT_UV"),
    takes: Takes::Text,
    what: "The uv to use; else one beside imagewright, on `PATH`, or installed into the store.",
    example: r#"uv = "/opt/uv/bin/uv""#,
    in_project: false,
};
pub(crate) const PYTHON_PROGRAM: Key = Key {
    name: "python-program",
    variable: Some("IMAGEWRIGHT_PYTHON_PROGRAM"),
    takes: Takes::Text,
    what: "The Python that reads Python files; else that of the active virtual environment (`VIRTUAL_ENV`), of the one \
           that imagewright is installed in, or `python3` on `PATH`.",
    example: r#"python-program = "/opt/venv/bin/python""#,
    in_project: false,
};
pub(crate) const THREADS: Key = Key {
    name: "threads",
    variable: Some("IMAGEWRIGHT_THREADS"),
    takes: Takes::Count,
    what: "Threads that inflate, compress, hash and compile for one layer; else one for each processor.",
    example: "threads = 4",
    in_project: true,
};
pub(crate) const DEBIAN_MIRROR: Key = Key {
    name: "debian-mirror",
    variable: Some("IMAGEWRIGHT_DEBIAN_MIRROR"),
    takes: Takes::Text,
    what: "Mirror of Debian's archive; else the one in this machine's apt sources, else Debian's own.",
    example: r#"debian-mirror = "http://mirror.example/debian""#,
    in_project: true,
};
pub(crate) const DEBIAN_SECURITY_MIRROR: Key = Key {
    name: "debian-security-mirror",
    variable: Some("IMAGEWRIGHT_DEBIAN_SECURITY_MIRROR"),
    takes: Takes::Text,
    what: "Mirror of Debian's security archive, beside `debian-mirror`; else Debian's own.",
    example: r#"debian-security-mirror = "http://mirror.example/debian-security""#,
    in_project: true,
};
pub(crate) const PYTHON_MIRROR: Key = Key {
    name: "python-mirror",
    variable: Some("IMAGEWRIGHT_PYTHON_MIRROR"),
    takes: Takes::Text,
    what: "Mirror of python-build-standalone's releases, `file:` addresses too; else that of uv \
           (`UV_PYTHON_INSTALL_MIRROR`), else the project's own.",
    example: r#"python-mirror = "https://mirror.example/python-build-standalone""#,
    // It says what its archives are, too, and the compiler in them is started.
    in_project: false,
};
pub(crate) const ATTACH_LOCK: Key = Key {
    name: "attach-lock",
    variable: Some("IMAGEWRIGHT_ATTACH_LOCK"),
    takes: Takes::Flag,
    what: "Whether a pushed image gets its lock attached, for machines that have neither the lock nor the store; \
           else `true`. A registry without the referrers API lists it in a tag `sha256-…`.",
    example: "attach-lock = false",
    in_project: true,
};
pub(crate) const DOCKER_ARGUMENTS: Key = Key {
    name: "docker.build-arguments",
    variable: Some("IMAGEWRIGHT_DOCKER_BUILD_ARGUMENTS"),
    takes: Takes::Texts,
    what: "Further arguments of `docker build`, for the docker builder. The variable has them as a shell would read \
           them.",
    example: r#"build-arguments = ["--network=host"]"#,
    in_project: false,
};
pub(crate) const PLAIN_HTTP: Key = Key {
    name: "registries.plain-http",
    variable: Some("IMAGEWRIGHT_PLAIN_HTTP"),
    takes: Takes::Texts,
    what: "Registries that speak plain http, as `host` or `host:port`; loopback hosts do anyway. The variable \
           separates them with commas.",
    example: r#"plain-http = ["registry.local:5000"]"#,
    in_project: false,
};
pub(crate) const HTTPS: Key = Key {
    name: "registries.https",
    variable: Some("IMAGEWRIGHT_HTTPS"),
    takes: Takes::Texts,
    what: "Loopback registries that speak https all the same. The variable separates them with commas.",
    example: r#"https = ["localhost:5443"]"#,
    in_project: true,
};
pub(crate) const MIRRORS: Key = Key {
    name: "registries.mirrors",
    variable: None,
    takes: Takes::Mirrors,
    what: "For a registry, who has copies of its images; asked in order before itself, for pulls only.",
    example: r#"mirrors = { "docker.io" = ["mirror.example/hub"] }"#,
    in_project: true,
};

/// All of them, in the order of the documentation.
pub(crate) const KEYS: [Key; 13] = [
    PYTHON,
    STORE,
    UV,
    PYTHON_PROGRAM,
    THREADS,
    DEBIAN_MIRROR,
    DEBIAN_SECURITY_MIRROR,
    PYTHON_MIRROR,
    ATTACH_LOCK,
    DOCKER_ARGUMENTS,
    PLAIN_HTTP,
    HTTPS,
    MIRRORS,
];

/// A variable that is no setting of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is checked against it"))]
    pub(crate) what: &'static str,
}

/// Variables of the Python package, which the program knows, so as not to take them for settings that are misspelt.
pub(crate) const OF_THE_PACKAGE: [Variable; 2] = [
    Variable {
        name: "IMAGEWRIGHT_PROGRAM",
        what: "The program that the Python package starts; else the one beside Python, else on `PATH`.",
    },
    Variable {
        name: "IMAGEWRIGHT_PIN_DIGEST",
        what: "`1` or `true`: in flytekit an image is named with its digest, `name@sha256:…`.",
    },
];

/// Variables of other programs that imagewright reads.
#[cfg_attr(not(test), expect(dead_code, reason = "the documentation is checked against it"))]
pub(crate) const VARIABLES: [Variable; 14] = [
    Variable {
        name: "FLYTE_PUSH_IMAGE_SPEC",
        what: "`0` or `false`: `build` does not push without `--push`.",
    },
    Variable { name: "FLYTE_FORCE_PUSH_IMAGE_SPEC", what: "`1` or `true`: `build` acts as with `--force`." },
    Variable {
        name: "SOURCE_DATE_EPOCH",
        what: "The time of every file, in seconds since 1970, when a lock is made.",
    },
    Variable {
        name: "REGISTRY_AUTH_FILE",
        what: "File with the credentials of registries, before all others.",
    },
    Variable { name: "DOCKER_CONFIG", what: "Directory of Docker's `config.json`; else `~/.docker`." },
    Variable {
        name: "XDG_RUNTIME_DIR",
        what: "`containers/auth.json` below it is Podman's file of credentials.",
    },
    Variable { name: "XDG_CONFIG_HOME", what: "The user's configuration directory; else `~/.config`." },
    Variable { name: "XDG_CACHE_HOME", what: "The user's cache directory; else `~/.cache`." },
    Variable {
        name: "VIRTUAL_ENV",
        what: "The active virtual environment, whose Python reads Python files.",
    },
    Variable { name: "TERM", what: "The kind of terminal, which a command of `run` is told." },
    Variable {
        name: "HTTPS_PROXY",
        what: "Proxy, as are `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; never for loopback hosts.",
    },
    Variable {
        name: "SSL_CERT_FILE",
        what: "Certificates to trust, as is `SSL_CERT_DIR`; else the system's.",
    },
    Variable {
        name: "PIP_INDEX_URL",
        what: "pip's settings of indexes are kept to, from the environment and from its files.",
    },
    Variable { name: "UV_INDEX_URL", what: "uv's settings of indexes, proxies and credentials are kept to." },
];
