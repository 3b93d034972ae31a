//! The access log: lines handed over by the request's way, written by a thread of its own. A full queue drops
//! lines and counts them; nothing waits.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;

use prometheus::IntCounter;

use crate::metrics::LogMetrics;

/// Lines that may wait to be written.
const QUEUE: usize = 65_536;
/// The writer looks for lines this often; it is never woken, so handing one over is not a system call.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct AccessLog {
    lines: SyncSender<Vec<u8>>,
    metrics: LogMetrics,
}

/// The writer; join it after the last [`AccessLog`] is gone.
#[derive(Debug)]
pub struct Writer(std::thread::JoinHandle<()>);

impl AccessLog {
    /// Writes to `out` from a thread that ends when every `AccessLog` is dropped.
    pub fn start(
        out: impl Write + Send + 'static,
        metrics: LogMetrics,
    ) -> std::io::Result<(AccessLog, Writer)> {
        let (lines, queue) = sync_channel(QUEUE);
        let failures = metrics.failures.clone();
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&queue, out, &failures))?;
        Ok((AccessLog { lines, metrics }, Writer(thread)))
    }

    pub fn write(&self, line: Vec<u8>) {
        match self.lines.try_send(line) {
            Ok(()) => self.metrics.lines.inc(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.dropped.inc();
            }
        }
    }
}

impl Writer {
    pub fn join(self) {
        // A panic of the writer would already have been printed.
        let _ = self.0.join();
    }
}

fn write_all(queue: &Receiver<Vec<u8>>, mut out: impl Write, failures: &IntCounter) {
    let mut batch: Vec<u8> = Vec::new();
    loop {
        let ended = loop {
            match queue.try_recv() {
                Ok(line) => batch.extend_from_slice(&line),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
            if batch.len() > 1024 * 1024 {
                break false;
            }
        };
        if !batch.is_empty() {
            // A closed stdout is no reason to stop serving.
            if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                failures.inc();
            }
            batch.clear();
        }
        if ended {
            return;
        }
        std::thread::sleep(LOOK);
    }
}
