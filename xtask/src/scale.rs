//! A gateway.toml of a large installation: 10,000 routes, 1,000 upstreams, 1,000 uses of plugins. What a request costs
//! must not depend on how many others could have come.

use std::fmt::Write as _;
use std::net::SocketAddr;

const ROUTES: usize = 10_000;
const UPSTREAMS: usize = 1_000;
/// One route in so many has a plugin.
const PLUGIN_EACH: usize = ROUTES / 1_000;
/// A route in the middle of the others, without a plugin. As long as `/plain`, so that both requests have as many bytes.
pub(crate) const PATH: &str = "/r5000";

/// The tables of the routes and upstreams; `plugins` are used in turn.
pub(crate) fn tables(server: SocketAddr, plugins: &[&str]) -> String {
    let mut out = String::new();
    for upstream in 0..UPSTREAMS {
        let _ = writeln!(out, "[upstream.u{upstream}]\nservers = [\"{server}\"]");
    }
    let mut plugins = plugins.iter().cycle();
    for route in 0..ROUTES {
        let condition = match route % 4 {
            0 => format!("path = \"/r{route:04}\""),
            1 => format!("path = \"/r{route:04}/{{id}}\""),
            2 => format!("path = \"/r{route:04}/**\""),
            _ => format!("host = \"h{route:04}.test\"\npath = \"/r{route:04}\""),
        };
        let plugin = if route % PLUGIN_EACH == 1 {
            plugins.next()
        } else {
            None
        };
        let plugin = plugin.map_or(String::new(), |name| format!("plugins = [\"{name}\"]\n"));
        let _ = writeln!(
            out,
            "[[route]]\nname = \"r{route:04}\"\n{condition}\npublic = true\n{plugin}upstream = \"u{}\"",
            route % UPSTREAMS
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_it_says_and_the_path_is_a_plain_route_among_them() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        let tables: toml::Table = tables(server, &["a", "b"]).parse().expect("TOML");
        let routes = tables["route"].as_array().expect("routes");
        let uses = |name: &str| {
            let used = |route: &&toml::Value| {
                let plugins = route.get("plugins").and_then(toml::Value::as_array);
                plugins.is_some_and(|plugins| plugins.iter().any(|p| p.as_str() == Some(name)))
            };
            routes.iter().filter(used).count()
        };
        assert_eq!(
            tables["upstream"].as_table().expect("upstreams").len(),
            1_000
        );
        assert_eq!(routes.len(), 10_000);
        assert_eq!((uses("a"), uses("b")), (500, 500));
        let at = |route: &&toml::Value| route["path"].as_str() == Some(PATH);
        let asked: Vec<_> = routes.iter().filter(at).collect();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].get("plugins").is_none() && asked[0].get("host").is_none());
        assert_eq!(PATH.len(), "/plain".len());
    }
}
