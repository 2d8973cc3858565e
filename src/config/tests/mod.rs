//! The config from text to mistakes, as a whole.

mod annotated;
mod files;
mod fuzz;
mod mistakes;
mod page;
mod schema;
mod stand_in;
mod warnings;
