//! The config from text to mistakes, as a whole.

mod files;
mod mistakes;
mod stand_in;
