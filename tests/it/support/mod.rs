//! What the tests share: a world with a tenant, a proxy and clients that remember every byte.

mod answer;
mod browser;
mod certificates;
mod egress;
mod eyes;
pub(crate) mod frames;
pub(crate) mod http2;
pub(crate) mod issuer;
mod knock;
mod liar;
mod log;
mod mill;
pub(crate) mod page;
mod pipe;
mod portal;
mod recipe;
mod redis;
pub(crate) mod rehearsal;
mod sibling;
mod tokens;
mod way;
mod world;

use std::time::Duration;

use tokio::time::{sleep, timeout};

pub(crate) use self::answer::Answer;
pub(crate) use self::browser::{Browser, End};
pub(crate) use self::certificates::{Authority, Files};
pub(crate) use self::egress::Egress;
pub(crate) use self::eyes::Eyes;
pub(crate) use self::issuer::Issuer;
pub(crate) use self::knock::{Hello, Knock};
pub(crate) use self::liar::Liar;
pub(crate) use self::log::Line;
pub(crate) use self::mill::Mill;
pub(crate) use self::pipe::{make_pipe, reader_of};
pub(crate) use self::portal::{Portal, Reply};
pub(crate) use self::recipe::Recipe;
pub(crate) use self::redis::RealRedis;
pub(crate) use self::sibling::{Sibling, attempt};
pub(crate) use self::tokens::{Signer, now};
pub(crate) use self::way::{Bytes, Way};
pub(crate) use self::world::{Doors, World, no_source, unique};

/// The page that the routes of the tests belong to.
pub(crate) const ORIGIN: &str = "https://app.example.com";
/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Waits for what is to happen soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, what)
        .await
        .expect("it did not happen in time")
}

/// Looks again and again until something is so.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    soon(async {
        while !so() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
