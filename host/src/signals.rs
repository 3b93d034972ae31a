//! Signals: SIGHUP reloads, SIGUSR1 reopens the access log, SIGTERM and SIGINT end the gateway.

use portcullis_admin::Action;
use portcullis_terminal::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::access_log::Reopen;
use crate::reload::Request;

/// Signals that a process survives once it handles them.
pub(crate) struct Signals {
    hangups: Signal,
    users: Signal,
}

impl Signals {
    /// Handles them from now on.
    pub(crate) fn handle() -> Result<Signals, Failure> {
        Ok(Signals {
            hangups: signal(SignalKind::hangup()).map_err(Failure::trouble)?,
            users: signal(SignalKind::user_defined1()).map_err(Failure::trouble)?,
        })
    }

    /// Acts on them, in tasks that end with `tasks`.
    pub(crate) fn serve(
        self,
        supervisor: mpsc::Sender<Request>,
        reopen: Reopen,
        tasks: &mut JoinSet<()>,
    ) {
        tasks.spawn(reload_on_hangup(self.hangups, supervisor, reopen.clone()));
        tasks.spawn(reopen_on_user_signal(self.users, reopen));
    }
}

async fn reload_on_hangup(mut hangups: Signal, supervisor: mpsc::Sender<Request>, reopen: Reopen) {
    while hangups.recv().await.is_some() {
        reopen.ask();
        let request = Request {
            cause: "SIGHUP",
            action: Action::Reload,
            answer: None,
        };
        if supervisor.send(request).await.is_err() {
            return;
        }
    }
}

/// After logrotate has moved the file away.
async fn reopen_on_user_signal(mut users: Signal, reopen: Reopen) {
    while users.recv().await.is_some() {
        reopen.ask();
    }
}

/// Returns when the process is to end.
pub(crate) async fn terminated() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
