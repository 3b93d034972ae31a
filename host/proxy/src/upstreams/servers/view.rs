//! What operators see of an upstream.

use serde::Serialize;

use super::Upstream;
use super::server::{Health, Server};
use super::set::Member;

/// A server as the admin listener shows it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct ServerView {
    /// What is dialled.
    pub server: String,
    /// What it is called.
    pub host: String,
    pub zone: Option<String>,
    pub priority: u8,
    pub weight: u32,
    /// `up`, `unchecked`, `down`, `ejected` or `draining`.
    pub state: &'static str,
    /// What speaks against it.
    pub why: Option<String>,
    pub in_flight: usize,
}

impl Upstream {
    /// Its servers, and those that left and still have requests.
    pub fn view(&self) -> Vec<ServerView> {
        let set = self.set.load();
        let checked = self.plan.health.is_some();
        let mut views: Vec<ServerView> = set.members.iter().map(|m| member(m, checked)).collect();
        views.extend(set.leaving().map(|server| ServerView {
            zone: None,
            priority: 0,
            weight: 0,
            ..view(&server, "draining")
        }));
        views
    }
}

fn member(member: &Member, checked: bool) -> ServerView {
    let server = &member.server;
    let state = match server.health() {
        Health::Down => "down",
        _ if server.is_ejected() => "ejected",
        Health::Unchecked if checked => "unchecked",
        _ => "up",
    };
    ServerView {
        zone: member.zone.as_deref().map(str::to_owned),
        priority: member.priority,
        weight: member.weight,
        ..view(server, state)
    }
}

fn view(server: &Server, state: &'static str) -> ServerView {
    // What was said of a server that is well again is history.
    let why = server.why().filter(|_| matches!(state, "down" | "ejected"));
    ServerView {
        server: server.address.to_string(),
        host: server.host.to_string(),
        zone: None,
        priority: 0,
        weight: 0,
        state,
        why: why.map(|why| why.to_string()),
        in_flight: server.in_flight(),
    }
}
