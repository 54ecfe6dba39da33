//! Several images side by side in one process: each once, and those first that others are on top of.

use std::num::NonZeroUsize;

use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use imagewright_oci::ImageReference;
use imagewright_spec::{BuilderName, ImageSpec};

use crate::BuildError;
use crate::existence::Existence;
use crate::forecast::Forecast;
use crate::native::{BuildRequest, Machine};
use crate::report::BuildReport;

/// The fewest and the most images that are under way at once. What is made for them is bounded by the machine
/// ([`Workplace`](crate::Workplace)); this bounds the resolvers, each of which is a process.
const AT_ONCE: (usize, usize) = (4, 8);

/// One of several images to build.
#[derive(Clone, Debug)]
pub struct Order {
    /// What it is built with; those of all orders share what [`Machine::workplace`] is.
    pub machine: Machine,
    /// What is to be built.
    pub request: BuildRequest,
}

/// What became of an order.
#[derive(Debug)]
pub enum Outcome {
    /// The image is there.
    Done(Box<BuildReport>),
    /// It could not be built.
    Failed(Box<BuildError>),
    /// It was not begun, because another one had failed.
    NotBegun,
}

/// What became of several orders.
#[derive(Debug)]
pub struct Outcomes {
    /// One for each order, in their order.
    pub outcomes: Vec<Outcome>,
    /// The order that failed first.
    pub failed_first: Option<usize>,
}

/// Builds images side by side. An order that is repeated is built once; one whose image another is on top of comes
/// before that, and so does the earlier of two that have one name. When one fails, those that are under way are
/// finished, and no other is begun.
pub async fn build_all(orders: &[Order]) -> Outcomes {
    let schedule = Schedule::of(orders);
    let mut outcomes: Vec<Outcome> = orders.iter().map(|_| Outcome::NotBegun).collect();
    let mut states = vec![State::Waiting; orders.len()];
    let mut failed_first = None;
    let mut running = FuturesUnordered::new();
    let at_once = at_once(orders);
    loop {
        while failed_first.is_none() && running.len() < at_once {
            let Some(next) = schedule.next(&states, running.is_empty()) else { break };
            states[next] = State::Running;
            running.push(async move { (next, orders[next].build().await) });
        }
        let Some((done, built)) = running.next().await else { break };
        states[done] = State::Done;
        outcomes[done] = match built {
            Ok(report) => Outcome::Done(Box::new(report)),
            Err(error) => {
                failed_first = failed_first.or(Some(done));
                Outcome::Failed(Box::new(error))
            }
        };
    }
    for (order, twin) in schedule.twins.iter().enumerate() {
        if let Some(Outcome::Done(report)) = twin.map(|twin| &outcomes[twin]) {
            outcomes[order] = Outcome::Done(Box::new(report.at_no_cost()));
        }
    }
    Outcomes { outcomes, failed_first }
}

/// Whether each of several images exists.
pub async fn exist_all(orders: &[Order]) -> Vec<Result<Existence, BuildError>> {
    let answers = orders.iter().map(|order| order.machine.exists(&order.request));
    stream::iter(answers).buffered(at_once(orders)).collect().await
}

/// What the build of each of several images would do.
pub async fn forecast_all(orders: &[Order]) -> Vec<Result<Forecast, BuildError>> {
    // Boxed, because each is a large future.
    let forecasts = orders.iter().map(|order| Box::pin(order.machine.forecast(&order.request)));
    stream::iter(forecasts).buffered(at_once(orders)).collect().await
}

fn at_once(orders: &[Order]) -> usize {
    let threads = orders.first().map_or(1, |order| NonZeroUsize::get(order.machine.threads));
    (2 * threads).clamp(AT_ONCE.0, AT_ONCE.1)
}

impl Order {
    async fn build(&self) -> Result<BuildReport, BuildError> {
        let Self { machine, request } = self;
        // Boxed, because it is a large future.
        let report = Box::pin(machine.build(request)).await?;
        if let Some(digest) = report.digest.filter(|_| request.spec.builder == BuilderName::Native) {
            machine.workplace.bases.note(request, digest);
        }
        Ok(report)
    }

    /// Whether another order asks for the same in all.
    fn is_same(&self, other: &Self) -> bool {
        let BuildRequest {
            spec,
            with,
            client,
            id,
            directory,
            left_out: _,
            fallback_python,
            push,
            further_tags,
            // These are the command's, for all of its specs.
            sinks: _,
            force,
            no_cache,
            lock,
            frozen,
            upgrade,
            refresh,
            offline,
            epoch,
        } = &self.request;
        let it = &other.request;
        (spec, with, client, id) == (&it.spec, &it.with, &it.client, &it.id)
            && (directory, fallback_python, push, further_tags)
                == (&it.directory, &it.fallback_python, &it.push, &it.further_tags)
            && (force, no_cache, frozen, upgrade, refresh, offline, epoch)
                == (&it.force, &it.no_cache, &it.frozen, &it.upgrade, &it.refresh, &it.offline, &it.epoch)
            && lock.as_ref().map(|lock| &lock.lock) == it.lock.as_ref().map(|lock| &lock.lock)
    }

    /// What a spec's image is called; a spec without a name fails when it is built.
    fn image(&self, spec: &ImageSpec) -> Option<ImageReference> {
        spec.image_name(&self.request.directory).ok()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
}

/// Which orders wait for which.
#[derive(Debug)]
struct Schedule {
    /// The earlier order that a repeated one is like; it is not built itself.
    twins: Vec<Option<usize>>,
    /// The orders that have to be done before.
    after: Vec<Vec<usize>>,
}

impl Schedule {
    fn of(orders: &[Order]) -> Self {
        let twin = |at: usize| orders[..at].iter().position(|earlier| earlier.is_same(&orders[at]));
        let twins: Vec<Option<usize>> = (0..orders.len()).map(twin).collect();
        let images: Vec<Option<ImageReference>> =
            orders.iter().map(|order| order.image(&order.request.spec)).collect();
        let after = orders.iter().enumerate().map(|(at, order)| {
            let bases: Vec<ImageReference> =
                order.request.spec.with_bases().skip(1).filter_map(|base| order.image(base)).collect();
            let is_before = |&other: &usize| {
                let is_base = images[other].as_ref().is_some_and(|image| bases.contains(image));
                let has_name = other < at && images[other].is_some() && images[other] == images[at];
                other != at && twins[other].is_none() && (is_base || has_name)
            };
            (0..orders.len()).filter(is_before).collect()
        });
        let after = after.collect();
        Self { twins, after }
    }

    /// An order that can be begun. When nothing is under way and all wait for each other, that is the first.
    fn next(&self, states: &[State], is_idle: bool) -> Option<usize> {
        let mut waiting =
            (0..states.len()).filter(|&at| states[at] == State::Waiting && self.twins[at].is_none());
        let is_ready = |&at: &usize| self.after[at].iter().all(|&before| states[before] == State::Done);
        let first = waiting.clone().next().filter(|_| is_idle);
        waiting.find(is_ready).or(first)
    }
}
