//! What a workspace needs of the store, told to the store, so that no gc takes it.

use std::path::Path;

use vwfb_cas::profile::{Phase, Timed};
use vwfb_cas::{ActionKey, Artifact, Roots, Store};

use crate::run::EnvironmentError;
use crate::state::{STATE_FILE, State};

/// Tells the store which results the workspace of `state` stands on: the last success of every
/// label in every configuration. A store that was told of these already is not told again.
/// Beside them it stands on what people `chose`.
pub(crate) fn publish(
    store: &Store,
    state: &State,
    chose: impl FnOnce() -> Result<Vec<Artifact>, EnvironmentError>,
) -> Result<(), EnvironmentError> {
    let _telling = Timed::new(Phase::Store);
    // A store that was made anew knows nobody.
    let known = || store.has_roots(&name(state)).map_err(|error| EnvironmentError::of(&error));
    if is_told(store, state)? && known()? {
        return Ok(());
    }
    publish_all(store, state, chose()?)
}

/// Tells it in any case, and so takes back what the workspace does not stand on any more.
pub(crate) fn publish_all(
    store: &Store,
    state: &State,
    artifacts: Vec<Artifact>,
) -> Result<(), EnvironmentError> {
    let _telling = Timed::new(Phase::Store);
    let mark = state.successes_mark().map_err(|error| EnvironmentError::of(&error))?;
    let keys = state.current_keys().map_err(|error| EnvironmentError::of(&error))?;
    let roots = Roots { keys, artifacts };
    let published = store.publish_roots(&name(state), &roots);
    published.map_err(|error| EnvironmentError::of(&error))?;
    told(store, state, mark)
}

/// Tells the store of the results `keys`, which are all that this run recorded since it was told
/// of the rest; the mark of the successes is `mark` with them.
pub(crate) fn publish_new(
    store: &Store,
    state: &State,
    keys: &[ActionKey],
    mark: i64,
) -> Result<(), EnvironmentError> {
    let _telling = Timed::new(Phase::Store);
    let added = store.add_roots(&name(state), keys);
    added.map_err(|error| EnvironmentError::of(&error))?;
    told(store, state, mark)
}

/// Tells the store that the workspace stands on the results `keys` too; it is told of all again at the
/// end of the run.
pub(crate) fn add(
    store: &Store,
    state: &State,
    keys: &[ActionKey],
) -> Result<(), EnvironmentError> {
    store.add_roots(&name(state), keys).map_err(|error| EnvironmentError::of(&error))
}

/// By the path of its memory: where that is gone, nobody needs what it named.
fn name(state: &State) -> String {
    state.path().to_string_lossy().into_owned()
}

fn is_told(store: &Store, state: &State) -> Result<bool, EnvironmentError> {
    let told = state.is_published(&store.root().to_string_lossy());
    told.map_err(|error| EnvironmentError::of(&error))
}

fn told(store: &Store, state: &State, mark: i64) -> Result<(), EnvironmentError> {
    let told = state.published(mark, &store.root().to_string_lossy());
    told.map_err(|error| EnvironmentError::of(&error))
}

/// The workspaces that told the store of their roots and are gone from the disk.
///
/// # Errors
/// If the store cannot be read.
pub fn gone_workspaces(store: &Store) -> Result<Vec<String>, EnvironmentError> {
    let names = store.root_workspaces().map_err(|error| EnvironmentError::of(&error))?;
    let is_gone = |name: &String| {
        let path = Path::new(name);
        path.ends_with(STATE_FILE) && path.try_exists().is_ok_and(|there| !there)
    };
    Ok(names.into_iter().filter(is_gone).collect())
}
