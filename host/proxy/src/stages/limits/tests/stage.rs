//! A limit where it stands: a store that is away, and who is under way.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use portcullis_config::plan::{KeyPart, LimitPlan, PerPlan, RulePlan};
use portcullis_exchange::Exchange;
use tokio::sync::Semaphore;

use crate::ground::refusal::Reason;
use crate::ground::registry::Book;
use crate::stages::limits::crowd::Crowd;
use crate::stages::limits::key::Secret;
use crate::stages::limits::store::{Answer, Ask, Figures, Store, StoreError};
use crate::stages::limits::{Counts, Course, LimitMetrics, Limited, Rate};

/// A store that is away. The one in memory never is, and there is no other yet.
#[derive(Debug)]
struct Away;

impl Store for Away {
    fn take(&self, _: u64, _: Ask) -> Answer<'_> {
        let error = StoreError("connection refused".into());
        Answer::Later(Box::pin(std::future::ready(Err(error))))
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }
}

fn rate(fail_open: bool, dry_run: bool) -> Rate {
    let plan = LimitPlan {
        name: "far".into(),
        per: PerPlan {
            parts: vec![KeyPart::ClientIp],
            ipv6_prefix: 64,
        },
        rule: RulePlan::Gcra {
            limit: 1,
            per: Duration::from_secs(1),
            burst: 1,
        },
        throttle: Duration::ZERO,
        max_waiting: 1,
        max_keys: 1_000,
        dry_run,
        headers: true,
        fail_open,
    };
    Rate {
        counts: Arc::new(Counts {
            plan: Arc::new(plan),
            secret: Secret::random(),
            store: Arc::new(Away),
            waiting: Arc::new(Semaphore::new(1)),
        }),
        cost: 1,
        policy: HeaderValue::from_static("\"far\";q=1;w=1"),
        decisions: LimitMetrics::enter(&mut Book::default())
            .expect("a new book")
            .decisions(&"route".into(), &"far".into()),
    }
}

#[tokio::test]
async fn a_store_that_is_away_opens_or_closes_as_was_said() {
    for (fail_open, dry_run, passes) in [
        (true, false, true),
        (false, false, false),
        (false, true, true),
    ] {
        let mut limited = Limited::default();
        let mut noted = None;
        let mut course = Course {
            limited: &mut limited,
            noted: &mut noted,
        };
        let answer = rate(fail_open, dry_run)
            .admit(&Exchange::default(), &mut course)
            .await;
        let row = format!("open {fail_open}, dry run {dry_run}");
        assert_eq!(answer.is_ok(), passes, "{row}");
        assert_eq!(noted, Some(("far".into(), "unanswered")), "{row}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.reason, Reason::Unavailable, "{row}");
            let because = refusal.because.unwrap_or_default();
            assert!(because.contains("connection refused"), "{because}");
        }
    }
}

#[test]
fn who_has_left_is_not_remembered() {
    let crowd = Arc::new(Crowd::new(&PerPlan {
        parts: vec![KeyPart::Route],
        ipv6_prefix: 64,
    }));
    let on = |route: &str| Exchange {
        route: route.into(),
        ..Exchange::default()
    };
    let (first, one) = crowd.enter(&on("a"));
    let (second, two) = crowd.enter(&on("a"));
    let (other, alone) = crowd.enter(&on("b"));
    assert_eq!((one, two, alone, crowd.size()), (1, 2, 1, 3));
    drop(first);
    let (third, again) = crowd.enter(&on("a"));
    assert_eq!((again, crowd.size()), (2, 3));
    drop((second, other, third));
    assert_eq!(crowd.size(), 0);
}
