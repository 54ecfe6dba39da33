use std::collections::BTreeSet;

/// How the registry behaves when nothing is broken.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of some registry, free of the others")]
pub struct Rules {
    /// Who may do what.
    pub login: Login,
    /// Whether blobs are mounted; otherwise a request to mount opens an upload session.
    pub mounts: bool,
    /// Whether a missing repository is a 500 with Harbor's words.
    pub harbor: bool,
    /// Whether a tag may be overwritten.
    pub immutable_tags: bool,
    /// Whether there is a referrers API.
    pub referrers: bool,
    /// Whether answers have `Docker-Content-Digest` and `Docker-Distribution-Api-Version`.
    pub docker_headers: bool,
    /// Whether ranges of blobs are served.
    pub ranges: bool,
    /// Whether upload locations are absolute URLs.
    pub absolute_locations: bool,
    /// Where blobs are redirected to: the base of a URL such as `http://127.0.0.1:9000`.
    pub redirect_blobs: Option<String>,
}

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Everyone everything.
    Open,
    /// User and password with every request.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Tokens from this registry's own `/token`.
    Token {
        /// The user who may push; others, and those without a name, may pull what is public.
        user: String,
        /// The user's password.
        password: String,
        /// What the refresh grant takes instead.
        identity_token: String,
        /// Repositories that anyone may pull from.
        public: BTreeSet<String>,
        /// How long a token is good for, in seconds, as the service says.
        expires_in: u64,
    },
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            login: Login::Open,
            mounts: true,
            harbor: false,
            immutable_tags: false,
            referrers: true,
            docker_headers: true,
            ranges: true,
            absolute_locations: false,
            redirect_blobs: None,
        }
    }
}

impl Login {
    /// Tokens for `user` with `secret`, or the identity token `refresh`; nothing is public.
    pub fn token() -> Self {
        Self::Token {
            user: "user".to_owned(),
            password: "secret".to_owned(),
            identity_token: "refresh".to_owned(),
            public: BTreeSet::new(),
            expires_in: 300,
        }
    }

    /// `user` with `secret`.
    pub fn basic() -> Self {
        Self::Basic { user: "user".to_owned(), password: "secret".to_owned() }
    }
}
