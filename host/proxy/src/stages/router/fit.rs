//! Why a route takes a request or not, for people. The router itself does not ask route by route.

use std::fmt;

use portcullis_config::plan::{RoutePlan, Segment};

use super::{Wanted, headers_hold, normal, query_holds};

/// The first thing that speaks against a route, in the order in which people think of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// Nothing does; another one may still be more specific.
    Whole,
    Host,
    Path,
    Method,
    Header(String),
    Query(String),
}

impl Fit {
    pub fn of(plan: &RoutePlan, wanted: Wanted<'_>) -> Fit {
        if !host_fits(plan, wanted.host) {
            return Fit::Host;
        }
        if !path_fits(plan, wanted.target.canonical_path()) {
            return Fit::Path;
        }
        let method = wanted.method.as_str();
        if !plan.methods.is_empty() && !plan.methods.iter().any(|m| m == method) {
            return Fit::Method;
        }
        for condition in &plan.headers {
            if !headers_hold(wanted.headers, std::slice::from_ref(condition)) {
                return Fit::Header(condition.name.clone());
            }
        }
        for condition in &plan.query {
            if !query_holds(wanted.target, std::slice::from_ref(condition)) {
                return Fit::Query(condition.name.clone());
            }
        }
        Fit::Whole
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fit::Whole => f.write_str("it fits"),
            Fit::Host => f.write_str("it is for another host"),
            Fit::Path => f.write_str("its path is another one"),
            Fit::Method => f.write_str("it does not take this method"),
            Fit::Header(name) => write!(f, "the header {name} is not as it wants it"),
            Fit::Query(name) => write!(f, "the query parameter {name} is not as it wants it"),
        }
    }
}

fn host_fits(plan: &RoutePlan, host: &str) -> bool {
    let fits = |known: &String| match known.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => known == host,
    };
    plan.hosts.is_empty() || plan.hosts.iter().any(fits)
}

fn path_fits(plan: &RoutePlan, path: &str) -> bool {
    let rest = path.get(1..).filter(|rest| !rest.is_empty());
    let have: Vec<&str> = rest.map_or_else(Vec::new, |rest| rest.split('/').collect());
    let want = &plan.path.segments;
    let long_enough = if plan.path.open {
        have.len() >= want.len()
    } else {
        have.len() == want.len()
    };
    let fits = |(want, have): (&Segment, &&str)| match want {
        Segment::Literal(text) => *normal(text) == **have,
        Segment::Param(_) => !have.is_empty(),
    };
    long_enough && want.iter().zip(&have).all(fits)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;

    use http::{HeaderMap, Method};
    use portcullis_exchange::Target;

    use super::super::Router;
    use super::*;

    const ROUTES: &str = r#"
        [upstream.u]
        servers = ["127.0.0.1:1"]
        [[route]]
        name = "any"
        path = "/**"
        public = true
        host = "*.any.test"
        upstream = "u"
        [[route]]
        name = "users"
        path = "/api/users"
        methods = ["GET"]
        public = true
        upstream = "u"
        [[route]]
        name = "user"
        path = "/api/users/{id}"
        public = true
        upstream = "u"
        [[route]]
        name = "me"
        path = "/api/users/me"
        headers = { x-me = "yes" }
        public = true
        upstream = "u"
        [[route]]
        name = "at"
        path = "/api/@me"
        public = true
        upstream = "u"
        [[route]]
        name = "colon"
        path = "/api/a%3Ab"
        public = true
        upstream = "u"
        [[route]]
        name = "query"
        path = "/api/**"
        query = { q = true }
        public = true
        upstream = "u"
        [[route]]
        name = "host"
        path = "/api/users"
        host = "a.test"
        public = true
        upstream = "u"
    "#;

    /// What the router finds fits, and where it finds nothing, nothing fits: two ways to one answer.
    #[test]
    fn what_is_said_of_routes_is_what_the_router_does() {
        let plan = portcullis_config::parse("t", ROUTES, Path::new(""), &|_| None).unwrap();
        let router = Router::new(&plan.routes);
        let with_me: HeaderMap = [(
            http::HeaderName::from_static("x-me"),
            http::HeaderValue::from_static("yes"),
        )]
        .into_iter()
        .collect();
        let mut found = 0;
        for host in ["a.test", "b.test", "x.any.test", "any.test"] {
            for path in [
                "/",
                "/api",
                "/api/",
                "/api?q=1",
                "/api/users",
                "/api/users/",
                "/api/users/me",
                "/api/users/7?q=2",
                "/api/users/7/x?q",
                "/api/%75sers",
                "/api/%40me",
                "/api/@me",
                "/api/a:b",
                "/api/a%3Ab",
            ] {
                for method in [Method::GET, Method::POST] {
                    for headers in [&HeaderMap::new(), &with_me] {
                        let wanted = Wanted {
                            host,
                            target: &Target::parse(path).unwrap(),
                            method: &method,
                            headers,
                        };
                        let fits: Vec<Fit> =
                            plan.routes.iter().map(|r| Fit::of(r, wanted)).collect();
                        let shown = format!("{method} {host}{path}: {fits:?}");
                        match router.find(wanted) {
                            Ok(one) => {
                                assert_eq!(fits[one.route], Fit::Whole, "{shown}");
                                found += 1;
                            }
                            Err(_) => assert!(!fits.contains(&Fit::Whole), "{shown}"),
                        }
                    }
                }
            }
        }
        assert!(found > 40, "{found}");
    }
}
