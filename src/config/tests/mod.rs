//! The config from text to mistakes, as a whole.

mod files;
mod stand_in;
