//! The admin listener's port to this process: reloads, the drain and the log level.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portcullis_admin::{Action, ActionError, ActionResult, Control, LogLevel};
use tokio::sync::{mpsc, oneshot};

use crate::drain::Drain;
use crate::log::Level;
use crate::reload::Request;

/// What an operator may reach of this process.
pub(crate) struct Process {
    pub(crate) supervisor: mpsc::Sender<Request>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) level: Arc<Level>,
}

impl Process {
    async fn ask(&self, action: Action) -> ActionResult {
        let (answer, done) = oneshot::channel();
        let request = Request {
            cause: "admin",
            action,
            answer: Some(answer),
        };
        let sent = self.supervisor.send(request).await;
        match (sent, done.await) {
            (Ok(()), Ok(done)) => done.map_err(ActionError::Refused),
            _ => Err(ActionError::ShuttingDown),
        }
    }
}

impl Control for Process {
    fn perform(&self, action: Action) -> Pin<Box<dyn Future<Output = ActionResult> + Send + '_>> {
        Box::pin(self.ask(action))
    }

    fn drain(&self, grace: Duration) -> Duration {
        self.drain.begin(grace)
    }

    fn is_draining(&self) -> bool {
        self.drain.is_on()
    }

    fn log_level(&self) -> LogLevel {
        self.level.shown()
    }

    fn set_log_level(&self, level: tracing::Level, time: Option<Duration>) {
        self.level.set(level, time);
    }
}
