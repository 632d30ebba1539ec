//! What a workspace needs of the store, told to the store, so that no gc takes it.

use std::path::Path;

use vwfb_cas::profile::{Phase, Timed};
use vwfb_cas::{Roots, Store};

use crate::run::EnvironmentError;
use crate::state::{STATE_FILE, State};

/// Tells the store which results the workspace of `state` stands on: the last success of every
/// label in every configuration. A store that was told of these already is not told again.
pub(crate) fn publish(store: &Store, state: &State) -> Result<(), EnvironmentError> {
    let _telling = Timed::new(Phase::Store);
    // By the path of its memory: where that is gone, nobody needs what it named.
    let name = state.path().to_string_lossy();
    let told_to = store.root().to_string_lossy();
    let told = state.is_published(&told_to).map_err(|error| EnvironmentError::of(&error))?;
    // A store that was made anew knows nobody.
    let known = || store.has_roots(&name).map_err(|error| EnvironmentError::of(&error));
    if told && known()? {
        return Ok(());
    }
    let mark = state.successes_mark().map_err(|error| EnvironmentError::of(&error))?;
    let keys = state.current_keys().map_err(|error| EnvironmentError::of(&error))?;
    let roots = Roots { keys, artifacts: Vec::new() };
    store.publish_roots(&name, &roots).map_err(|error| EnvironmentError::of(&error))?;
    state.published(mark, &told_to).map_err(|error| EnvironmentError::of(&error))
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
