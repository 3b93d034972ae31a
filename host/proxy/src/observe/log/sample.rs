//! Which exchanges have a line.

use std::hash::Hasher;

use http::StatusCode;
use portcullis_config::plan::Sample;
use siphasher::sip::SipHasher13;

/// What a decision is made of.
pub(super) struct Ended<'a> {
    pub(super) status: StatusCode,
    pub(super) route: Option<&'a str>,
    pub(super) aborted: bool,
    pub(super) request_id: &'a str,
}

/// The first rule that fits decides; what none fits has a line.
pub(super) fn keeps(rules: &[Sample], ended: &Ended<'_>) -> bool {
    if ended.aborted {
        return true;
    }
    let class = ended.status.as_u16() / 100;
    let fits = |rule: &&Sample| {
        let route = rule.route.as_deref();
        let status = rule.class.map_or(class < 4, |wanted| wanted == class);
        status && route.is_none_or(|route| ended.route == Some(route))
    };
    match rules.iter().find(fits) {
        Some(rule) => place(ended.request_id) < rule.share,
        None => true,
    }
}

/// From 0 to 99, the same wherever the id is seen.
fn place(request_id: &str) -> u32 {
    let mut hasher = SipHasher13::new();
    hasher.write(request_id.as_bytes());
    u32::try_from(hasher.finish() % 100).expect("it is below 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(class: Option<u16>, route: Option<&str>, share: u32) -> Sample {
        Sample {
            class,
            route: route.map(Into::into),
            share,
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_errors_are_kept_unless_they_are_named() {
        let none = 0;
        // (rules, status, route, aborted, whether there is a line)
        let table = [
            (vec![], 200, "a", false, true),
            (vec![rule(None, None, none)], 200, "a", false, false),
            (vec![rule(None, None, none)], 304, "a", false, false),
            (vec![rule(None, None, none)], 404, "a", false, true),
            (vec![rule(None, None, none)], 503, "a", false, true),
            (vec![rule(None, None, none)], 200, "a", true, true),
            (vec![rule(Some(2), None, none)], 200, "a", true, true),
            (vec![rule(Some(4), None, none)], 404, "a", false, false),
            (vec![rule(Some(4), None, none)], 500, "a", false, true),
            (vec![rule(None, Some("a"), none)], 200, "a", false, false),
            (vec![rule(None, Some("a"), none)], 200, "b", false, true),
            (vec![rule(None, Some("a"), none)], 500, "a", false, true),
            (vec![rule(Some(5), Some("a"), none)], 500, "a", false, false),
            (
                vec![rule(None, Some("a"), 100), rule(Some(2), None, none)],
                200,
                "a",
                false,
                true,
            ),
            (
                vec![rule(None, Some("a"), 100), rule(Some(2), None, none)],
                200,
                "b",
                false,
                false,
            ),
        ];
        for (rules, status, route, aborted, kept) in table {
            let ended = Ended {
                status: StatusCode::from_u16(status).expect("a status"),
                route: Some(route),
                aborted,
                request_id: "id",
            };
            assert_eq!(keeps(&rules, &ended), kept, "{rules:?} {status} {route}");
        }
    }

    #[test]
    fn a_share_is_about_that_share_of_ids_and_the_same_ids_each_time() {
        for share in [1, 10, 50, 99] {
            let kept = |id: &u32| {
                let ended = Ended {
                    status: StatusCode::OK,
                    route: None,
                    aborted: false,
                    request_id: &format!("{id:032x}"),
                };
                keeps(&[rule(None, None, share)], &ended)
            };
            let ids: Vec<u32> = (0..10_000).filter(kept).collect();
            let expected = 100 * share as usize;
            assert!(
                ids.len().abs_diff(expected) < 300,
                "{share} %: {}",
                ids.len()
            );
            assert!(ids.iter().all(kept));
        }
    }
}
