//! Ctrl-C and SIGTERM. They end vwfb at once, except in a build: there the first asks it to stop, and
//! only the second ends vwfb.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use vwfb_engine::workers::Canceller;

use crate::error::{CommandError, Exit};
use crate::progress::Screen;

/// Whom the next signal is for.
#[derive(Clone, Default)]
pub(crate) struct Listener(Arc<Mutex<Option<Build>>>);

/// A build that can be asked to stop.
struct Build {
    canceller: Canceller,
    screen: Screen,
}

/// Signals go to a build until this is dropped.
pub(crate) struct Passing<'l>(&'l Listener);

impl Listener {
    /// Listens for the rest of the process.
    ///
    /// Tasks do not outlive a sudden end: their launchers kill them when vwfb is gone.
    pub(crate) fn begin() -> Result<Self, CommandError> {
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).map_err(|source| CommandError::Signals { source })?;
        let listener = Self::default();
        let heard = listener.clone();
        std::thread::spawn(move || signals.forever().for_each(|signal| heard.hear(signal)));
        Ok(listener)
    }

    /// Passes the next signal on to a build.
    pub(crate) fn pass_to(&self, canceller: Canceller, screen: Screen) -> Passing<'_> {
        *self.build() = Some(Build { canceller, screen });
        Passing(self)
    }

    fn hear(&self, signal: i32) {
        let Some(build) = self.build().take() else {
            std::process::exit(Exit::of_signal(signal).code().into());
        };
        build.screen.say("stopping; a second signal stops at once");
        build.canceller.cancel(signal);
    }

    fn build(&self) -> MutexGuard<'_, Option<Build>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        *self.0.build() = None;
    }
}
