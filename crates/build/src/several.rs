//! Several images side by side in one process: each once, and those first that others are on top of.

use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use imagewright_spec::BuilderName;

use crate::BuildError;
use crate::existence::Existence;
use crate::forecast::Forecast;
use crate::native::{BuildRequest, Machine};
use crate::report::BuildReport;
use crate::schedule::{Schedule, State};

/// How many images are under way at once. What is made for them is bounded by the machine
/// ([`Workplace`](crate::Workplace)); this bounds the resolvers, each of which is a process that waits for the network
/// most of its time, so that there is something to make as long as there are images.
const AT_ONCE: usize = 16;

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
/// before that, and so does the earlier of two that have one name, or that make one base in two ways. When one fails, those that are under way are
/// finished, and no other is begun.
pub async fn build_all(orders: &[Order]) -> Outcomes {
    let requests: Vec<&BuildRequest> = orders.iter().map(|order| &order.request).collect();
    let schedule = Schedule::of(&requests);
    if let Some(Order { machine, .. }) = orders.first() {
        machine.workplace.bases.announce(&requests);
    }
    let mut outcomes: Vec<Outcome> = orders.iter().map(|_| Outcome::NotBegun).collect();
    let mut states = vec![State::Waiting; orders.len()];
    let mut failed_first = None;
    let mut running = FuturesUnordered::new();
    loop {
        while failed_first.is_none() && running.len() < AT_ONCE {
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
    for (order, twin) in schedule.twins().enumerate() {
        if let Some(Outcome::Done(report)) = twin.map(|twin| &outcomes[twin]) {
            outcomes[order] = Outcome::Done(Box::new(report.at_no_cost()));
        }
    }
    Outcomes { outcomes, failed_first }
}

/// Whether each of several images exists.
pub async fn exist_all(orders: &[Order]) -> Vec<Result<Existence, BuildError>> {
    let answers = orders.iter().map(|order| order.machine.exists(&order.request));
    stream::iter(answers).buffered(AT_ONCE).collect().await
}

/// What the build of each of several images would do.
pub async fn forecast_all(orders: &[Order]) -> Vec<Result<Forecast, BuildError>> {
    // Boxed, because each is a large future.
    let forecasts = orders.iter().map(|order| Box::pin(order.machine.forecast(&order.request)));
    stream::iter(forecasts).buffered(AT_ONCE).collect().await
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
}
