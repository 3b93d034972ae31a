//! Filter of the tests: does what the header `x-do` says, most of which no plugin should do.

use std::cell::{Cell, RefCell};

use portcullis_sdk::prelude::*;

/// The plugin. Its counter must be forgotten between requests in fresh mode.
#[derive(Debug)]
pub struct Unruly {
    calls: Cell<u32>,
    /// What a careless plugin keeps of its caller.
    last: RefCell<Option<String>>,
}

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A misdeed while configuring.
    #[serde(default)]
    configure: String,
}

#[portcullis_sdk::plugin]
impl Filter for Unruly {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        misdeeds::does(&settings.configure);
        Ok(Unruly {
            calls: Cell::new(0),
            last: RefCell::default(),
        })
    }

    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        self.calls.set(self.calls.get() + 1);
        match x.header("x-do").as_deref() {
            Some("count") => x
                .set_header("x-count", self.calls.get().to_string())
                .map_err(denied)?,
            Some("change and trap") => {
                x.set_header("x-changed", "yes").map_err(denied)?;
                x.set_target("/changed").map_err(denied)?;
                misdeeds::does("trap");
            }
            Some("environment") => x
                .set_header("x-environment", misdeeds::environment())
                .map_err(denied)?,
            Some("remember") => self.remember(x)?,
            Some("no text") => x.set_header(&misdeeds::no_text(), "1").map_err(denied)?,
            Some("nowhere") => x.set_header("x-a", misdeeds::nowhere()).map_err(denied)?,
            Some("call the host") => (0..1_000_000).for_each(|_| drop(x.method())),
            Some("inject") => inject(x)?,
            Some("take over") => take_over(x)?,
            Some("log") => {
                (0..500).for_each(|i| portcullis_sdk::log::error!("line {i}\r\n\u{1b}[31m"));
            }
            Some("log a gigabyte") => {
                let line = "x".repeat(1 << 20);
                (0..1024).for_each(|_| portcullis_sdk::log::error!("{line}"));
            }
            Some("log much") => {
                let line = "x".repeat(1 << 10);
                (0..400).for_each(|_| portcullis_sdk::log::error!("{line}"));
            }
            Some("many headers") => {
                for i in 0..100_000 {
                    x.add_header(&format!("x-{i}"), "1").map_err(denied)?;
                }
            }
            Some("nonsense") => return Err(Refusal::named("no such reason").into()),
            Some("huge reply") => {
                return Ok(Verdict::Respond(Reply::new(200).body(vec![0; 12 << 20])));
            }
            Some("early status") => return Ok(Verdict::Respond(Reply::new(101))),
            Some("rewrite") => x.set_target("/rewritten/../%2e/path?x=1").map_err(denied)?,
            Some("teapot") => return Ok(Verdict::Respond(Reply::text(418, "short and stout"))),
            Some(other) => drop(misdeeds::does(other)),
            None => {}
        }
        Ok(Verdict::Next)
    }

    fn on_request_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        misdeed_in(x, "request-body ");
        if x.header("x-do").as_deref() == Some("shout") {
            let body = x.body().map_err(denied)?.to_ascii_uppercase();
            x.replace_body(body).map_err(denied)?;
        }
        Ok(Verdict::Next)
    }

    fn on_response(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        // The same instance as for the request, in fresh mode too.
        x.set_header("x-calls", self.calls.get().to_string())
            .map_err(denied)?;
        misdeed_in(x, "response ");
        Ok(Verdict::Next)
    }

    fn on_response_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if x.request().header("x-do").as_deref() == Some("response-body change and trap") {
            x.set_status(418).map_err(denied)?;
            x.replace_body("changed").map_err(denied)?;
            misdeeds::does("trap");
        }
        misdeed_in(x, "response-body ");
        Ok(Verdict::Next)
    }
}

impl Unruly {
    /// Shows what it kept of the last caller, and keeps something of this one.
    fn remember(&self, x: &mut Exchange) -> Result<(), Fault> {
        let last = self.last.replace(x.header("x-secret"));
        let last = last.unwrap_or_else(|| "nothing".into());
        x.set_header("x-last", last).map_err(denied)
    }
}

/// "response trap": a misdeed in a later phase.
fn misdeed_in(x: &Exchange, phase: &str) {
    // Asked for the request's: in later phases `x` is about the response.
    let wish = x.request().header("x-do").unwrap_or_default();
    if let Some(wish) = wish.strip_prefix(phase) {
        misdeeds::does(wish);
    }
}

fn denied(denied: portcullis_sdk::Denied) -> Fault {
    Fault::failed(format!("denied: {denied:?}"))
}

/// What must be denied; failing here means that the host let one through.
fn inject(x: &mut Exchange) -> Result<(), Fault> {
    let tries: [(&str, &[u8]); 7] = [
        ("x-a", b"1\r\nx-b: 2"),
        ("x-a", b"\0"),
        ("x-a\r\nx-b", b"1"),
        ("host", b"elsewhere"),
        ("content-length", b"5"),
        ("transfer-encoding", b"chunked"),
        ("connection", b"x-user-id"),
    ];
    for (name, value) in tries {
        if x.set_header(name, value).is_ok() {
            return Err(Fault::failed(format!("{name:?} was taken")));
        }
    }
    Ok(())
}

/// A filter of a request has no say over the response that is not there yet, nor over broken targets.
fn take_over(x: &mut Exchange) -> Result<(), Fault> {
    let let_through = [
        ("status", x.set_status(200).is_ok()),
        (
            "response header",
            x.response().set_header("x-a", "1").is_ok(),
        ),
        ("target", x.set_target("http://elsewhere/").is_ok()),
        ("climbing target", x.set_target("/../../etc").is_ok()),
        ("split target", x.set_target("/a HTTP/1.1\r\nx: y").is_ok()),
    ];
    match let_through.iter().find(|(_, ok)| *ok) {
        Some((what, _)) => Err(Fault::failed(format!("{what} was taken"))),
        None => Ok(()),
    }
}
