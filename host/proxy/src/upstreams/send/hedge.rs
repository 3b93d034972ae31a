//! Hedging: when the first server is late, a second one is asked as well. The first answer wins, the other try is
//! dropped with its connection.

use std::pin::pin;

use http::Request;

use super::Answer;
use super::attempt::Missed;
use super::replay::Spare;
use super::retry::Tries;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::Ticket;

/// One try, or two at once.
pub(super) async fn ask(
    tries: &mut Tries<'_>,
    request: Request<RequestBody>,
    ticket: Ticket,
    spare: Option<&Spare>,
) -> Result<Answer, Box<Missed>> {
    let sending = tries.sending();
    let mut first = pin!(sending.attempt(request, ticket, tries.turn(), spare));
    let plain = spare.filter(|spare| spare.is_plain_read());
    let (Some(spare), Some(after)) = (plain, sending.policy.hedge_after) else {
        return first.await;
    };
    if let Ok(done) = tokio::time::timeout(after, first.as_mut()).await {
        return done;
    }
    let Some(ticket) = tries.hedge() else {
        return first.await;
    };
    // Boxed: few exchanges come here, and all would carry its size.
    let turn = tries.turn();
    let mut second = Box::pin(sending.attempt(spare.to_request(), ticket, turn, Some(spare)));
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
