//! Bars on a terminal: one line for each thing under way, above it what was done.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imagewright_build::{Event, Reporter, Stage};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{about_image, line, verb};

const TICK: Duration = Duration::from_millis(100);

/// Draws events on the terminal; the bars go away with the last clone of the reporter.
pub(super) fn reporter() -> Reporter {
    let bars = Bars { terminal: MultiProgress::new(), open: Mutex::default() };
    Reporter::of_several(move |about, event| bars.see(about, &event))
}

struct Bars {
    terminal: MultiProgress,
    /// By the image that it is about, when there are several, and by what the user knows it as.
    open: Mutex<BTreeMap<(Option<String>, String), ProgressBar>>,
}

/// What stands for the one stage that is not about a layer or a file.
const STAGE: &str = "";

impl Bars {
    fn see(&self, about: Option<&str>, event: &Event) {
        let key = |subject: &str| (about.map(str::to_owned), subject.to_owned());
        let shown = |text: String| about_image(about, text);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { stage, subject } if *stage != Stage::Lock => {
                // The others follow each other.
                let is_beside = matches!(stage, Stage::Produce | Stage::Install | Stage::Index);
                let place = if is_beside { subject } else { STAGE };
                let spinner = self.spinner(shown(format!("{} {subject}", verb(*stage))));
                open.insert(key(place), spinner).into_iter().for_each(close);
            }
            Event::Ended { subject, .. } => open.remove(&key(subject)).into_iter().for_each(close),
            Event::Progress { subject, done, total } => {
                let bar =
                    open.entry(key(subject)).or_insert_with(|| self.bar(shown(subject.clone()), *total));
                bar.set_position(*done);
                if Some(*done) == *total {
                    open.remove(&key(subject)).into_iter().for_each(close);
                }
            }
            Event::Layer { title, .. } => {
                open.remove(&key(STAGE)).into_iter().for_each(close);
                open.remove(&key(title)).into_iter().for_each(close);
                self.tell(about, event);
            }
            Event::Done { .. } => {
                let is_of_image = |(of, _): &(Option<String>, String)| of.as_deref() == about;
                open.extract_if(.., |key, _| is_of_image(key)).for_each(|(_, bar)| close(bar));
                self.tell(about, event);
            }
            Event::Started { .. } | Event::Pushed { .. } | Event::Log { .. } | Event::Warning { .. } => {
                self.tell(about, event);
            }
        }
    }

    /// Prints a line above the bars.
    fn tell(&self, about: Option<&str>, event: &Event) {
        if let Some(line) = line(event) {
            // A terminal that went away is nothing that could be told to anyone.
            drop(self.terminal.println(about_image(about, line)));
        }
    }

    fn spinner(&self, message: String) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is well formed");
        let spinner = self.terminal.add(ProgressBar::new_spinner().with_style(style).with_message(message));
        spinner.enable_steady_tick(TICK);
        spinner
    }

    fn bar(&self, subject: String, total: Option<u64>) -> ProgressBar {
        let template = match total {
            Some(_) => "{bar:24} {decimal_bytes:>9} of {decimal_total_bytes:<9} {wide_msg}",
            None => "{spinner:24} {decimal_bytes:>9} {wide_msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        self.terminal.add(bar.with_style(style).with_message(subject))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a bar that is closed is not used again")]
fn close(bar: ProgressBar) {
    bar.finish_and_clear();
}
