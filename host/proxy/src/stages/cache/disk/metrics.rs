//! What the disk tier counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::ground::registry::Book;

/// They live as long as the gateway.
#[derive(Debug, Clone)]
pub(crate) struct DiskMetrics {
    reads: [IntCounter; Read::ALL.len()],
    writes: [IntCounter; Write::ALL.len()],
    pub(super) evicted: IntCounter,
    pub(super) entries: IntGauge,
    pub(super) bytes: IntGauge,
    /// 1: what is stored is written; 0: memory has to do, or there is no disk tier.
    pub(super) up: IntGauge,
}

/// What asking the disk for a response that is not in memory came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Hit,
    Miss,
    /// Its checksum does not fit.
    Corrupt,
    Failed,
    /// Not asked, or not waited for: it is too slow.
    Slow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Done,
    /// Not tried: more waited than may, or the disk fails.
    Dropped,
    Failed,
}

impl Read {
    pub(super) const ALL: [Read; 5] = [
        Read::Hit,
        Read::Miss,
        Read::Corrupt,
        Read::Failed,
        Read::Slow,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Read::Hit => "hit",
            Read::Miss => "miss",
            Read::Corrupt => "corrupt",
            Read::Failed => "failed",
            Read::Slow => "slow",
        }
    }
}

impl Write {
    pub(super) const ALL: [Write; 3] = [Write::Done, Write::Dropped, Write::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Write::Done => "done",
            Write::Dropped => "dropped",
            Write::Failed => "failed",
        }
    }
}

impl DiskMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<DiskMetrics> {
        let reads = book.counters(
            "cache_disk_reads_total",
            "Responses that were not in memory and looked up on the disk, by outcome (hit, miss, corrupt, failed, slow)",
            &["outcome"],
        )?;
        let writes = book.counters(
            "cache_disk_writes_total",
            "Stored responses that were to be written to the disk, by outcome (done, dropped, failed)",
            &["outcome"],
        )?;
        let by = |family: &IntCounterVec, outcome: &str| family.with_label_values(&[outcome]);
        Ok(DiskMetrics {
            reads: Read::ALL.map(|read| by(&reads, read.as_str())),
            writes: Write::ALL.map(|write| by(&writes, write.as_str())),
            evicted: book.counter(
                "cache_disk_evicted_total",
                "Responses on the disk that made room for others",
            )?,
            entries: book.gauge("cache_disk_entries", "Responses on the disk")?,
            bytes: book.gauge(
                "cache_disk_bytes",
                "What responses take on the disk, in whole blocks",
            )?,
            up: book.gauge(
                "cache_disk_up",
                "Whether what is stored is written to the disk; 0 without a disk tier",
            )?,
        })
    }

    pub(super) fn read(&self, read: Read) -> &IntCounter {
        &self.reads[read as usize]
    }

    pub(super) fn write(&self, write: Write) -> &IntCounter {
        &self.writes[write as usize]
    }
}
