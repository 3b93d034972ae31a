//! What the load generators print.

/// Of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    pub(super) requests: f64,
    pub(super) per_second: f64,
    /// In microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// Reads wrk's report, which echo-sockets prints, too. None where a figure is missing, a response was not 2xx or a
/// connection failed.
pub(super) fn of_wrk(said: &str) -> Option<Report> {
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return None;
    }
    let after = |word: &str| {
        let mut lines = said.lines();
        lines.find_map(|line| line.trim().strip_prefix(word).map(str::trim))
    };
    let mut lines = said.lines();
    Some(Report {
        requests: lines.find_map(|line| line.trim().split_once(" requests in")?.0.parse().ok())?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50: micros(after("50%")?)?,
        p99: micros(after("99%")?)?,
    })
}

/// Reads h2load's report and its log: a line for each request, whose third word is how long it took in microseconds.
pub(super) fn of_h2load(said: &str, log: &str) -> Option<Report> {
    let after = |word: &str| said.lines().find_map(|line| line.strip_prefix(word));
    let mut counts = after("requests: ")?.split(", ");
    let mut count = |what: &str| {
        let count = counts.find_map(|count| count.strip_suffix(what))?;
        count.trim().parse::<f64>().ok()
    };
    let (requests, failed) = (count(" succeeded")?, count(" failed")?);
    let mut finished = after("finished in ")?.split(", ");
    let per_second = finished.nth(1)?.strip_suffix(" req/s")?;
    let times = log.lines();
    let times = times.filter_map(|line| line.split_whitespace().nth(2)?.parse().ok());
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    (requests > 0.0 && failed == 0.0).then_some(Report {
        requests,
        per_second: per_second.parse().ok()?,
        p50: *times.get(times.len() / 2)?,
        p99: *times.get(times.len() * 99 / 100)?,
    })
}

/// "1.23ms" and the like in microseconds.
fn micros(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 3s test @ http://x\n  Latency Distribution\n     50%    1.20ms\n     75%    1.50ms\n     \
        90%    2.00ms\n     99%  900.00us\n  3000 requests in 3.00s, 1.00MB read\nRequests/sec:   1000.00\n";

    #[test]
    fn a_report_of_wrk_is_read_and_errors_are_not_measured() {
        let expected = Report {
            requests: 3000.0,
            per_second: 1000.0,
            p50: 1200.0,
            p99: 900.0,
        };
        assert_eq!(of_wrk(WRK), Some(expected));
        for wrong in [
            "Non-2xx or 3xx responses: 1",
            "Socket errors: connect 0, read 1, write 0, timeout 0",
        ] {
            assert_eq!(of_wrk(&format!("{WRK}  {wrong}\n")), None);
        }
        assert_eq!(of_wrk(&WRK.replace("99%", "98%")), None);
    }

    #[test]
    fn a_report_of_h2load_is_read_and_errors_are_not_measured() {
        let said = "starting benchmark...\n\nfinished in 3.00s, 1000.00 req/s, 1.10MB/s\n\
             requests: 3000 total, 3064 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout\n";
        let log = "1\t200\t900\n2\t200\t1200\n3\t200\t1500\n";
        let expected = Report {
            requests: 3000.0,
            per_second: 1000.0,
            p50: 1200.0,
            p99: 1500.0,
        };
        assert_eq!(of_h2load(said, log), Some(expected));
        assert_eq!(
            of_h2load(&said.replace(" 0 failed", " 1 failed"), log),
            None
        );
        assert_eq!(of_h2load(said, ""), None);
    }

    #[test]
    fn times_have_their_units() {
        let times = ["2us", "1.5ms", "3s"].map(micros);
        assert_eq!(times, [Some(2.0), Some(1500.0), Some(3e6)]);
        assert_eq!(micros("3"), None);
    }
}
