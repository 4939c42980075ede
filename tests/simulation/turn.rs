//! Whose turn it is: several syncs run at once, and one of them at a time goes on as far as the link's next pause.
//!
//! The server calls its store on a thread of its own. A future that waits for that thread keeps its turn,
//! so the order in which threads happen to wake up never decides anything.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};

/// Something that goes on in steps.
pub type Running<T> = Pin<Box<dyn Future<Output = T>>>;

/// Says that the future which runs just now gave its turn up.
#[derive(Debug, Clone, Default)]
pub struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Waits for the next turn.
    pub async fn pause(&self) {
        let mut paused = false;
        std::future::poll_fn(|_| self.poll_pause(&mut paused)).await;
    }

    /// The poll of a pause; `paused` says whether it has been polled before.
    pub fn poll_pause(&self, paused: &mut bool) -> Poll<()> {
        if *paused {
            return Poll::Ready(());
        }
        *paused = true;
        self.0.store(true, Ordering::Relaxed);
        Poll::Pending
    }

    fn given_up(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Runs futures by turns.
#[derive(Debug)]
pub struct Turns {
    runtime: Runtime,
    turn: Turn,
}

impl Turns {
    /// With one thread for the server's store.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn new() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build()?;
        Ok(Self { runtime, turn: Turn::default() })
    }

    /// What the link pauses with.
    #[must_use]
    pub fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// Lets a future go on to its next pause; what it gave when it ended.
    pub fn step<T>(&self, running: &mut Running<T>) -> Option<T> {
        self.turn.given_up();
        let go_on = |context: &mut Context<'_>| match running.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.turn.given_up() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        };
        let done = self.runtime.block_on(std::future::poll_fn(go_on));
        self.settle();
        done
    }

    /// Ends something that goes on no further: a request under way is cut.
    pub fn cut<T>(&self, running: Running<T>) {
        let runtime = self.runtime.enter();
        drop(running);
        drop(runtime);
        self.settle();
    }

    /// What the server does of itself after a request was cut is done before anything else happens.
    fn settle(&self) {
        while self.runtime.metrics().num_alive_tasks() > 0 {
            self.runtime.block_on(tokio::task::yield_now());
        }
    }

    /// Lets a future go on to its end.
    pub fn finish<T>(&self, mut running: Running<T>) -> T {
        loop {
            if let Some(done) = self.step(&mut running) {
                return done;
            }
        }
    }
}
