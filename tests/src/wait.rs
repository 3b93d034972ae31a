//! Waits for what others do in their own time. Each has an end, and says then what never came.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Long enough for a machine that builds something else meanwhile.
pub const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds.
///
/// # Panics
///
/// When it does not within [`LIMIT`].
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let ask = async || condition().await.then_some(()).ok_or("it is not so");
    found(what, ask).await;
}

/// Waits until `ask` has an answer.
///
/// # Panics
///
/// When it has none within [`LIMIT`]; with the last that it said instead.
pub async fn found<T, E: Display>(what: &str, ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    found_within(LIMIT, what, ask).await
}

/// As [`found`], for what may take another time.
///
/// # Panics
///
/// When there is no answer within `limit`.
pub async fn found_within<T, E: Display>(
    limit: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let mut last = None;
    let asking = async {
        loop {
            match ask().await {
                Ok(found) => return found,
                Err(instead) => last = Some(instead),
            }
            sleep(POLL).await;
        }
    };
    // Around all of it: a question may hang as well.
    if let Ok(found) = timeout(limit, asking).await {
        return found;
    }
    let last = last.map_or_else(|| String::from("no answer"), |last| last.to_string());
    panic!("waited {limit:?} in vain: {what}\n{last}")
}

/// Waits for the end of something.
///
/// # Panics
///
/// When it does not come within [`LIMIT`].
pub async fn within<T>(what: &str, something: impl Future<Output = T>) -> T {
    let ended = timeout(LIMIT, something).await;
    ended.unwrap_or_else(|_| panic!("waited {LIMIT:?} in vain: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_with_what_it_waited_for() {
        let mut asked = 0;
        until("the third time", async || {
            asked += 1;
            asked == 3
        })
        .await;
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain: a thing\nonly this")]
    async fn a_wait_in_vain_says_what_was_seen_instead() {
        let limit = Duration::from_millis(20);
        found_within::<(), _>(limit, "a thing", async || Err("only this")).await;
    }

    #[tokio::test]
    #[should_panic(expected = "in vain: an answer\nno answer")]
    async fn a_question_that_hangs_is_a_wait_in_vain() {
        let hangs = async || std::future::pending::<Result<(), &str>>().await;
        found_within(Duration::from_millis(20), "an answer", hangs).await;
    }
}
