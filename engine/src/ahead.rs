//! Queries that are asked on every core, so that their answers are there.

use std::num::NonZero;
use std::thread::{self, Scope, ScopedJoinHandle};

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
    let cores = cores();
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

/// What `work` makes of `all`, one for each, in order: of all at once, or where they are many of a
/// part on each core.
pub(crate) fn map<T: Sync, R: Send>(
    db: &Database,
    all: &[T],
    work: impl Fn(&dyn Db, &[T]) -> Vec<R> + Copy + Send,
) -> Vec<R> {
    thread::scope(|scope| Parts::begin(scope, db, all, work).end(db, work))
}

/// Gives `take` what `work` makes of each of `batches`, one for each of its things, in order; where
/// they are many, the next ones are made meanwhile.
pub(crate) fn stream<'a, T: Sync + 'a, R: Send>(
    db: &Database,
    mut batches: impl Iterator<Item = &'a [T]>,
    work: impl Fn(&dyn Db, &[T]) -> Vec<R> + Copy + Send,
    mut take: impl FnMut(&'a [T], Vec<R>),
) {
    thread::scope(|scope| {
        let begin = |batch: &'a [T]| (batch, Parts::begin(scope, db, batch, work));
        let mut next = batches.next().map(begin);
        while let Some((batch, parts)) = next {
            next = batches.next().map(begin);
            take(batch, parts.end(db, work));
        }
    });
}

/// In how many parts to work on so many things.
fn parts(count: usize) -> usize {
    if count < MANY { 1 } else { cores() }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Work on parts of something, in progress.
struct Parts<'scope, 'a, T, R>(Vec<Part<'scope, 'a, T, R>>);

/// A part, and who works on it; nobody where no thread could be had.
type Part<'scope, 'a, T, R> = (&'a [T], Option<ScopedJoinHandle<'scope, Vec<R>>>);

impl<'scope, 'a: 'scope, T: Sync, R: Send + 'scope> Parts<'scope, 'a, T, R> {
    /// Begins with `all`: a part on each core where they are many.
    fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        db: &Database,
        all: &'a [T],
        work: impl Fn(&dyn Db, &[T]) -> Vec<R> + Copy + Send + 'scope,
    ) -> Self {
        let parts = parts(all.len());
        if parts == 1 {
            return Self(vec![(all, None)]);
        }
        let start = |some: &'a [T]| {
            let db = db.clone();
            let thread = thread::Builder::new().stack_size(STACK);
            (some, thread.spawn_scoped(scope, move || work(&db, some)).ok())
        };
        Self(all.chunks(all.len().div_ceil(parts)).map(start).collect())
    }

    /// All of it, once it is made. What no thread was begun for is made here.
    fn end(self, db: &Database, work: impl Fn(&dyn Db, &[T]) -> Vec<R>) -> Vec<R> {
        let made = self.0.into_iter().map(|(some, thread)| match thread.map(|it| it.join()) {
            Some(Ok(made)) => made,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => work(db, some),
        });
        made.flatten().collect()
    }
}
