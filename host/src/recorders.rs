//! What records exchanges outside of the request path, and has to finish last: the writer of the access log and the
//! exporter of traces.

use std::sync::Arc;
use std::time::Duration;

use portcullis_config::plan::Plan;
use portcullis_proxy::{Archive, Exporter, Metrics, Tracer, Writer};
use portcullis_terminal::Failure;

use crate::access_log::{self, Reopen};

/// How long the last lines of the access log may take: a worker that was cut may still hold the log.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Those that gateway.toml asks for.
pub(crate) struct Recorders {
    writer: Option<Writer>,
    exporter: Option<Exporter>,
}

impl Recorders {
    /// Starts them; the archive feeds them.
    pub(crate) fn start(
        plan: &Plan,
        metrics: Arc<Metrics>,
        reopen: &Reopen,
    ) -> Result<(Archive, Recorders), Failure> {
        let (log, writer) = access_log::start(plan, &metrics, reopen)?.unzip();
        let (tracer, exporter) = traces(plan, &metrics)?.unzip();
        let archive = Archive {
            metrics,
            log,
            tracer,
            tail: Arc::default(),
        };
        Ok((archive, Recorders { writer, exporter }))
    }

    /// Waits for the last lines and the last spans. Nothing else may hold the archive by now.
    pub(crate) async fn finish(self) {
        if let Some(writer) = self.writer {
            let joined = tokio::task::spawn_blocking(|| writer.join());
            let _ = tokio::time::timeout(LAST_LINES, joined).await;
        }
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
    }
}

fn traces(plan: &Plan, metrics: &Metrics) -> Result<Option<(Arc<Tracer>, Exporter)>, Failure> {
    let Some(traces) = &plan.traces else {
        return Ok(None);
    };
    let tracer = Tracer::new(traces, &metrics.traces);
    let exporter = Exporter::start(tracer.clone())
        .map_err(|why| Failure::Trouble(format!("no traces can be sent: {why}")))?;
    Ok(Some((tracer, exporter)))
}
