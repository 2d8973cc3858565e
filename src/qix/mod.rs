//! What the engine's websocket URL and JSON-RPC say, as far as the proxy must understand it.
//!
//! A path or a client's message enters; what it names leaves, or that it is not understood. This
//! room decides nothing: who may do what is `policy`'s.

mod call;
mod denial;
mod greeting;
pub mod methods;
mod notice;
mod target;

pub use call::{Argument, Call, Id, Unreadable};
pub use denial::Denial;
pub use greeting::Greeting;
pub use notice::{Admission, Meaning, Notice, Speech, Weight};
pub use target::{Document, Target, is_app_id, is_session_app};
