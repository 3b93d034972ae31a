//! The queue and the thread that empties it. A queue that is full drops lines and counts them; nothing waits.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use super::metrics::LogMetrics;

/// Lines that may wait to be written, and their bytes.
const QUEUE: usize = 65_536;
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// The writer looks for lines this often; it is never woken, so handing one over is not a system call.
const LOOK: Duration = Duration::from_millis(20);
/// What is written at once.
const BATCH: usize = 1024 * 1024;

/// Where lines are handed over.
#[derive(Debug)]
pub(super) struct Queue {
    lines: SyncSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    pub(super) metrics: LogMetrics,
}

/// The writer; join it after the last log is gone.
#[derive(Debug)]
pub struct Writer(std::thread::JoinHandle<()>);

struct Desk<W> {
    queue: Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    metrics: LogMetrics,
    out: W,
    /// The last write failed, and somebody was told.
    failing: bool,
}

/// Writes to `out` from a thread that ends when the queue is dropped.
pub(super) fn start(
    out: impl Write + Send + 'static,
    metrics: LogMetrics,
) -> std::io::Result<(Queue, Writer)> {
    let (lines, queue) = sync_channel(QUEUE);
    let waiting = Arc::<AtomicUsize>::default();
    let desk = Desk {
        queue,
        waiting: waiting.clone(),
        metrics: metrics.clone(),
        out,
        failing: false,
    };
    let thread = std::thread::Builder::new().name("access-log".into());
    let thread = thread.spawn(move || desk.run())?;
    let queue = Queue {
        lines,
        waiting,
        metrics,
    };
    Ok((queue, Writer(thread)))
}

// === impl Queue ===

impl Queue {
    pub(super) fn hand_over(&self, line: Vec<u8>) {
        let bytes = line.len();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes <= QUEUE_BYTES && self.lines.try_send(line).is_ok() {
            self.metrics.lines.inc();
        } else {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.dropped.inc();
        }
    }
}

// === impl Writer ===

impl Writer {
    pub fn join(self) {
        // A panic of the writer would already have been printed.
        let _ = self.0.join();
    }
}

// === impl Desk ===

impl<W: Write> Desk<W> {
    fn run(mut self) {
        let mut batch: Vec<u8> = Vec::new();
        loop {
            let mut lines = 0;
            let ended = loop {
                match self.queue.try_recv() {
                    Ok(line) => {
                        self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                        batch.extend_from_slice(&line);
                        lines += 1;
                    }
                    Err(TryRecvError::Empty) => break false,
                    Err(TryRecvError::Disconnected) => break true,
                }
                if batch.len() > BATCH {
                    break false;
                }
            };
            if lines > 0 {
                self.write(&batch, lines);
                batch.clear();
            }
            if ended {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// A closed stdout or a full disk is no reason to stop serving.
    fn write(&mut self, batch: &[u8], lines: u64) {
        let written = self.out.write_all(batch).and_then(|()| self.out.flush());
        match written {
            Ok(()) if self.failing => tracing::info!("the access log is written again"),
            Ok(()) => {}
            Err(error) => {
                self.metrics.failures.inc();
                self.metrics.dropped.inc_by(lines);
                if !self.failing {
                    tracing::error!(%error, "the access log cannot be written; its lines are lost until it can");
                }
                self.failing = true;
                return;
            }
        }
        self.failing = false;
    }
}
