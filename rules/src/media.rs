//! Media kinds: what a file holds, by its rule or its extension.

use std::fmt;

/// A media kind (`image`) or type (`image/png`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Media(pub String);

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
