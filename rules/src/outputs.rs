//! Conflicts between the outputs of different targets.

use crate::declare::Declared;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::Label;

/// The outputs that cannot stand beside one another: one path twice, or one inside another.
pub fn check_outputs<'d>(_targets: impl IntoIterator<Item = &'d Declared>) -> Vec<Diagnostic> {
    Vec::new()
}

/// The problem of targets that need one another in a circle: each label with the place where it
/// names the next, the last naming the first.
pub fn cycle(_path: &[(Label, Anchor)]) -> Diagnostic {
    Diagnostic::error(crate::codes::CYCLE, "")
}
