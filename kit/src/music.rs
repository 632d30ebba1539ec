//! Music (to be written).
