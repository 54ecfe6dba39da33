//! Points at which tests kill this process: what it leaves behind has to be of use to the next one.
//!
//! `IMAGEWRIGHT_TEST_ABORT_AT` is `list`, which writes the name of each point to stderr as it is reached, or
//! `name:number`, which kills the process at the point with this name when it is reached for that time, from 1.
//! Points are the stages of the store (`renamed-blob`) and the events of the engine (`event-pushed`).

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imagewright_build::{Event, Reporter};
use imagewright_store::Observer;
use rustix::process::{Signal, getpid, kill_process};

use crate::environment::Environment;

/// What is done at points; nothing unless a test asks.
#[derive(Clone, Debug)]
pub(crate) enum Failpoints {
    Nothing,
    List,
    Kill { name: String, left: Arc<AtomicUsize> },
}

impl Failpoints {
    pub(crate) fn of(environment: &Environment) -> Self {
        match environment.get("IMAGEWRIGHT_TEST_ABORT_AT").map(|text| (text, text.split_once(':'))) {
            Some(("list", _)) => Self::List,
            Some((_, Some((name, number)))) => {
                let left = Arc::new(AtomicUsize::new(number.parse().unwrap_or(1)));
                Self::Kill { name: name.to_owned(), left }
            }
            _ => Self::Nothing,
        }
    }

    /// Sees the stages of the store.
    pub(crate) fn observer(&self) -> Observer {
        if matches!(self, Self::Nothing) {
            return Observer::default();
        }
        let points = self.clone();
        Observer::new(move |stage| points.reach(&stage.to_string()))
    }

    /// Sees the events of the engine, behind their reader.
    pub(crate) fn reporter(&self, reader: Reporter) -> Reporter {
        if matches!(self, Self::Nothing) {
            return reader;
        }
        let points = self.clone();
        Reporter::of_several(move |about, event| {
            let name = name(&event);
            match about {
                Some(image) => reader.about(image).report(event),
                None => reader.report(event),
            }
            points.reach(&format!("event-{name}"));
        })
    }

    fn reach(&self, reached: &str) {
        match self {
            Self::Nothing => {}
            Self::List => drop(writeln!(std::io::stderr(), "point {reached}")),
            Self::Kill { name, left } => {
                if name == reached && left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    // SIGKILL, so that nothing is tidied up on the way.
                    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
                }
            }
        }
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Started { .. } => "started",
        Event::Ended { .. } => "ended",
        Event::Progress { .. } => "progress",
        Event::Layer { .. } => "layer",
        Event::Pushed { .. } => "pushed",
        Event::Log { .. } => "log",
        Event::Warning { .. } => "warning",
        Event::Done { .. } => "done",
    }
}
