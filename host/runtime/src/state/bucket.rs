//! The arithmetic of token buckets.

use std::time::{Duration, Instant};

use super::Taken;
use crate::spec::Bucket;

/// GCRA: a bucket is the moment when it will be full again, and may be forgotten then. An absent one is full. Returns
/// the new moment, if tokens were taken.
pub(super) fn take(
    full_at: Option<Instant>,
    now: Instant,
    bucket: &Bucket,
    n: u32,
) -> (Option<Instant>, Taken) {
    let per_token = bucket.per / bucket.size.max(1);
    let missing = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
    let after = missing + per_token * n;
    if n > bucket.size || after > bucket.per {
        let retry_after = if n > bucket.size {
            Duration::MAX
        } else {
            after - bucket.per
        };
        let remaining = tokens(bucket.per - missing.min(bucket.per), per_token);
        return (
            None,
            Taken {
                allowed: false,
                remaining,
                retry_after,
            },
        );
    }
    let taken = Taken {
        allowed: true,
        remaining: tokens(bucket.per - after, per_token),
        retry_after: Duration::ZERO,
    };
    (Some(now + after), taken)
}

fn tokens(time: Duration, per_token: Duration) -> u64 {
    u64::try_from(time.as_nanos() / per_token.as_nanos().max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(size: u32, seconds: u64) -> Bucket {
        Bucket {
            name: "tries".into(),
            size,
            per: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_bucket_empties_and_refills() {
        let (bucket, start) = (bucket(5, 10), Instant::now());
        let mut full_at = None;
        let mut step = |at: u64, n: u32| {
            let now = start + Duration::from_millis(at);
            let (next, taken) = take(full_at, now, &bucket, n);
            full_at = next.or(full_at);
            (
                taken.allowed,
                taken.remaining,
                taken.retry_after.as_millis(),
            )
        };
        assert_eq!(step(0, 3), (true, 2, 0));
        assert_eq!(step(0, 2), (true, 0, 0));
        assert_eq!(step(0, 1), (false, 0, 2_000));
        assert_eq!(step(1_999, 1), (false, 0, 1));
        assert_eq!(step(2_000, 1), (true, 0, 0));
        assert_eq!(step(60_000, 0), (true, 5, 0));
        assert!(!step(60_000, 6).0, "more than it holds");
    }
}
