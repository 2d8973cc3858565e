//! Hypercubes: rows grouped by dimensions, with measures calculated for each group.
//!
//! Enters: a definition, a table and its association. Leaves: sorted rows, and from them layouts
//! and pages of cells. Never changes a selection.

mod definition;
mod info;
mod pages;
mod rows;
mod sort;
mod stacks;

pub(super) use definition::{CubeDefinition, Dimension, Library, Rect};
pub(super) use info::dimension_info;
pub(super) use pages::dimension_cell;
pub(super) use rows::{Cube, View};
pub(super) use sort::compare_elements;
