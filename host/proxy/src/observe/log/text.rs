//! A line for people: what happened first, then by whom and where. Nothing in it can move a cursor.

use std::fmt::Write as _;
use std::time::Duration;

use super::millis;
use crate::ground::refusal::Reason;
use crate::observe::record::Record;

/// ANSI colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colours(pub(super) bool);

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

impl Colours {
    fn paint(self, colour: &str, text: &str) -> String {
        if self.0 {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }

    fn status(self, status: u16) -> String {
        let colour = match status {
            ..300 => GREEN,
            300..400 => CYAN,
            400..500 => YELLOW,
            500.. => RED,
        };
        self.paint(colour, &status.to_string())
    }
}

pub(super) fn line(j: &Record, took: Duration, colours: Colours) -> String {
    let dash = |text: Option<&str>| text.unwrap_or("-").escape_default().to_string();
    let time = humantime::format_rfc3339_millis(j.time).to_string();
    let mut line = format!(
        "{} {} {} {} {} {} {:.1}ms",
        colours.paint(DIM, &time),
        j.client_ip
            .map_or_else(|| "unknown".to_owned(), |ip| ip.to_string()),
        j.method,
        j.path().escape_default(),
        colours.status(j.status.as_u16()),
        j.bytes_out,
        millis(took),
    );
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        " route={} caller={} server={}",
        dash(j.route.as_deref()),
        dash(j.caller.as_deref()),
        dash(j.server.as_deref()),
    );
    if let Some(outcome) = j.cache {
        let _ = write!(line, " cache={}", outcome.as_str());
    }
    if let Some(reason) = j.refusal.map(Reason::as_str) {
        let because = j.because.as_deref().unwrap_or("-");
        let _ = write!(
            line,
            " refusal={} because={because:?}",
            colours.paint(RED, reason)
        );
    }
    if let Some((limit, outcome)) = &j.limit {
        let _ = write!(line, " limit={limit} limited={outcome}");
    }
    if let Some(account) = &j.socket {
        let _ = write!(line, " websocket={}", account.ended);
    }
    let dropped = j.doubts.dropped.names().join(",");
    if !dropped.is_empty() {
        let _ = write!(line, " dropped={dropped}");
    }
    if let Some(text) = &j.doubts.not_understood {
        let _ = write!(line, " not_understood={text:?}");
    }
    if j.aborted {
        let _ = write!(line, " {}", colours.paint(RED, "aborted"));
    }
    let id = j.request_id.escape_default().to_string();
    let _ = write!(line, " {}", colours.paint(DIM, &format!("id={id}")));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_colour_of_its_class_where_colours_are_wanted() {
        for (status, colour) in [
            (101, GREEN),
            (204, GREEN),
            (304, CYAN),
            (404, YELLOW),
            (499, YELLOW),
            (503, RED),
        ] {
            let painted = format!("{colour}{status}{PLAIN}");
            assert_eq!(Colours(true).status(status), painted);
            assert_eq!(Colours(false).status(status), status.to_string());
        }
    }
}
