//! The bodies of the few requests that have one: small, and not waited for long. A body that is
//! larger, late or broken off is none.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use tokio::time::timeout;

/// How long a client may take to send it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a body of at most `largest` bytes.
pub(super) async fn read(body: impl Readable, largest: usize) -> Option<Bytes> {
    let collected = timeout(PATIENCE, Limited::new(body, largest).collect()).await;
    Some(collected.ok()?.ok()?.to_bytes())
}

/// A body as some HTTP brings it.
pub(super) trait Readable:
    Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static
{
}

impl<B> Readable for B where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static
{
}
