//! `/reload`

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::call::Call;
use crate::control::{Action, ActionError};

#[derive(Serialize, JsonSchema)]
pub(super) struct ReloadedPage {
    /// One line for people.
    done: String,
}

pub(super) async fn run(call: Call) -> Result<Answer, Problem> {
    perform(&call, Action::Reload, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// Waits until it is done; `refused` is the status where it is refused.
pub(super) async fn perform(
    call: &Call,
    action: Action,
    refused: StatusCode,
) -> Result<Answer, Problem> {
    call.gate()?;
    match call.gateway.control.perform(action).await {
        Ok(done) => json(&ReloadedPage { done }),
        Err(ActionError::Refused(text)) => {
            Err(Problem::new(refused, "refused", without_the_file(&text)))
        }
        Err(ActionError::ShuttingDown) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let text = "the gateway is shutting down";
            Err(Problem::new(status, "draining", text))
        }
    }
}

/// A report of mistakes without the lines of the file, on which secrets may stand: `    8 | token = "…"` and the marks
/// below it. Places, messages and hints are enough for a person who has the file.
fn without_the_file(report: &str) -> String {
    let quoted = |line: &str| {
        let (number, _) = line.split_once(" | ")?;
        let number = number.trim_start();
        Some(number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let told = report.lines().filter(|line| quoted(line) != Some(true));
    told.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_does_not_repeat_the_lines_of_the_file() {
        let report = "gateway.toml:8:3: error: no\n    8 | token = \"secret\", x = 1\n      |                   ^\n   hint: yes | no\n1 mistake";
        let told = "gateway.toml:8:3: error: no\n   hint: yes | no\n1 mistake";
        assert_eq!(without_the_file(report), told);
    }
}
