//! What this process did that the index does not say yet, and what it knows to be there.
//!
//! Whoever puts, uses or commits something notes it here; `Store::land` writes it to the index,
//! many things in one transaction. While there is anything, the process holds the gate, and
//! nobody's `gc` begins: so what is noted here is as safe as what has a row.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::artifact::{ActionResult, FileRef};
use crate::commit::CommitError;
use crate::digest::{ActionKey, BlobId};
use crate::error::{AtPath, IoError};
use crate::index::ObjectRow;
use crate::layout;
use crate::lock::KeyLock;
use crate::pack::{Place, Slot};

/// How long something waits for more before it is written to the index.
const PATIENCE: Duration = Duration::from_millis(100);
/// So much is written without waiting for more.
const MANY: usize = 1000;

/// Bytes, and whether in the executable form.
pub(crate) type Form = (BlobId, bool);

/// An object that this process keeps from `gc` and that was whole when it last looked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) size: u64,
    pub(crate) place: Place,
    /// Whether its bytes need not be verified any more.
    pub(crate) is_checked: bool,
    /// Whether it may be a tree: then it is forgotten when anything is lost.
    pub(crate) may_be_tree: bool,
}

/// An object without a row, or whose row says something else.
#[derive(Debug, Clone)]
pub(crate) struct NewObject {
    pub(crate) file: FileRef,
    pub(crate) place: Place,
    /// What it names, if it is a tree.
    pub(crate) children: Vec<Form>,
}

/// A result without a row.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) key: ActionKey,
    pub(crate) result: ActionResult,
    pub(crate) record: Vec<u8>,
    pub(crate) slot: Slot,
    /// Held until the result has its row.
    pub(crate) _lock: Option<KeyLock>,
}

/// A use of a result.
#[derive(Debug)]
pub(crate) struct UsedResult {
    pub(crate) key: ActionKey,
    pub(crate) result: ActionResult,
}

/// What is written to the index together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) objects: Vec<NewObject>,
    pub(crate) uses: Vec<ObjectRow>,
    pub(crate) used_results: Vec<UsedResult>,
    pub(crate) checks: Vec<ObjectRow>,
    pub(crate) results: Vec<Queued>,
    gates: Vec<Arc<Gate>>,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
            + self.uses.len()
            + self.used_results.len()
            + self.checks.len()
            + self.results.len()
    }

    fn keep_gate(&mut self, gate: &Arc<Gate>) {
        if !self.gates.iter().any(|held| Arc::ptr_eq(held, gate)) {
            self.gates.push(Arc::clone(gate));
        }
    }
}

/// Results that did not get into the store.
pub(crate) struct Failed {
    pub(crate) keys: Vec<ActionKey>,
    pub(crate) error: CommitError,
}

/// Everything that waits.
#[derive(Default)]
pub(crate) struct Pending {
    state: Mutex<State>,
    /// Told when there is something to do for whoever lands batches.
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) known: HashMap<Form, Known>,
    /// Objects that were verified since the store was opened, claimed or not.
    pub(crate) verified: HashSet<Form>,
    /// What had no row when this process asked.
    pub(crate) nothing: Nothing,
    pub(crate) batch: Batch,
    /// The results that wait, and those that are being written.
    pub(crate) queued: HashMap<ActionKey, ActionResult>,
    pub(crate) failed: Vec<Failed>,
    since: Option<Instant>,
    /// Whether the store is being closed.
    closing: bool,
    has_lander: bool,
}

/// Objects and results that have no row.
#[derive(Default)]
pub(crate) struct Nothing {
    /// How often others had written (`Index::times_of_others`) when all of this was found.
    as_of: u64,
    absent: HashSet<Form>,
    /// Who is to make one of these anyway asks the index once more only if others wrote since.
    vacant: HashSet<ActionKey>,
    /// The results of this process, which have a row by now or will have one.
    made: HashSet<ActionKey>,
}

impl Nothing {
    /// Takes note of objects and results without a row, asked for when others had written so often.
    pub(crate) fn note(
        &mut self,
        as_of: u64,
        absent: impl IntoIterator<Item = Form>,
        vacant: impl IntoIterator<Item = ActionKey>,
    ) {
        if self.as_of != as_of {
            self.absent.clear();
            self.vacant.clear();
            self.as_of = as_of;
        }
        self.absent.extend(absent);
        // It may have been made since the index was asked.
        self.vacant.extend(vacant.into_iter().filter(|key| !self.made.contains(key)));
    }

    /// Whether the objects have no row, if others have written so often by now.
    pub(crate) fn has_none(&self, now: u64, forms: &[Form]) -> bool {
        self.as_of == now && forms.iter().all(|form| self.absent.contains(form))
    }

    /// Takes note that the result will have a row.
    pub(crate) fn made(&mut self, key: ActionKey) {
        self.vacant.remove(&key);
        self.made.insert(key);
    }

    /// Takes note that the object is there.
    pub(crate) fn put(&mut self, form: &Form) {
        self.absent.remove(form);
    }

    /// Whether the result has no row, if others have written so often by now. It is asked once.
    pub(crate) fn take_vacant(&mut self, now: u64, key: ActionKey) -> bool {
        self.vacant.remove(&key) && self.as_of == now
    }
}

impl Pending {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while a `gc` decides what goes, then keeps others from beginning. Who has a gate must
    /// not ask for another.
    pub(crate) fn gate(&self, path: &Path) -> Result<Arc<Gate>, IoError> {
        // Not an old one, which a busy process would never let go.
        let young = |gate: &&Arc<Gate>| gate.since.elapsed() < PATIENCE;
        if let Some(gate) = self.state().batch.gates.iter().find(young) {
            return Ok(Arc::clone(gate));
        }
        Ok(Arc::new(Gate::share(path)?))
    }

    /// Notes something with `add`; whether nobody lands batches yet, so that the caller must start
    /// someone.
    pub(crate) fn push(&self, gate: &Arc<Gate>, add: impl FnOnce(&mut State)) -> bool {
        let mut state = self.state();
        let before = state.batch.len();
        add(&mut state);
        if state.batch.len() == before {
            return false;
        }
        state.batch.keep_gate(gate);
        if state.since.is_none() {
            state.since = Some(Instant::now());
            self.changed.notify_one();
        } else if before < MANY && state.batch.len() >= MANY {
            self.changed.notify_one();
        }
        !std::mem::replace(&mut state.has_lander, true)
    }

    /// Waits until a batch has waited long enough or is large; `false` when the store is closed.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.state();
        loop {
            if state.closing {
                return false;
            }
            let waited = state.since.map(|since| since.elapsed());
            let wait = match waited {
                Some(waited) if waited >= PATIENCE || state.batch.len() >= MANY => return true,
                Some(waited) => PATIENCE - waited,
                None => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            };
            let woken = self.changed.wait_timeout(state, wait);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends `wait`.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.changed.notify_all();
    }

    /// Takes what waits, in the order in which it came.
    pub(crate) fn take(&self) -> Batch {
        let mut state = self.state();
        state.since = None;
        std::mem::take(&mut state.batch)
    }

    /// Puts a batch back that could not be written, in front of what came meanwhile. With an error
    /// its results are given up: whoever wants them makes them again.
    pub(crate) fn put_back(&self, mut batch: Batch, error: Option<CommitError>) {
        let mut state = self.state();
        if let Some(error) = error {
            let keys: Vec<_> = batch.results.drain(..).map(|queued| queued.key).collect();
            for key in &keys {
                state.queued.remove(key);
            }
            state.failed.push(Failed { keys, error });
        }
        let later = std::mem::take(&mut state.batch);
        batch.objects.extend(later.objects);
        batch.uses.extend(later.uses);
        batch.used_results.extend(later.used_results);
        batch.checks.extend(later.checks);
        batch.results.extend(later.results);
        batch.gates.extend(later.gates);
        state.batch = batch;
    }
}

/// While anyone shares the gate, no `gc` decides what goes.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The lock goes with it.
    _file: File,
    since: Instant,
}

impl Gate {
    /// Shares the gate, waiting for a `gc` to be through, also for one that itself still waits.
    fn share(path: &Path) -> Result<Self, IoError> {
        let turn = open(&path.with_extension("turn"))?;
        layout::retry(|| turn.lock_shared()).at("lock", path)?;
        let file = open(path)?;
        layout::retry(|| file.lock_shared()).at("lock", path)?;
        Ok(Self { _file: file, since: Instant::now() })
    }

    /// Shuts the gate once nobody shares it.
    pub(crate) fn shut(path: &Path) -> Result<Self, IoError> {
        let turn = open(&path.with_extension("turn"))?;
        layout::retry(|| turn.lock()).at("lock", path)?;
        let file = open(path)?;
        layout::retry(|| file.lock()).at("lock", path)?;
        Ok(Self { _file: file, since: Instant::now() })
    }
}

fn open(path: &Path) -> Result<File, IoError> {
    File::options().create(true).truncate(false).write(true).open(path).at("open", path)
}
