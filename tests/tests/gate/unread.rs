//! Rules do not look away: what a rule cannot read does not pass by it, whoever wrote it so.

mod requests;
mod responses;

use portcullis_tests::gateway::Setup;

const UNSUPPORTED: u16 = 415;

/// With the plugins that read bodies, and a public route for each of `(name, plugin, upstream)`.
fn setup(routes: &[(&str, &str, &str)], rest: &str) -> Setup {
    let routes = routes.iter().map(|(name, plugin, upstream)| {
        format!(
            "[[route]]\nname = \"{name}\"\nprefix = \"/{name}\"\npublic = true\nplugins = [{plugin}]\n\
             upstream = \"{upstream}\"\n\n"
        )
    });
    let text = format!("{PLUGINS}\n{rest}\n{}", routes.collect::<String>());
    // What the gateway would drop or refuse before any plugin sees it is let in here.
    Setup::new(&text)
        .listen("path_parameters = \"forward\"")
        .listen("keep_headers = [\"x-http-method-override\"]")
        .listen("ambiguous_headers = \"keep\"")
        .guests()
}

const PLUGINS: &str = r#"
[plugin.rewrite]
component = "rewrite.wasm"
instance = "kept"

[plugin.rewrite.settings]
response.body.remove = ["/secret"]
request.body.set = { "/owner" = 1 }

[plugin.rewrite-open]
component = "rewrite.wasm"
instance = "kept"
on_failure = "open"
settings.response.body.remove = ["/secret"]

[plugin.convert]
component = "convert.wasm"
instance = "kept"

[plugin.convert.settings]
request  = { from = "json", to = "python", other = "pass" }
response = { from = "json", to = "python" }

[plugin.convert-open]
component = "convert.wasm"
instance = "kept"
on_failure = "open"
settings.response = { from = "json", to = "python" }

[plugin.validate]
component = "validate.wasm"
instance = "kept"
grants = { clock = true, random = true }

[plugin.validate.settings.request]
content_types = ["application/json", "*/*"]
body = { type = "object", required = ["x"] }

[plugin.validate.settings.response]
mode = "enforce"
content_types = ["application/json", "text/*"]
body = { type = "object", required = ["x"] }

[plugin.stamp]
component = "headers.wasm"
instance = "kept"

[plugin.stamp.settings]
request.set = { x-user-id = "${caller.id}", x-tenant = "t" }
request.add = { x-by = "${caller.id}" }
response.set = { x-served-by = "gate" }
"#;

fn upstream(name: &str, address: std::net::SocketAddr) -> String {
    format!("[upstream.{name}]\nservers = [\"{address}\"]\n\n")
}
