//! Specs that say what their image answers: built, and asked inside a running container.
//!
//! The comments at the top of a spec are what is asked, as in a terminal: a line `$ COMMAND`, and what it prints. In
//! front of them, a line `docker` says that a Docker daemon is asked as well; behind it may be the name that it knows
//! the image by, with `*` for the hash of the spec. A line `error CODE` says that the spec is refused, and what is
//! said. Hosts that end in `.example` stand for the peers of the tests.

use std::path::Path;

use imagewright_testkit::index::TestIndex;
use imagewright_testkit::registry::{Login, Rules, TestRegistry};
use imagewright_testkit::validate::{RegistryImage, validate_index};
use imagewright_testkit::wheel::WheelBuilder;

use crate::support::{Docker, Peers, Workshop, assert_valid, run, small, unique};

/// What a spec says of itself.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    questions: Vec<Question>,
    /// The image that a Docker daemon is asked for; empty for the one that was built.
    docker: Option<String>,
    refusal: Option<Refusal>,
}

/// A command and what it prints.
#[derive(Debug)]
struct Question {
    command: String,
    answer: String,
}

/// How a spec is refused.
#[derive(Debug)]
struct Refusal {
    code: i32,
    says: Vec<String>,
}

impl Asked {
    /// Reads the comments of a spec.
    pub(crate) fn read(text: &str) -> Self {
        let mut asked = Self::default();
        for line in text.lines().map_while(|line| line.strip_prefix('#')) {
            let line = line.strip_prefix(' ').unwrap_or(line);
            if let Some(command) = line.strip_prefix("$ ") {
                asked.questions.push(Question { command: command.to_owned(), answer: String::new() });
            } else if let Some(question) = asked.questions.last_mut() {
                question.answer.extend([line, "\n"]);
            } else if let Some(refusal) = &mut asked.refusal {
                refusal.says.push(line.to_owned());
            } else if let Some(code) = line.strip_prefix("error ") {
                asked.refusal = Some(Refusal { code: code.parse().unwrap(), says: Vec::new() });
            } else if let Some(image) = line.strip_prefix("docker") {
                asked.docker = Some(image.trim().to_owned());
            }
        }
        let asks = asked.questions.len() + usize::from(asked.refusal.is_some());
        assert_ne!(asks, 0, "it asks nothing");
        asked
    }

    /// Whether a Docker daemon is asked.
    pub(crate) fn is_for_docker(&self) -> bool {
        self.docker.is_some()
    }

    /// Whether the spec is refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }
}

/// Who the hosts in a spec are.
struct Hosts {
    peers: Peers,
    index: TestIndex,
    private: TestRegistry,
}

impl Hosts {
    fn start() -> Option<Self> {
        let peers = Peers::find()?;
        let index = TestIndex::start();
        let greeting = |version: &str| {
            let text = format!("TEXT = 'from the index of the tests, {version}'\n");
            WheelBuilder::new("greeting", version).file("greeting.py", text)
        };
        index.add(&greeting("1.0"));
        index.add(&greeting("2.0rc1").requires("nowhere-to-be-found"));
        // An environment always has these.
        index.add(&small("pip", "26.0"));
        index.add(&small("setuptools", "80.0"));
        let private = TestRegistry::start_with(Rules { login: Login::basic(), ..Rules::default() });
        Some(Self { peers, index, private })
    }

    fn named(&self) -> [(&'static str, String); 4] {
        [
            ("registry.example", format!("{}/{}", self.peers.registry, unique("specs"))),
            ("bases.example", self.peers.bases.clone()),
            ("index.example", self.index.host()),
            ("private.example", self.private.host()),
        ]
    }

    /// A text with the hosts that there are.
    fn in_force(&self, text: &str) -> String {
        self.named().iter().fold(text.to_owned(), |text, (name, host)| text.replace(name, host))
    }
}

/// A spec in a project of its own.
pub(crate) struct Project {
    hosts: Hosts,
    pub(crate) workshop: Workshop,
    /// The name of its file.
    pub(crate) spec: String,
    text: String,
}

impl Project {
    /// The spec of that name in a folder, with what is beside it; without peers the caller skips.
    pub(crate) fn of(folder: &Path, name: &str) -> Option<Self> {
        let (hosts, workshop) = (Hosts::start()?, Workshop::shared());
        let spec = format!("{name}.yaml");
        let text = fs_err::read_to_string(folder.join(&spec)).unwrap();
        let (from, to) = (folder.join("files"), workshop.project().join("files"));
        run("cp", &["--recursive", "--no-dereference", from.to_str().unwrap(), to.to_str().unwrap()]);
        for entry in fs_err::read_dir(&to).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = fs_err::read_to_string(&path).unwrap();
                fs_err::write(&path, hosts.in_force(&text)).unwrap();
            }
        }
        workshop.write(&spec, hosts.in_force(&text));
        Some(Self { hosts, workshop, spec, text })
    }

    /// The image as a Docker daemon has it.
    fn pull(&self, image: &str) -> Docker {
        let socket = &self.hosts.peers.docker;
        if !image.starts_with(&self.hosts.private.host()) {
            return Docker::pull(socket, image);
        }
        let login = self.workshop.path("login");
        fs_err::create_dir(&login).unwrap();
        let credentials = self.workshop.project().join("files/credentials.json");
        fs_err::copy(credentials, login.join("config.json")).unwrap();
        Docker::pull_as(socket, image, &login)
    }

    /// Whether an image has the name that the comments say.
    #[track_caller]
    fn assert_name(&self, image: &str, pattern: &str) {
        let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
        let start = self.hosts.in_force(start);
        let is_right = if pattern.contains('*') {
            image.starts_with(&start) && image.ends_with(end)
        } else {
            image == start
        };
        assert!(is_right, "{image} is not {pattern}");
    }
}

/// Builds the spec of that name in a folder, and asks.
#[track_caller]
pub(crate) fn check(folder: &Path, name: &str) {
    let Some(project) = Project::of(folder, name) else { return };
    let Project { workshop, spec, text, .. } = &project;
    let Asked { questions, docker, refusal } = Asked::read(text);
    if let Some(Refusal { code, says }) = refusal {
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        workshop.run(&["build", spec]).expect(code).says(&says);
        return;
    }
    let report = workshop.build(spec, &[]);
    for Question { command, answer } in &questions {
        let run = workshop.run(&["run", spec, "--", "sh", "-c", command]).expect(0);
        assert_eq!(run.stdout, *answer, "{name}: {command}");
    }
    let Some(pattern) = docker else { return };
    let image = report.text("image");
    if !pattern.is_empty() {
        project.assert_name(image, &pattern);
    }
    // Nobody but us answers for what we have not built, and the judge has no password.
    if report.text("status") == "built" && !pattern.starts_with("private.") {
        assert_sound(image, text);
    }
    let container = project.pull(image);
    for Question { command, answer } in &questions {
        assert_eq!(container.run(&["sh", "-c", command]), answer.trim_end(), "{name}, docker: {command}");
    }
}

/// Reads what was built of a spec: an index, if it names several platforms.
#[track_caller]
fn assert_sound(image: &str, spec: &str) {
    if spec.lines().any(|line| line.starts_with("platform:") && line.contains(',')) {
        let images = validate_index(&RegistryImage::new(image.parse().unwrap())).unwrap();
        assert_ne!(images.len(), 1);
    } else {
        assert_valid(image);
    }
}

/// The names of the specs in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let specs = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        specs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Makes a test of each spec in `folder()` by its name, and `TESTED` of all.
macro_rules! specs {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            $crate::e2e::asked::check(&folder(), stringify!($name));
        })+

        /// The specs that have a test of their name.
        const TESTED: &[&str] = &[$(stringify!($name)),+];
    };
}
pub(crate) use specs;
