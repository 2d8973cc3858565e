//! The websocket's bytes (RFC 6455): headers, a cursor that only reads headers, control frames,
//! masks. Pure: bytes enter, boundaries and meanings leave; no payload is ever kept here.

mod answer;
mod close;
mod cursor;
mod deflate;
mod frame;
mod handshake;
mod header;
mod mask;

pub use answer::{NotUpgraded, upgraded};
pub use close::{Close, reason};
pub use cursor::{Control, Cursor, Step, Stream, Until};
pub use frame::{bare_close_frame, close_frame, message_frame, ping_frame, pong_frame};
pub use handshake::{Handshake, lists};
pub use header::{Header, Opcode, Sender, Violation};
pub use mask::{Mask, unmask_message};
