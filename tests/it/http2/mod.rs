//! Websockets as streams of one HTTP/2 connection (RFC 8441): the same rules, the same relay.

mod bounds;
mod ends;
mod neighbours;
mod opening;
mod raw;

use engine_sim::engine::SALES_APP;

use crate::support::http2::Ask;
use crate::support::{Authority, Files, Line, Recipe, World, until};

/// A world whose public door speaks TLS, and who certified it. `http2` are keys of `[listen.http2]`.
async fn secured(recipe: Recipe, http2: &str) -> (World, Authority) {
    let (authority, files) = (Authority::new(), Files::new());
    let door = authority.door(&files);
    let recipe = recipe.listen(&format!("{door}[listen.http2]\n{http2}\n"));
    // The files were read by then.
    (recipe.start().await, authority)
}

/// Somebody opens an app.
fn visit(world: &World, subject: &str) -> Ask {
    Ask::websocket(&format!("/qlik/app/{SALES_APP}")).cookie(&world.token(subject))
}

/// The line that says this of somebody's socket, once it is there.
async fn line(world: &World, message: &str, subject: &str) -> Line {
    let find = || {
        let mut lines = world.log().into_iter();
        lines.find(|line| line.message == message && line.field("subject") == subject)
    };
    until(|| find().is_some()).await;
    find().unwrap()
}
