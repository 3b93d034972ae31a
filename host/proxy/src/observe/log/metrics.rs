//! What is counted of the access log.

use prometheus::{IntCounter, Result};

use crate::ground::registry::Book;

#[derive(Debug, Clone)]
pub struct LogMetrics {
    pub lines: IntCounter,
    pub dropped: IntCounter,
    pub sampled_out: IntCounter,
    pub failures: IntCounter,
}

impl LogMetrics {
    pub(crate) fn enter(book: &mut Book) -> Result<LogMetrics> {
        Ok(LogMetrics {
            lines: book.counter(
                "access_log_lines_total",
                "Lines of the access log handed to its writer",
            )?,
            dropped: book.counter(
                "access_log_dropped_total",
                "Lines of the access log dropped because its writer did not keep up",
            )?,
            sampled_out: book.counter(
                "access_log_sampled_out_total",
                "Exchanges without a line because log.sample left them out",
            )?,
            failures: book.counter(
                "access_log_write_failures_total",
                "Writes of the access log that failed",
            )?,
        })
    }
}
