//! Ctrl-C and SIGTERM: the first asks a build to stop, the second ends vwfb at once.

use std::thread::JoinHandle;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use vwfb_engine::workers::Canceller;

use crate::error::{CommandError, Exit};
use crate::progress::Screen;

/// Listens until it is dropped.
pub(crate) struct Listener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Passes signals on to a build.
    ///
    /// Tasks do not outlive a sudden end either: their launchers kill them when vwfb is gone.
    pub(crate) fn begin(canceller: Canceller, screen: Screen) -> Result<Self, CommandError> {
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).map_err(|source| CommandError::Signals { source })?;
        let handle = signals.handle();
        let thread = std::thread::spawn(move || {
            let mut asked = false;
            for signal in signals.forever() {
                if asked {
                    std::process::exit(Exit::of_signal(signal).code().into());
                }
                asked = true;
                screen.say("stopping; a second signal stops at once");
                canceller.cancel(signal);
            }
        });
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
