//! Ctrl-C and SIGTERM: what is under way is dropped, and with it the processes that it started.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use imagewright_store::Store;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{self, Failure};
use crate::helper_process;

/// How long work that does not come to a point of rest may go on after a signal.
const PATIENCE: Duration = Duration::from_millis(700);

/// How long what was dropped has to take away what it staged.
const CLEARING: Duration = Duration::from_millis(300);

/// Runs `work` until it is done, or until a signal says to stop.
///
/// Threads that inflate, compress or hash are not waited for long: what they have staged has no final name yet, and
/// goes away when the process has ended. Nothing after this may take long.
pub(crate) fn run<T, E: Into<Failure>>(work: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let signals = Signals::new()?;
        tokio::spawn(async move {
            signals.wait().await;
            if stop.send(()).is_err() {
                // The work is done already.
                return;
            }
            tokio::time::sleep(PATIENCE).await;
            helper_process::clear_later();
            failure::leave_interrupted();
        });
        tokio::select! {
            biased;
            _ = stopped => Err(Failure::Interrupted),
            result = work => result.map_err(Into::into),
        }
    });
    // A thread that still reads a download for work that was dropped panics when the runtime goes away below it.
    // The runtime ends with the process instead.
    std::mem::forget(runtime);
    result
}

/// The same for work with a store: when it ended early, what it staged is gone before this returns, if that can be soon.
///
/// Threads that stop a helper take away what it wrote when it has ended, and none of that outlives the last clone.
pub(crate) fn run_with<T, E: Into<Failure>>(
    store: &Store,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let clones = store.clones();
    let result = run(work);
    if result.is_err() {
        clear(store, clones);
    }
    result
}

/// The same for several pieces of work.
pub(crate) fn run_all<T>(
    store: &Store,
    work: impl Future<Output = T>,
    has_failed: impl Fn(&T) -> bool,
) -> Result<T, Failure> {
    let clones = store.clones();
    let result = run(async { Ok::<_, Failure>(work.await) });
    if result.as_ref().map_or(true, has_failed) {
        clear(store, clones);
    }
    result
}

/// Waits a while for what has ended early to take away what it staged; a helper does it for what takes longer.
fn clear(store: &Store, clones: usize) {
    let limit = Instant::now() + CLEARING;
    while store.clones() > clones {
        if Instant::now() > limit {
            return helper_process::clear_later();
        }
        thread::sleep(Duration::from_millis(2));
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
