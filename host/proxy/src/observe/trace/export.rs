//! The way to the collector: batches of spans over OTLP, as HTTP or as gRPC, from a task of its own. A collector that
//! is down, hangs or refuses costs spans, which are counted, and never a request.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::collector::{Collector, Refused};
use super::metrics::Lost;
use super::spans;
use super::tracer::{Finished, Tracer};
use crate::wire::link::within;

/// The task that tells of finished exchanges.
#[derive(Debug)]
pub struct Exporter {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    patience: Duration,
}

struct Sender {
    tracer: Arc<Tracer>,
    collector: Collector,
    stop: watch::Receiver<bool>,
    /// The last batch was lost: nobody is told again until one is taken.
    is_down: bool,
}

/// The queue is looked at this often, so handing over wakes nobody.
const LOOK: Duration = Duration::from_millis(200);
/// Exchanges in one request.
const BATCH: usize = 256;
/// How often a batch is sent that the collector may still take, and the first pause; each further one is twice as long.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

// === impl Exporter ===

impl Exporter {
    /// Within a Tokio runtime that serves no requests.
    ///
    /// # Errors
    ///
    /// Where the collector cannot be spoken to at all.
    pub fn start(tracer: Arc<Tracer>) -> Result<Exporter, String> {
        let (stop, stopping) = watch::channel(false);
        let patience = tracer.plan.timeout;
        let sender = Sender {
            collector: Collector::new(&tracer.plan)?,
            tracer,
            stop: stopping,
            is_down: false,
        };
        Ok(Exporter {
            task: tokio::spawn(sender.run()),
            stop,
            patience,
        })
    }

    /// Sends what waits, once, and ends.
    pub async fn finish(self) {
        // Nobody listens only where the task is gone.
        let _ = self.stop.send(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(self.patience * 2, self.task)
            .await
            .is_err()
        {
            abort.abort();
        }
    }
}

// === impl Sender ===

impl Sender {
    async fn run(mut self) {
        loop {
            let stopping = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                _ = self.stop.wait_for(|stop| *stop) => true,
            };
            loop {
                let batch: Vec<Box<Finished>> = std::iter::from_fn(|| self.tracer.next())
                    .take(BATCH)
                    .collect();
                if batch.is_empty() {
                    break;
                }
                self.tell(&batch).await;
            }
            if stopping {
                return;
            }
        }
    }

    async fn tell(&mut self, batch: &[Box<Finished>]) {
        let count: u64 = batch.iter().map(|finished| finished.spans()).sum();
        let request = spans::request(&self.tracer.plan.service, batch);
        let mut message = BytesMut::with_capacity(request.encoded_len() + 5);
        if self.collector.is_grpc() {
            // Not compressed, and how long it is.
            message.put_u8(0);
            message.put_u32(u32::try_from(request.encoded_len()).unwrap_or(u32::MAX));
        }
        // A buffer in memory grows.
        let _ = request.encode(&mut message);
        match self.deliver(&message.freeze()).await {
            Ok(answer) => {
                let partial = answer.partial_success.map_or(0, |p| p.rejected_spans);
                let rejected = u64::try_from(partial).unwrap_or(0).min(count);
                self.tracer.metrics.sent(count - rejected);
                self.tracer.metrics.lost(Lost::Rejected, rejected);
                if std::mem::take(&mut self.is_down) {
                    tracing::info!("the collector of [traces] takes spans again");
                }
            }
            Err(refused) => {
                self.tracer.metrics.lost(Lost::NotDelivered, count);
                if !std::mem::replace(&mut self.is_down, true) {
                    let endpoint = &self.tracer.plan.endpoint.address;
                    tracing::warn!(%endpoint, "spans are lost until the collector of [traces] takes them: {}", refused.text);
                }
            }
        }
    }

    /// Tries more than once only while there is hope and nobody waits for the end.
    async fn deliver(&mut self, message: &Bytes) -> Result<ExportTraceServiceResponse, Refused> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let limit = self.tracer.plan.timeout;
            let posted = self.collector.post(message.clone());
            let refused = match within(limit, posted, Refused::for_now).await {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            if !refused.may_be_taken_later || tries == TRIES || *self.stop.borrow() {
                return Err(refused);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.stop.wait_for(|stop| *stop) => {}
            }
            pause *= 2;
            tries += 1;
        }
    }
}
