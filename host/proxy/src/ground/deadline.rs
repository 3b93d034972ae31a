//! Deadlines: how long an exchange may take because its client or its route says so, and what of that is left for the
//! services behind.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::ground::refusal::{Reason, Refusal};

/// None said one: the time-outs of the upstream alone bound the exchange.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    /// Where services are told what is left, in milliseconds.
    header: Option<HeaderName>,
    /// They are told in `grpc-timeout`, too.
    grpc: bool,
}

/// The gRPC protocol's own header: digits and a unit.
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// A longer wait than this is not meant.
const MOST: Duration = Duration::from_secs(7 * 24 * 3600);

impl Deadline {
    /// The earliest that a request's headers and its route name. `began` is when the exchange did.
    pub(crate) fn of(
        request: &HeaderMap,
        route: Option<Duration>,
        header: Option<&HeaderName>,
        began: Instant,
    ) -> Result<Deadline, Refusal> {
        let grpc = is_grpc(request);
        let in_header = header.and_then(|name| Some((name, request.get(name)?)));
        let own = in_header.map(|(name, value)| {
            milliseconds(value).ok_or_else(|| misread(name, "a number of milliseconds"))
        });
        let of_grpc = request.get(GRPC_TIMEOUT).filter(|_| grpc).map(|value| {
            let what = "up to 8 digits and one of H, M, S, m, u, n";
            grpc_timeout(value).ok_or_else(|| misread(&GRPC_TIMEOUT, what))
        });
        let times = [route, own.transpose()?, of_grpc.transpose()?];
        let shortest = times.into_iter().flatten().min();
        Ok(Deadline {
            at: shortest.map(|time| began + time.min(MOST)),
            header: shortest.and(header).cloned(),
            grpc,
        })
    }

    /// The earlier of this one and `end`.
    pub(crate) fn or(&self, end: Instant) -> Instant {
        self.at.map_or(end, |at| at.min(end))
    }

    /// Whether this one, not a time-out, is over.
    pub(crate) fn is_over(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    /// Tells a service what is left.
    pub(crate) fn write(&self, request: &mut HeaderMap) {
        let Some(at) = self.at else { return };
        let left = at.saturating_duration_since(Instant::now()).as_millis();
        if let Some(name) = &self.header {
            let value = HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX));
            request.insert(name, value);
        }
        // At most 8 digits: a longer time is told in seconds.
        if self.grpc {
            let text = match left {
                ..=99_999_999 => format!("{left}m"),
                _ => format!("{}S", (left / 1000).min(99_999_999)),
            };
            if let Ok(value) = HeaderValue::from_str(&text) {
                request.insert(GRPC_TIMEOUT, value);
            }
        }
    }
}

fn is_grpc(request: &HeaderMap) -> bool {
    let kind = request.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

fn milliseconds(value: &HeaderValue) -> Option<Duration> {
    digits(value.as_bytes(), 12).map(Duration::from_millis)
}

/// `Timeout → "grpc-timeout" TimeoutValue TimeoutUnit` of the gRPC protocol over HTTP/2.
fn grpc_timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, number) = value.as_bytes().split_last()?;
    let number = digits(number, 8)?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

fn digits(bytes: &[u8], most: usize) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > most || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn misread(name: &HeaderName, what: &str) -> Refusal {
    Refusal::new(Reason::InvalidRequest).detail(format!("{name} must be {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: HeaderName = HeaderName::from_static("x-timeout-ms");

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn the_shortest_deadline_counts() {
        let grpc = ("content-type", "application/grpc+proto");
        let route = Some(Duration::from_secs(5));
        let table: [(&[_], Option<Duration>, Option<u64>); 9] = [
            (&[], None, None),
            (&[], route, Some(5_000)),
            (&[("x-timeout-ms", "1500")], None, Some(1_500)),
            (&[("x-timeout-ms", "1500")], route, Some(1_500)),
            (&[("x-timeout-ms", "9000")], route, Some(5_000)),
            (&[("x-timeout-ms", "0")], route, Some(0)),
            (&[("grpc-timeout", "1S")], None, None),
            (&[("grpc-timeout", "1S"), grpc], None, Some(1_000)),
            (
                &[("grpc-timeout", "99999999H"), grpc],
                None,
                Some(604_800_000),
            ),
        ];
        for (fields, route, want) in table {
            let began = Instant::now();
            let deadline = Deadline::of(&headers(fields), route, Some(&HEADER), began);
            let at = deadline.expect("they are good").at;
            let want = want.map(|ms| began + Duration::from_millis(ms));
            assert_eq!(at, want, "{fields:?} {route:?}");
        }
    }

    #[test]
    fn a_deadline_that_cannot_be_read_is_refused() {
        let grpc = ("content-type", "application/grpc");
        let table: [&[_]; 8] = [
            &[("x-timeout-ms", "")],
            &[("x-timeout-ms", "1.5")],
            &[("x-timeout-ms", "-1")],
            &[("x-timeout-ms", "1000000000000000000000")],
            &[("grpc-timeout", "1"), grpc],
            &[("grpc-timeout", "S"), grpc],
            &[("grpc-timeout", "123456789S"), grpc],
            &[("grpc-timeout", "1s"), grpc],
        ];
        for fields in table {
            let deadline = Deadline::of(&headers(fields), None, Some(&HEADER), Instant::now());
            let refusal = deadline.expect_err("it is no deadline");
            assert_eq!(refusal.reason, Reason::InvalidRequest, "{fields:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_and_nothing_where_there_is_no_deadline() {
        let mut request = headers(&[
            ("x-timeout-ms", "60000"),
            ("content-type", "application/grpc"),
        ]);
        let before = Instant::now() - Duration::from_secs(20);
        let deadline = Deadline::of(&request, None, Some(&HEADER), before).expect("it is good");
        deadline.write(&mut request);
        let left: u64 = request[HEADER].to_str().expect("text").parse().expect("ms");
        assert!((30_000..=40_000).contains(&left), "{left}");
        let grpc = request[GRPC_TIMEOUT].to_str().expect("text");
        assert!(grpc.ends_with('m'), "{grpc}");
        let mut bare = HeaderMap::new();
        Deadline::default().write(&mut bare);
        assert!(bare.is_empty());
    }
}
