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
    let asked = parts(all.len(), 2);
    if asked > 1 {
        let ask = move |db: &dyn Db, some: &[T]| some.iter().for_each(|one| query(db, one));
        let _asked: Vec<()> = in_parts(db, all, asked, ask);
    }
}

/// What `work` makes of `all`, one for each, in order: of all at once, or where they are many of a
/// part on each core.
pub(crate) fn map<T: Sync, R: Send>(
    db: &Database,
    all: &[T],
    work: impl Fn(&dyn Db, &[T]) -> Vec<R> + Copy + Send,
) -> Vec<R> {
    in_parts(db, all, parts(all.len(), MANY), work).into_iter().flatten().collect()
}

/// In how many parts to work on `count` things; in one if they are fewer than `many`.
fn parts(count: usize, many: usize) -> usize {
    if count < many { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) }
}

/// What `work` makes of each of so many parts of `all`.
fn in_parts<T: Sync, R: Send>(
    db: &Database,
    all: &[T],
    parts: usize,
    work: impl Fn(&dyn Db, &[T]) -> R + Copy + Send,
) -> Vec<R> {
    if parts == 1 {
        return vec![work(db, all)];
    }
    thread::scope(|scope| {
        let start = |some| {
            let db = db.clone();
            let thread = thread::Builder::new().stack_size(STACK);
            (some, thread.spawn_scoped(scope, move || work(&db, some)))
        };
        let started: Vec<_> = all.chunks(all.len().div_ceil(parts)).map(start).collect();
        let done = started.into_iter().map(|(some, thread)| match thread.map(|it| it.join()) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Where no thread can be had, it is done here.
            Err(_) => work(db, some),
        });
        done.collect()
    })
}
