//! `Accept-Encoding` (RFC 9110 section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use portcullis_config::plan::Encoding;

use crate::ground::fields;

/// Thousandths, as fine as a weight can be written (RFC 9110 section 12.4.2).
type Weight = u16;

/// What a client said of each coding; None: nothing.
#[derive(Debug, Default)]
struct Wishes {
    gzip: Option<Weight>,
    br: Option<Weight>,
    zstd: Option<Weight>,
    identity: Option<Weight>,
    any: Option<Weight>,
}

/// The coding that the client likes best of `offered`; of equals the first. None: as it is, which also is the answer
/// to a client that refuses everything, for lack of a better one.
pub(super) fn choose(headers: &HeaderMap, offered: &[Encoding]) -> Option<Encoding> {
    let mut wishes = Wishes::default();
    let mut said = false;
    for value in headers.get_all(ACCEPT_ENCODING) {
        said = true;
        // A value that is no text says nothing.
        fields::list(value.to_str().ok()?).for_each(|item| wishes.read(item));
    }
    if !said {
        return None;
    }
    let mut best: Option<(Weight, Encoding)> = None;
    for encoding in offered {
        let weight = wishes.of(*encoding);
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, *encoding));
        }
    }
    // Unmentioned, identity is acceptable, but liked least.
    let (weight, encoding) = best?;
    (weight >= wishes.identity.unwrap_or(0)).then_some(encoding)
}

impl Wishes {
    fn read(&mut self, item: &str) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| weight(value.trim()))
        });
        // What is malformed is not taken for a wish.
        let Some(weight) = weight.unwrap_or(Some(1000)) else {
            return;
        };
        let place = if ["gzip", "x-gzip"]
            .iter()
            .any(|n| coding.eq_ignore_ascii_case(n))
        {
            &mut self.gzip
        } else if coding.eq_ignore_ascii_case("br") {
            &mut self.br
        } else if coding.eq_ignore_ascii_case("zstd") {
            &mut self.zstd
        } else if coding.eq_ignore_ascii_case("identity") {
            &mut self.identity
        } else if coding == "*" {
            &mut self.any
        } else {
            return;
        };
        *place = Some(weight);
    }

    fn of(&self, encoding: Encoding) -> Weight {
        let own = match encoding {
            Encoding::Gzip => self.gzip,
            Encoding::Brotli => self.br,
            Encoding::Zstd => self.zstd,
        };
        own.or(self.any).unwrap_or(0)
    }
}

/// `0`, `0.5`, `1.000`: at most three digits after the point, at most 1.
fn weight(text: &str) -> Option<Weight> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: Weight = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use Encoding::{Brotli, Gzip, Zstd};

    use super::*;

    #[test]
    fn the_clients_weights_decide_and_of_equals_our_order() {
        let table: &[(&str, Option<Encoding>)] = &[
            ("gzip", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, br", Some(Brotli)),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", Some(Gzip)),
            ("br;q=0.5, gzip;q=0.5", Some(Brotli)),
            ("zstd;q=0, br;q=0, gzip", Some(Gzip)),
            ("*", Some(Zstd)),
            ("*;q=0.1, gzip;q=0.2", Some(Gzip)),
            ("zstd;q=0, *", Some(Brotli)),
            ("gzip ; q = 0.7 , br ;q=0.3", Some(Gzip)),
            ("br;level=4;q=0.4, gzip;q=0.3", Some(Brotli)),
            ("gzip;q=0.001", Some(Gzip)),
            ("identity, gzip", Some(Gzip)),
            ("identity;q=1, gzip;q=0.5", None),
            ("identity;q=0", None),
            ("*;q=0", None),
            ("deflate", None),
            ("", None),
            ("gzip;q=0", None),
            ("gzip;q=0.000", None),
            ("gzip;q=2", None),
            ("gzip;q=1.001", None),
            ("gzip;q=0.0001", None),
            ("gzip;q=-1", None),
            ("gzip;q=", None),
            ("gzip;q=0.5x", None),
        ];
        for (text, want) in table {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, text.parse().unwrap());
            assert_eq!(choose(&headers, &[Zstd, Brotli, Gzip]), *want, "{text}");
        }
        assert_eq!(choose(&HeaderMap::new(), &[Gzip]), None);
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, "gzip;q=0.5".parse().unwrap());
        headers.append(ACCEPT_ENCODING, "br".parse().unwrap());
        assert_eq!(choose(&headers, &[Gzip, Brotli]), Some(Brotli));
        assert_eq!(choose(&headers, &[Gzip]), Some(Gzip));
    }
}
