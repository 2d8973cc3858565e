//! A future that is asked only when it was woken itself, however often its task is polled for
//! something else: a relay's task is polled at every message, and its clock and its orders have
//! nothing to say at most of them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is left in peace.
pub(super) struct Quiet<'a, F> {
    future: Pin<&'a mut F>,
    bell: Option<Arc<Bell>>,
}

/// Wakes the task, and tells what for.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<'a, F> Quiet<'a, F> {
    /// Leaves a future in peace until it is woken.
    pub(super) const fn new(future: Pin<&'a mut F>) -> Self {
        Self { future, bell: None }
    }

    /// The bell of this task; a new one has been rung, for nobody can have heard another.
    fn bell(&mut self, task: &Waker) -> &Arc<Bell> {
        let bell = self.bell.take().filter(|bell| bell.task.will_wake(task));
        self.bell.insert(bell.unwrap_or_else(|| {
            Arc::new(Bell {
                rung: AtomicBool::new(true),
                task: task.clone(),
            })
        }))
    }
}

impl<F: Future> Future for Quiet<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let quiet = self.get_mut();
        let bell = quiet.bell(cx.waker());
        // Read before it is taken: mostly nobody rang. Taken before the future is asked: what rings
        // from then on is heard.
        if !bell.rung.load(Ordering::Relaxed) || !bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(bell));
        quiet.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_asked_once_and_then_when_it_was_woken() {
        let (asked, (sender, mut receiver)) = (Cell::new(0), oneshot::channel());
        let future = pin!(poll_fn(|cx| {
            asked.set(asked.get() + 1);
            Pin::new(&mut receiver).poll(cx)
        }));
        let mut quiet = Quiet::new(future);
        for _ in 0..3 {
            assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut quiet).poll(cx).is_pending())).await);
        }
        assert_eq!(asked.get(), 1);
        sender.send(7).unwrap();
        assert_eq!(quiet.await, Ok(7));
        assert_eq!(asked.get(), 2);
    }

    #[tokio::test]
    async fn it_wakes_whichever_task_asked_last() {
        let (sender, receiver) = oneshot::channel();
        let mut receiver = pin!(receiver);
        let mut quiet = Quiet::new(receiver.as_mut());
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut quiet).poll(&mut nobody).is_pending());
        let (heard, ()) = tokio::join!(quiet, async { sender.send(7).unwrap() });
        assert_eq!(heard, Ok(7));
    }
}
