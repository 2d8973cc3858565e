//! One piece of work that many wait for, and that goes on when they leave.

use tokio::sync::watch;

/// Work under way on a task of its own. Clones wait for the same outcome.
#[derive(Debug)]
pub struct Flight<T>(watch::Receiver<Option<T>>);

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Sets off. The work is nobody's: no caller that leaves can abort it for the others.
    pub fn launch(work: impl Future<Output = T> + Send + 'static) -> Self {
        let (outcome, waiting) = watch::channel(None);
        tokio::spawn(async move {
            let value = work.await;
            outcome.send_replace(Some(value));
        });
        Self(waiting)
    }

    /// Waits for the outcome; `None` if the work died.
    pub async fn land(mut self) -> Option<T> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }

    /// Whether there is nothing left to wait for.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.has_changed().is_err() || self.0.borrow().is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_work_goes_on_when_its_caller_leaves() {
        let (go, gate) = oneshot::channel();
        let (done, seen) = oneshot::channel();
        let flight = Flight::launch(async { done.send(gate.await.unwrap()) });
        let leaving = tokio::spawn(flight.land());
        tokio::task::yield_now().await;
        leaving.abort();
        assert!(leaving.await.is_err());
        go.send(7).unwrap();
        assert_eq!(seen.await, Ok(7));
    }

    #[tokio::test]
    async fn all_who_wait_get_the_outcome() {
        let (go, gate) = oneshot::channel();
        let flight = Flight::launch(async { gate.await.unwrap() });
        let waiting = tokio::spawn(flight.clone().land());
        assert!(!flight.is_over());
        go.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), Some(7));
        assert_eq!(flight.clone().land().await, Some(7));
        assert!(flight.is_over());
    }

    #[tokio::test]
    async fn work_that_dies_keeps_nobody_waiting() {
        let (ruin, gate) = oneshot::channel::<()>();
        let flight = Flight::launch(async { gate.await.unwrap() });
        assert!(!flight.is_over());
        drop(ruin);
        assert_eq!(flight.clone().land().await, None);
        assert!(flight.is_over());
    }
}
