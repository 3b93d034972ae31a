//! The tail of refusals: what is refused while somebody looks on. Where nobody does, a refusal pays for one load.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use crossbeam_queue::ArrayQueue;
use serde::Serialize;

use crate::observe::record::Record;

/// Refusals that wait to be looked at; more are only counted.
const WAITING: usize = 256;
/// Characters of a path or reason.
const LONGEST: usize = 300;

/// Written by the workers without a lock, read by who looks on.
#[derive(Debug)]
pub struct Tail {
    lookers: AtomicUsize,
    waiting: ArrayQueue<Refused>,
    skipped: AtomicU64,
}

/// A refusal as the access log tells of it.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// RFC 3339.
    pub time: String,
    pub reason: &'static str,
    pub status: u16,
    pub method: String,
    pub host: String,
    /// Without the query.
    pub path: String,
    pub route: Option<String>,
    pub caller: Option<String>,
    /// None: it is not known.
    pub client_ip: Option<IpAddr>,
    pub request_id: String,
    pub because: Option<String>,
}

/// Somebody who looks on, for as long as this is kept.
#[derive(Debug)]
pub struct Looker(Arc<Tail>);

impl Default for Tail {
    fn default() -> Tail {
        Tail {
            lookers: AtomicUsize::new(0),
            waiting: ArrayQueue::new(WAITING),
            skipped: AtomicU64::new(0),
        }
    }
}

impl Tail {
    /// Refusals are kept from now on.
    pub fn look(self: &Arc<Tail>) -> Looker {
        self.lookers.fetch_add(1, Ordering::Relaxed);
        Looker(self.clone())
    }

    pub fn lookers(&self) -> usize {
        self.lookers.load(Ordering::Relaxed)
    }

    /// What was refused since the last time, oldest first, and how many there was no room for.
    pub fn take(&self) -> (Vec<Refused>, u64) {
        let waiting = std::iter::from_fn(|| self.waiting.pop()).take(WAITING);
        (waiting.collect(), self.skipped.swap(0, Ordering::Relaxed))
    }

    /// An exchange has ended.
    pub(crate) fn ended(&self, record: &Record) {
        if self.lookers() == 0 {
            return;
        }
        if self.waiting.is_full() {
            self.skipped
                .fetch_add(u64::from(record.refusal.is_some()), Ordering::Relaxed);
        } else if let Some(refused) = refused(record)
            && self.waiting.push(refused).is_err()
        {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.0.lookers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn refused(record: &Record) -> Option<Refused> {
    let reason = record.refusal?;
    let cut = |text: &str| text.chars().take(LONGEST).collect();
    Some(Refused {
        time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        reason: reason.as_str(),
        status: record.status.as_u16(),
        method: cut(record.method.as_str()),
        host: cut(&record.host),
        path: cut(record.path()),
        route: record.route.as_deref().map(cut),
        caller: record.caller.as_deref().map(cut),
        client_ip: record.client_ip,
        request_id: cut(&record.request_id),
        because: record.because.as_deref().map(cut),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::refusal::{Reason, Refusal};
    use http::Method;

    fn exchange(tail: &Tail, refusal: Option<Reason>) {
        let ip = Some(IpAddr::from([127, 0, 0, 1]));
        let path = format!("/{}", "x".repeat(1000)).parse().ok();
        let mut record = Record::new(ip, Method::GET, path, "id".into());
        if let Some(reason) = refusal {
            record.refuse(&Refusal::new(reason).because("why"));
        }
        tail.ended(&record);
    }

    #[test]
    fn refusals_are_kept_only_while_somebody_looks_on_and_only_so_many() {
        let tail = &Arc::<Tail>::default();
        exchange(tail, Some(Reason::Forbidden));
        assert!(tail.take().0.is_empty(), "nobody looked on");
        let looker = tail.look();
        exchange(tail, None);
        for _ in 0..WAITING + 5 {
            exchange(tail, Some(Reason::Forbidden));
        }
        exchange(tail, None);
        let (told, skipped) = tail.take();
        assert_eq!((told.len(), skipped), (WAITING, 5));
        assert_eq!((told[0].reason, told[0].path.len()), ("forbidden", LONGEST));
        assert_eq!(told[0].because.as_deref(), Some("why"));
        drop(looker);
        exchange(tail, Some(Reason::Forbidden));
        assert!(tail.take().0.is_empty(), "nobody looks on any more");
    }
}
