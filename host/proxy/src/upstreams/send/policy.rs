//! How far sending may go, as a value.

use std::time::Duration;

use http::StatusCode;
use portcullis_config::plan::Retry;

/// What may be tried again, and how a try is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy<'a> {
    /// Tries in all, the first included.
    pub(super) tries: u32,
    /// Statuses of a response that another try may better.
    pub(super) on: &'a [u16],
    /// None: as long as the whole request.
    pub(super) per_try: Option<Duration>,
    /// None: never two servers at once.
    pub(super) hedge_after: Option<Duration>,
    /// The pause before servers are asked again that were asked already; None: each is asked once.
    pub(super) back_off: Option<BackOff>,
    /// The wait for a response head is bounded by the upstream's time-out, not only by the end of the request.
    pub(super) first_byte: bool,
    /// The response may switch protocols: each try has a new connection.
    pub(super) upgrade: bool,
}

/// An exponential pause.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackOff {
    first: Duration,
    most: Duration,
}

impl<'a> Policy<'a> {
    /// A request that is forwarded, by the `retry` of its route.
    pub(crate) fn forward(retry: &'a Retry) -> Policy<'a> {
        Policy {
            tries: retry.tries,
            on: &retry.on,
            per_try: retry.per_try,
            hedge_after: retry.hedge_after,
            back_off: Some(BackOff {
                first: retry.back_off,
                most: retry.max_back_off,
            }),
            first_byte: true,
            upgrade: false,
        }
    }

    /// The handshake of a WebSocket: one server after the other, until one was reached.
    pub(crate) fn handshake() -> Policy<'static> {
        Policy {
            upgrade: true,
            first_byte: true,
            ..Policy::call()
        }
    }

    /// A call that a plugin makes, or a mirrored copy: one server after the other, until one was reached. How long an
    /// answer may take is the caller's to say.
    pub(crate) fn call() -> Policy<'static> {
        Policy {
            tries: u32::MAX,
            on: &[],
            per_try: None,
            hedge_after: None,
            back_off: None,
            first_byte: false,
            upgrade: false,
        }
    }
}

impl Policy<'_> {
    /// Whether a response with this status is good enough.
    pub(super) fn takes(&self, status: StatusCode) -> bool {
        !self.on.contains(&status.as_u16())
    }
}

impl BackOff {
    /// Exponential, and random between nothing and all of it: clients that failed together do not come back together.
    pub(super) fn pause(self, pauses: u32) -> Duration {
        let most = self
            .first
            .saturating_mul(1 << pauses.min(16))
            .min(self.most);
        most.mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_differ() {
        let back_off = BackOff {
            first: Duration::from_millis(100),
            most: Duration::from_millis(700),
        };
        for (pauses, most) in [(0, 100), (1, 200), (2, 400), (3, 700), (40, 700)] {
            let drawn: Vec<_> = (0..200).map(|_| back_off.pause(pauses)).collect();
            let most = Duration::from_millis(most);
            assert!(drawn.iter().all(|p| *p <= most), "{pauses}");
            // Full jitter: some are short and some are long.
            assert!(drawn.iter().any(|p| *p < most / 3), "{pauses}");
            assert!(drawn.iter().any(|p| *p > most * 2 / 3), "{pauses}");
        }
    }
}
