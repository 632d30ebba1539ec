//! The built-in rule files, compiled in.

use crate::label::WsPath;

/// The text of a built-in rule file (`@std/video`).
pub fn source(_path: &WsPath) -> Option<&'static str> {
    None
}

/// The built-in rule files, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    [].into_iter()
}
