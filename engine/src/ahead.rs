//! Queries that are asked on every core, so that their answers are there.

use std::num::NonZero;
use std::thread;

use crate::db::{Database, Db, Target};

/// How many targets make it worth it.
const MANY: usize = 1_000;

/// As much stack as the thread has that would ask otherwise; only what is used of it takes memory.
const STACK: usize = 512 << 20;

/// Asks `query` of `targets` if they are many.
pub(crate) fn ask(
    db: &Database,
    targets: &[Target],
    query: impl Fn(&dyn Db, Target) + Copy + Send,
) {
    if targets.len() >= MANY {
        ask_each(db, targets, move |db, target| query(db, *target));
    }
}

/// Asks `query` of each of `all`, which is much work for each of them.
pub(crate) fn ask_each<T: Sync>(
    db: &Database,
    all: &[T],
    query: impl Fn(&dyn Db, &T) + Copy + Send,
) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    if all.len() < 2 || cores == 1 {
        return;
    }
    thread::scope(|scope| {
        for some in all.chunks(all.len().div_ceil(cores)) {
            let db = db.clone();
            let ask = move || some.iter().for_each(|one| query(&db, one));
            // Where no thread can be had, they are asked for later.
            let _asking = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, ask);
        }
    });
}
