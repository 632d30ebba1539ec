//! Files and folders that are not what vwfb hopes for: each is refused with a sentence or borne.

mod damage;
mod files;
mod machine;
mod size;
