//! `/`: the console. The page and its parts are in the binary and hold no figure: what they show they ask for, with a
//! token where one is needed.

use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;

use crate::answer::{Answer, Problem, page as whole};
use crate::call::Call;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Scripts, styles and figures of this origin only; nothing inline, and no text that becomes HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! files {
    ($($kind:ident $name:literal),+ $(,)?) => {
        &[$(($name, $kind, include_str!(concat!("../../console/", $name)))),+]
    };
}

/// By name: media type and content.
static FILES: &[(&str, &str, &str)] = files![
    HTML "index.html",
    CSS "style.css",
    SVG "mark.svg",
    SCRIPT "api.js",
    SCRIPT "cache.js",
    SCRIPT "dom.js",
    SCRIPT "figures.js",
    SCRIPT "main.js",
    SCRIPT "plugins.js",
    SCRIPT "refusals.js",
    SCRIPT "routes.js",
    SCRIPT "spark.js",
    SCRIPT "theme.js",
    SCRIPT "upstreams.js",
    SCRIPT "way.js",
];

pub(super) async fn page(_call: Call) -> Result<Answer, Problem> {
    file("index.html")
}

pub(super) async fn part(call: Call) -> Result<Answer, Problem> {
    file(call.param("file"))
}

fn file(wanted: &str) -> Result<Answer, Problem> {
    let found = FILES.iter().find(|(name, _, _)| *name == wanted);
    let (_, kind, content) =
        found.ok_or_else(|| Problem::not_found(format!("the console has no {wanted}")))?;
    let mut answer = whole(kind, *content);
    let policy = HeaderValue::from_static(POLICY);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_names_no_other_origin_and_nothing_inline() {
        for (name, kind, content) in FILES {
            // The names of namespaces are no addresses.
            let text = content.replace("http://www.w3.org/2000/svg", "");
            for elsewhere in [
                "https:",
                "src=\"http",
                "href=\"http",
                "url(",
                "@import",
                "innerHTML",
                "style=\"",
                "onclick=\"",
            ] {
                assert!(!text.contains(elsewhere), "{name} has {elsewhere}");
            }
            assert!(*kind != HTML || !text.contains("<script>"), "{name}");
        }
    }

    #[test]
    fn every_part_that_the_console_asks_for_is_in_the_binary() {
        for (name, _, content) in FILES {
            let asked = content.split(['"', '\'']).filter_map(|text| {
                text.strip_prefix("/console/")
                    .or_else(|| text.strip_prefix("./"))
            });
            for part in asked {
                assert!(file(part).is_ok(), "{name} asks for {part}");
            }
        }
    }
}
