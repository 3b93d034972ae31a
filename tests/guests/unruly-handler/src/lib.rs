//! Handler of the tests: does what the header `x-do` says, most of which no plugin should do.

use std::cell::Cell;

use portcullis_sdk::prelude::*;
use portcullis_sdk::upstream::{Call, send};

/// The plugin.
#[derive(Debug)]
pub struct Unruly {
    calls: Cell<u32>,
}

#[portcullis_sdk::plugin]
impl Handler for Unruly {
    type Settings = portcullis_sdk::NoSettings;

    fn configure(_: Self::Settings) -> Result<Self, String> {
        Ok(Unruly {
            calls: Cell::new(0),
        })
    }

    fn body_limit(&self) -> u32 {
        8 << 20
    }

    fn handle(&self, x: &mut Exchange) -> Result<Reply, Fault> {
        self.calls.set(self.calls.get() + 1);
        let wish = x.header("x-do").unwrap_or_default();
        match wish.as_str() {
            "count" => return Ok(Reply::text(200, self.calls.get().to_string())),
            "environment" => return Ok(Reply::text(200, misdeeds::environment())),
            "flood" => {
                for _ in 0..10_000 {
                    // Until the host has had enough; answers do not matter.
                    let _answer = send(Call::get("echo", "/flood"));
                }
            }
            "call" => return called(&x.header("x-call").unwrap_or_default()),
            "wait" => drop(send(Call::get("silent", "/"))),
            "huge reply" => return Ok(Reply::new(200).body(vec![0; 64 << 20])),
            "split header" => return Ok(Reply::new(200).header("x-a", "1\r\nx-b: 2")),
            "null header" => return Ok(Reply::new(200).header("x-a", "1\0")),
            "split name" => return Ok(Reply::new(200).header("x-a: 1\r\nx-b", "2")),
            "framing" => return Ok(Reply::new(200).header("content-length", "1").body("two")),
            "early status" => return Ok(Reply::new(101)),
            "many headers" => return Ok(many_headers()),
            "nowhere" => return Ok(Reply::new(200).body(misdeeds::nowhere_owned())),
            "no text" => return Ok(Reply::new(200).header(misdeeds::no_text(), "1")),
            "read much" => {
                for _ in 0..900 {
                    // The host counts what it copies, whatever becomes of it.
                    let _copy = x.body();
                }
            }
            other => drop(misdeeds::does(other)),
        }
        Ok(Reply::text(200, "done"))
    }
}

fn many_headers() -> Reply {
    (0..100_000).fold(Reply::new(200), |reply, i| {
        reply.header(format!("x-{i}"), "1")
    })
}

/// `METHOD upstream /path`: what came of it.
fn called(what: &str) -> Result<Reply, Fault> {
    let mut words = what.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, upstream, path) = (word(), word(), word());
    let answer = send(Call::new(upstream, method, path));
    Ok(Reply::text(
        200,
        answer.map_or_else(
            |error| format!("{error:?}"),
            |answer| answer.status.to_string(),
        ),
    ))
}
