//! The store as its users see it. One binary, so that it links once.

mod common;
mod damage;
mod gc;
mod materialise;
mod opening;
mod processes;
mod putting;
mod results;
