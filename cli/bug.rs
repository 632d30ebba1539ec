//! What people see when vwfb breaks a promise of its own.

use std::env;
use std::io::Write as _;
use std::panic::{self, PanicHookInfo};

use crate::error::Exit;

/// Where to report.
const REPORT: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");

/// Set to any value, it makes every command panic at its start: the only way in which a test can
/// see how vwfb ends when it has a bug.
const TRIAL: &str = "VWFB_TEST_PANIC";

/// Makes a panic on any thread end vwfb with one sentence and code 70.
///
/// Ending at once is safe: the store bears a kill at any instant, and task launchers kill their
/// tasks when vwfb is gone. Waiting for the other threads is not: they may wait for the one that
/// is lost.
pub(crate) fn catch() {
    let backtrace = env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if backtrace {
            default(panic);
        }
        // Where standard error is gone there is nobody left to tell.
        let _gone = std::io::stderr().lock().write_all(sentence(panic).as_bytes());
        std::process::exit(Exit::INTERNAL.code().into());
    }));
    assert!(env::var_os(TRIAL).is_none(), "this is a trial");
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("no reason was given");
    let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
    format!(
        "internal error: {what}{place}\nhint: this is a bug in vwfb {}; please report it with \
         what you did: {REPORT}\n",
        env!("CARGO_PKG_VERSION"),
    )
}
