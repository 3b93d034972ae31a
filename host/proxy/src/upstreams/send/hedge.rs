//! Hedging: when the first server is late, a second one is asked as well. The first answer wins, the other try is
//! dropped with its connection.

use std::pin::pin;
use std::time::Duration;

use http::Request;

use super::attempt::Missed;
use super::retry::Tries;
use super::{Answer, replay};
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::Ticket;

/// One try, or after a while two at once.
pub(super) async fn ask(
    tries: &mut Tries<'_>,
    request: &mut Request<RequestBody>,
    ticket: Ticket,
    after: Duration,
) -> Result<Answer, Box<Missed>> {
    let sending = tries.sending();
    let copy = replay::copy_of_plain_read(request);
    let mut first = pin!(sending.attempt(request, ticket, tries.turn()));
    let Some(mut copy) = copy else {
        return first.await;
    };
    if let Ok(done) = tokio::time::timeout(after, first.as_mut()).await {
        return done;
    }
    let Some(ticket) = tries.hedge() else {
        return first.await;
    };
    let mut second = pin!(sending.attempt(&mut copy, ticket, tries.turn()));
    let counters = &sending.upstream.shield.counters;
    // A try that failed leaves the matter to the other one.
    let (answer, won) = tokio::select! {
        done = first.as_mut() => match done {
            Ok(answer) => (Ok(answer), false),
            Err(_) => (second.await, true),
        },
        done = second.as_mut() => match done {
            Ok(answer) => (Ok(answer), true),
            Err(_) => (first.await, false),
        },
    };
    if won {
        counters.hedges_won.inc();
    } else {
        counters.hedges_lost.inc();
    }
    answer
}
