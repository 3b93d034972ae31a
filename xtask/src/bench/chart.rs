//! docs/performance.svg: bars of CPU per request, shorter is better.

use std::fmt::Write as _;

use super::results::{CPU, Results};

pub(super) const CHART: &str = "docs/performance.svg";

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 230.0;
const LONGEST: f64 = 440.0;
const LINE: f64 = 22.0;
const OURS: &str = "#2563eb";
const OTHERS: &str = "#9ca3af";

/// Groups of bars: a title, then a name and a key of the figures for each.
const BARS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Plain proxying, HTTP/1.1",
        &[
            ("nginx", "plain/nginx"),
            ("haproxy", "plain/haproxy"),
            ("Portcullis", "plain/gateway"),
            ("Envoy", "plain/envoy"),
            ("Traefik", "plain/traefik"),
            ("Caddy", "plain/caddy"),
        ],
    ),
    (
        "One header each way, set by an extension",
        &[
            ("Portcullis, kept instance", "headers/gateway-kept"),
            ("Portcullis, fresh instance", "headers/gateway-fresh"),
            ("Envoy, proxy-wasm", "headers/envoy"),
        ],
    ),
    (
        "HMAC of a credential, checked by an extension",
        &[
            ("Portcullis, kept instance", "telegram/gateway-kept"),
            ("Portcullis, fresh instance", "telegram/gateway-fresh"),
            ("Envoy, proxy-wasm", "telegram/envoy"),
        ],
    ),
    (
        "HTTP/2 over TLS 1.3",
        &[
            ("nginx", "http2/nginx"),
            ("haproxy", "http2/haproxy"),
            ("Portcullis", "http2/gateway"),
            ("Envoy", "http2/envoy"),
            ("Traefik", "http2/traefik"),
            ("Caddy", "http2/caddy"),
        ],
    ),
];

/// Bars of what was measured.
pub(super) fn svg(results: &Results) -> String {
    let longest = BARS.iter().flat_map(|(_, bars)| *bars);
    let longest = longest.filter_map(|(_, key)| results.median(key, CPU));
    let scale = LONGEST / longest.fold(1.0, f64::max);
    let mut y = 34.0;
    let mut body = String::new();
    for (title, bars) in BARS {
        let known = bars
            .iter()
            .filter_map(|(name, key)| Some((*name, results.median(key, CPU)?)));
        let known: Vec<(&str, f64)> = known.collect();
        if known.is_empty() {
            continue;
        }
        y += LINE;
        let _ = writeln!(
            body,
            "<text x=\"16\" y=\"{y}\" font-weight=\"bold\">{title}</text>"
        );
        y += 6.0;
        for (name, cpu) in known {
            bar(&mut body, y, name, cpu, scale);
            y += LINE;
        }
    }
    let height = y + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#111827\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"15\">CPU microseconds per request (shorter is better)</text>\n{body}</svg>\n"
    )
}

fn bar(out: &mut String, y: f64, name: &str, cpu: f64, scale: f64) {
    let color = if name.starts_with("Portcullis") {
        OURS
    } else {
        OTHERS
    };
    let (text, width, end) = (y + 14.0, cpu * scale, LEFT + cpu * scale + 6.0);
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\
         <rect x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"15\" fill=\"{color}\"/>\
         <text x=\"{end:.1}\" y=\"{text}\">{cpu:.1}</text>",
        LEFT - 8.0,
        y + 2.0,
    );
}

#[cfg(test)]
mod tests {
    use super::super::results::Sample;
    use super::super::rows::{ROWS, Row};
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_figures_and_what_was_not_measured_has_none() {
        let sample = |cpu| vec![Sample::from([1.0, cpu, 1.0, 1.0])];
        let results = Results {
            samples: [
                ("plain/nginx".to_owned(), sample(15.0)),
                ("plain/gateway".to_owned(), sample(30.0)),
            ]
            .into(),
            ..Results::default()
        };
        let svg = svg(&results);
        assert!(
            svg.contains("width=\"220.0\" height=\"15\" fill=\"#9ca3af\""),
            "{svg}"
        );
        assert!(
            svg.contains("width=\"440.0\" height=\"15\" fill=\"#2563eb\""),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect x=").count(), 2);
        assert!(!svg.contains("HTTP/2") && !svg.contains("Envoy"));
    }

    #[test]
    fn each_bar_is_a_row() {
        for (_, key) in BARS.iter().flat_map(|(_, bars)| *bars) {
            assert!(ROWS.iter().map(Row::key).any(|row| row == *key), "{key}");
        }
    }
}
