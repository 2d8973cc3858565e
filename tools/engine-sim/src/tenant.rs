//! What a client meets on the wire.
