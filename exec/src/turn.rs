//! How many processes run at once: a worker prepares a task and takes in its outputs while others
//! run theirs, and waits for its turn only to run the process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many processes run at once; shared by all workers of a build.
#[derive(Debug)]
pub struct Turns {
    free: Mutex<usize>,
    given_back: Condvar,
}

impl Turns {
    /// Lets `most` processes run at once.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(most), given_back: Condvar::new() })
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one worker waits for its turns.
#[derive(Debug, Clone)]
pub struct Waiter {
    turns: Arc<Turns>,
    waited: Arc<Mutex<Duration>>,
}

impl Waiter {
    /// Waits among all that share `turns`.
    pub fn of(turns: &Arc<Turns>) -> Self {
        Self { turns: Arc::clone(turns), waited: Arc::default() }
    }

    /// How long it has waited since this was last asked.
    pub fn waited(&self) -> Duration {
        std::mem::take(&mut self.waited.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a process may run, which it may while the turn is held.
    pub(crate) fn turn(&self) -> Turn<'_> {
        let mut free = self.turns.free();
        if *free == 0 {
            let since = Instant::now();
            while *free == 0 {
                free = self.turns.given_back.wait(free).unwrap_or_else(PoisonError::into_inner);
            }
            *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += since.elapsed();
        }
        *free -= 1;
        Turn(&self.turns)
    }
}

/// The right to run one process.
#[must_use = "dropping it ends the turn"]
pub(crate) struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_have_a_turn_than_may_and_each_gets_one() {
        let turns = Turns::new(2);
        let (running, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    let waiter = Waiter::of(&turns);
                    for _ in 0..50 {
                        let turn = waiter.turn();
                        assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                        ran.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!((ran.into_inner(), *turns.free()), (250, 2));
    }

    #[test]
    fn only_waiting_counts_as_waited() {
        let turns = Turns::new(1);
        let (first, second) = (Waiter::of(&turns), Waiter::of(&turns));
        let held = first.turn();
        assert_eq!(first.waited(), Duration::ZERO);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(second.turn()));
            // It gets the turn whether or not it waits by now.
            drop(held);
            waiting.join().unwrap();
        });
        let _some = second.waited();
        assert_eq!(second.waited(), Duration::ZERO);
    }
}
