use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many requests of one kind may be under way, adapted to what the registry bears.
///
/// Additive increase, multiplicative decrease: a registry that answers "too many requests" halves the number, each
/// full round of accepted requests adds one again, up to the number it began with.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    permits: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    most: usize,
    target: usize,
    /// Permits that exist, free or given out.
    issued: usize,
    accepted: usize,
}

/// The right to have one request under way, until dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    state: Arc<Mutex<State>>,
}

impl Limiter {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State { most, target: most, issued: most, accepted: 0 };
        Self { permits: Arc::new(Semaphore::new(most)), state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) async fn acquire(&self) -> Permit {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        Permit { permit: Some(permit), state: Arc::clone(&self.state) }
    }

    /// The registry asked for fewer requests.
    pub(crate) fn throttled(&self) {
        let mut state = self.state.lock().expect("no holder panics");
        state.target = (state.target / 2).max(1);
        state.accepted = 0;
        let surplus = state.issued.saturating_sub(state.target);
        state.issued -= self.permits.forget_permits(surplus);
    }

    /// The registry accepted a request.
    pub(crate) fn accepted(&self) {
        let mut state = self.state.lock().expect("no holder panics");
        if state.target == state.most {
            return;
        }
        state.accepted += 1;
        if state.accepted >= state.target {
            state.accepted = 0;
            state.target += 1;
            if state.issued < state.target {
                state.issued += 1;
                self.permits.add_permits(1);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.state.lock().expect("no holder panics");
        if state.issued > state.target {
            state.issued -= 1;
            self.permit.take().expect("a permit is dropped once").forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn halves_and_recovers() {
        let limiter = Limiter::new(6);
        let held = [limiter.acquire().await, limiter.acquire().await, limiter.acquire().await];
        assert_eq!(limiter.permits.available_permits(), 3);
        limiter.throttled();
        assert_eq!(limiter.permits.available_permits(), 0);
        limiter.throttled();
        drop(held);
        assert_eq!(limiter.permits.available_permits(), 1);
        limiter.throttled();
        limiter.accepted();
        assert_eq!(limiter.permits.available_permits(), 2);
        for _ in 0..50 {
            limiter.accepted();
        }
        assert_eq!(limiter.permits.available_permits(), 6);
    }
}
