//! Handler: greets a user whom it asks an upstream about.

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::json;
use portcullis_sdk::upstream::Call;

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What comes before the name.
    #[serde(default = "greeting")]
    greeting: String,
}

fn greeting() -> String {
    "Hello".to_owned()
}

/// What is read of a user; the upstream may say more.
#[derive(Deserialize)]
struct User {
    name: String,
}

/// The plugin.
pub struct Plugin {
    greeting: String,
}

#[portcullis_sdk::plugin]
impl Handler for Plugin {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Plugin {
            greeting: settings.greeting,
        })
    }

    fn handle(&self, x: &mut Exchange) -> Result<Reply, Fault> {
        // A number and not text: what a client wrote does not become a part of another path.
        let id = x
            .param("id")
            .and_then(|id| id.parse::<u64>().ok())
            .ok_or_else(Refusal::not_found)?;
        let answer = Call::get("users", format!("/users/{id}")).send()?; // no answer: 503, by itself
        if answer.status == 404 {
            return Err(Refusal::not_found().detail("there is no such user").into());
        }
        let user: User = answer.json()?;
        Reply::json(
            200,
            &json!({ "text": format!("{}, {}!", self.greeting, user.name) }),
        )
    }
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::{Fake, answer_upstreams_with};
    use portcullis_sdk::upstream::Answer;

    use super::*;

    #[test]
    fn a_user_is_greeted_by_name() {
        answer_upstreams_with(|_| {
            Ok(Answer {
                status: 200,
                headers: vec![],
                body: br#"{ "name": "Ada" }"#.to_vec(),
            })
        });
        let fake = Fake::request("GET", "/hello/7").with_attr("param.id", "7");
        let reply = Plugin {
            greeting: greeting(),
        }
        .handle(&mut fake.exchange());
        assert_eq!(reply, Reply::json(200, &json!({ "text": "Hello, Ada!" })));
    }
}
