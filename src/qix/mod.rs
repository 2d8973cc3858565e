//! What the engine's JSON-RPC says, as far as the proxy must understand it.

mod target;

pub use target::{Document, Target};
