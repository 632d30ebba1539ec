//! The look at the last finished state of a request. It begins while the rest of the workspace is
//! opened, where the request is known by then: a core waits for databases while the other looks.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use crate::snapshot::{Held, Opened, Place};
use crate::stamps::Stamps;
use crate::tools::Tools;

use super::prepare::open_folder;

/// A snapshot of which what a look needs is read.
pub(super) struct Ahead {
    place: Place,
    root: OwnedFd,
    opened: Opened,
    begun: Instant,
}

/// A snapshot all of whose files were looked at.
pub(super) struct Seen {
    pub(super) place: Place,
    pub(super) root: OwnedFd,
    pub(super) opened: Opened,
    pub(super) held: Held,
    /// When that was begun.
    pub(super) begun: Instant,
}

impl Ahead {
    /// The snapshot at `place` of the workspace in `root`.
    pub(super) fn open(root: &Path, place: Place) -> Option<Self> {
        let begun = Instant::now();
        Some(Self { root: open_folder(root)?, opened: Opened::read(&place)?, place, begun })
    }

    /// Looks at its files, and does `rest` meanwhile.
    pub(super) fn look<R: Send>(
        self,
        (tools, stamps): (&Tools, &Stamps),
        rest: impl FnOnce() -> R + Send,
    ) -> (Seen, R) {
        let (held, rest) = rayon::join(
            || self.opened.facts.look_at_files(&self.root),
            || {
                self.look_at_tools(tools, stamps);
                rest()
            },
        );
        let Self { place, root, opened, begun } = self;
        (Seen { place, root, opened, held, begun }, rest)
    }

    /// Looks at its tools, so that asking for them is quick.
    fn look_at_tools(&self, tools: &Tools, stamps: &Stamps) {
        let [closures, of_tools] = &self.opened.summary.tools.bytes;
        tools.restore(closures);
        stamps.restore_tools(of_tools);
        self.opened.facts.tools().for_each(|tool| drop(tools.closure(&tool)));
    }
}
