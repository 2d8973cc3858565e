//! Which method of which handle does what.
//!
//! Enters: a request and the seat it came from. Leaves: an answer's out-parameters or a fault.
//! A method that is not in these tables does not exist.

mod doc;
mod field;
mod global;
mod object;
mod select;

use serde_json::{Value, json};

use super::{
    rpc::{Answer, Fault, Request},
    session::{SeatId, Session, Target},
};

/// Answers one request.
pub(super) fn answer(
    session: &mut Session,
    seat: SeatId,
    request: &Request,
) -> Result<Answer, Fault> {
    let mut desk = Desk {
        session,
        seat,
        request,
    };
    match desk
        .session
        .target(seat, request.handle)
        .ok_or_else(Fault::invalid_handle)?
    {
        Target::Global => global::answer(&mut desk),
        Target::Doc => doc::answer(&mut desk),
        Target::Field(field) => field::answer(&mut desk, field),
        Target::Object(id) => object::answer(&mut desk, &id),
    }
}

/// What a method has at hand.
struct Desk<'a> {
    session: &'a mut Session,
    seat: SeatId,
    request: &'a Request,
}

impl Desk<'_> {
    fn unknown(&self, kind: &str) -> Fault {
        Fault::method_not_found(&format!("{kind}.{}", self.request.method))
    }

    /// A handle as `qReturn` gives it.
    fn interface(&mut self, target: Target, kind: &str, id: Option<&str>) -> Value {
        let handle = self.session.handle(self.seat, target);
        match id {
            Some(id) => json!({ "qType": kind, "qHandle": handle, "qGenericId": id }),
            None => json!({ "qType": kind, "qHandle": handle }),
        }
    }
}

/// What the engine returns in place of a handle for what it does not have.
fn no_interface() -> Value {
    json!({ "qType": null, "qHandle": null })
}
