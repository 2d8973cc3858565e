//! The body of a request that came on a stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use hyper::body::{Body, Frame};

/// A body, of which as much is taken as somebody reads.
pub(super) struct StreamBody(Option<RecvStream>);

impl StreamBody {
    pub(super) const fn new(incoming: RecvStream) -> Self {
        Self(Some(incoming))
    }

    /// A request that has none.
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(incoming) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let data = ready!(incoming.poll_data(cx));
        Poll::Ready(data.map(|data| {
            let data = data?;
            incoming.flow_control().release_capacity(data.len())?;
            Ok(Frame::data(data))
        }))
    }
}
