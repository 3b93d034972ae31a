//! `/reload`

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json};
use super::call::Call;
use crate::reload::Request;

#[derive(Serialize, JsonSchema)]
pub(super) struct ReloadedPage {
    /// One line for people.
    done: String,
}

pub(super) async fn run(call: Call) -> Result<Answer, Problem> {
    call.gate()?;
    let (answer, done) = oneshot::channel();
    let asked = call
        .admin
        .supervisor
        .send(Request {
            cause: "admin",
            answer: Some(answer),
        })
        .await;
    match (asked, done.await) {
        (Ok(()), Ok(Ok(done))) => json(&ReloadedPage { done }),
        (Ok(()), Ok(Err(text))) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Err(Problem::new(status, "refused", text))
        }
        _ => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Err(Problem::new(
                status,
                "draining",
                "the gateway is shutting down",
            ))
        }
    }
}
