//! Roles: from the settings to a flat table.

use std::collections::BTreeMap;

use portcullis_sdk::schemars::{self, JsonSchema};
use serde::Deserialize;

use crate::pattern::{Path, Permission};

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What each role may do.
    roles: BTreeMap<String, RoleSettings>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleSettings {
    /// Permissions: `GET /api/users/{own}`, `* /admin/**`.
    #[serde(default)]
    allow: Vec<String>,
    /// Roles whose permissions this one has too.
    #[serde(default)]
    inherits: Vec<String>,
}

/// Every role with all its permissions, inherited ones included.
#[derive(Debug)]
pub struct Roles {
    table: BTreeMap<String, Vec<Permission>>,
}

/// How much of a name or path goes into a log line.
const SHOWN: usize = 120;

impl Roles {
    /// Compiles the roles; the error has a line for every mistake.
    pub fn new(settings: &Settings) -> Result<Roles, String> {
        let mut mistakes = Vec::new();
        if settings.roles.is_empty() {
            mistakes.push("roles: without a role nobody may do anything".to_owned());
        }
        let mut own = BTreeMap::new();
        for (name, role) in &settings.roles {
            let mut permissions = Vec::new();
            for (i, text) in role.allow.iter().enumerate() {
                match Permission::parse(text) {
                    Ok(permission) => permissions.push(permission),
                    Err(why) => mistakes.push(format!("roles.{name}.allow[{i}]: {text:?}: {why}")),
                }
            }
            own.insert(name.as_str(), permissions);
            let unknown = role
                .inherits
                .iter()
                .filter(|parent| !settings.roles.contains_key(*parent));
            let known = || {
                settings
                    .roles
                    .keys()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            mistakes.extend(unknown.map(|parent| {
                format!(
                    "roles.{name}.inherits: there is no role {parent:?}; there are: {}",
                    known()
                )
            }));
        }
        mistakes.extend(
            cycle(settings)
                .map(|names| format!("roles: {} inherit in a circle", names.join(" -> "))),
        );
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n"));
        }
        let flat = settings.roles.keys().map(|name| {
            let family = family(settings, name);
            let all = family.iter().filter_map(|member| own.get(member)).flatten();
            (name.clone(), all.cloned().collect())
        });
        Ok(Roles {
            table: flat.collect(),
        })
    }

    /// `Ok` when one of the roles allows it; otherwise a sentence for the log.
    pub fn check(
        &self,
        caller_id: &str,
        roles: &[String],
        method: &str,
        path: &str,
    ) -> Result<(), String> {
        let parsed = Path::parse(path);
        let allowed = |role: &str| {
            let permissions = self.table.get(role).map(Vec::as_slice).unwrap_or_default();
            parsed.as_ref().is_some_and(|path| {
                permissions
                    .iter()
                    .any(|p| p.allows(method, path, caller_id))
            })
        };
        if roles.iter().any(|role| allowed(role)) {
            return Ok(());
        }
        let nearest = match (&parsed, self.table.keys().find(|role| allowed(role))) {
            (None, _) => "no permission can match this path".to_owned(),
            (_, Some(role)) => format!("nearest: role {} allows it", safe(role)),
            (_, None) => "no role allows it to this caller".to_owned(),
        };
        let (who, held) = (safe(caller_id), safe(&roles.join(",")));
        let what = format!("{} {}", safe(method), safe(path));
        Err(format!(
            "caller {who} with roles [{held}] has no permission for {what}; {nearest}"
        ))
    }
}

/// A role and all it inherits from, each once. Ends because there is no circle and nobody is visited twice.
fn family<'a>(settings: &'a Settings, name: &'a str) -> Vec<&'a str> {
    let mut members = vec![name];
    let mut next = 0;
    while let Some(role) = members
        .get(next)
        .and_then(|member| settings.roles.get(*member))
    {
        for parent in &role.inherits {
            if !members.contains(&parent.as_str()) {
                members.push(parent);
            }
        }
        next += 1;
    }
    members
}

/// The names of one circle of inheritance, the first one again at the end.
fn cycle(settings: &Settings) -> Option<Vec<&str>> {
    let mut done = Vec::new();
    settings
        .roles
        .keys()
        .find_map(|name| walk(settings, name, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    settings: &'a Settings,
    name: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(start) = way.iter().position(|seen| *seen == name) {
        way.push(name);
        return Some(way[start..].to_vec());
    }
    if done.contains(&name) {
        return None;
    }
    way.push(name);
    let parents = settings
        .roles
        .get(name)
        .map(|role| role.inherits.as_slice())
        .unwrap_or_default();
    let found = parents
        .iter()
        .find_map(|parent| walk(settings, parent, way, done));
    if found.is_none() {
        way.pop();
        done.push(name);
    }
    found
}

/// Bounded, on one line, without what could pass for a part of the log.
fn safe(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if out.len() < text.len() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn roles(json: &str) -> Result<Roles, String> {
        portcullis_sdk::settings::parse(json).and_then(|settings| Roles::new(&settings))
    }

    fn demo() -> Roles {
        roles(
            r#"{"roles":{"user":{"allow":["GET /api/users/{own}","GET /api/raids"]},
                "mod":{"inherits":["user"],"allow":["GET /api/users/{id}"]},
                "admin":{"inherits":["mod","user"],"allow":["DELETE /api/raids/{id}"]}}}"#,
        )
        .expect("the demo is valid")
    }

    #[test]
    fn the_matrix_of_the_demo() {
        let table = demo();
        for (role, method, path, allowed) in [
            ("user", "GET", "/api/users/42", true),
            ("user", "GET", "/api/users/43", false),
            ("user", "DELETE", "/api/raids/7", false),
            ("mod", "GET", "/api/users/43", true),
            ("mod", "DELETE", "/api/raids/7", false),
            ("admin", "GET", "/api/raids", true),
            ("admin", "GET", "/api/users/43", true),
            ("admin", "DELETE", "/api/raids/7", true),
            ("admin", "POST", "/api/raids", false),
            ("nobody", "GET", "/api/raids", false),
            ("Admin", "GET", "/api/raids", false),
        ] {
            let got = table.check("42", &[role.to_owned()], method, path).is_ok();
            assert_eq!(got, allowed, "{role} {method} {path}");
        }
    }

    #[test]
    fn one_of_several_roles_is_enough_and_none_is_not() {
        let roles = ["user".to_owned(), "admin".to_owned()];
        assert!(demo().check("42", &roles, "DELETE", "/api/raids/7").is_ok());
        assert!(demo().check("42", &[], "GET", "/api/raids").is_err());
    }

    #[test]
    fn the_log_learns_who_what_and_the_nearest_role() {
        let told = demo().check("42", &["user".to_owned()], "DELETE", "/api/raids/7");
        let wanted = "caller 42 with roles [user] has no permission for DELETE /api/raids/7; \
                      nearest: role admin allows it";
        assert_eq!(told, Err(wanted.to_owned()));
        let told = demo()
            .check("42", &["user".to_owned()], "PUT", "/x")
            .unwrap_err();
        assert!(
            told.ends_with("; no role allows it to this caller"),
            "{told}"
        );
    }

    #[test]
    fn the_log_line_is_bounded_and_one_line() {
        let told = demo().check(
            &"9".repeat(9_000),
            &["a\nb".to_owned()],
            "GET",
            &format!("/{}", "x".repeat(9_000)),
        );
        let wanted = format!(
            "caller {}... with roles [a?b] has no permission for GET /{}...; no role allows it to this caller",
            "9".repeat(120),
            "x".repeat(119)
        );
        assert_eq!(told, Err(wanted));
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let told = roles(
            r#"{"roles":{"a":{"allow":["GET /ok","GET"],"inherits":["z"]},"b":{"allow":["get /"]}}}"#,
        );
        let told = told.unwrap_err();
        for place in [
            "roles.a.allow[1]: \"GET\"",
            "no role \"z\"; there are: a, b",
            "roles.b.allow[0]: \"get /\"",
        ] {
            assert!(told.contains(place), "{place} is missing in:\n{told}");
        }
        assert!(roles("{}").is_err() && roles(r#"{"roles":{}}"#).is_err());
        assert!(
            roles(r#"{"roles":{"a":{"alow":[]}}}"#)
                .unwrap_err()
                .starts_with("roles.a.alow: unknown field")
        );
    }

    #[test]
    fn a_circle_is_told_by_name() {
        let circle = r#"{"roles":{"x":{"inherits":["a"]},"a":{"inherits":["b"]},"b":{"inherits":["c"]},
            "c":{"inherits":["a"]}}}"#;
        assert_eq!(
            roles(circle).unwrap_err(),
            "roles: a -> b -> c -> a inherit in a circle"
        );
        assert_eq!(
            roles(r#"{"roles":{"a":{"inherits":["a"]}}}"#).unwrap_err(),
            "roles: a -> a inherit in a circle"
        );
    }
}
