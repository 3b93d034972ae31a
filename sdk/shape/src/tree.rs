//! JSON whose strings have places. A string that is one place keeps the type of its value.

use indexmap::IndexMap;
use minijinja::Value;

use crate::text::Part;
use crate::{Json, Roots, Text, Trouble, Uses, to_json};

/// Compiled.
#[derive(Debug)]
pub struct Tree {
    node: Node,
    uses: Uses,
}

#[derive(Debug)]
enum Node {
    Constant(Json),
    Text(Text),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl Tree {
    /// Parses the strings; every mistake is appended.
    pub(crate) fn parse(json: &Json, roots: &Roots, mistakes: &mut Vec<String>) -> Tree {
        let mut uses = Uses::default();
        let node = node(json, roots, &mut uses, mistakes);
        Tree { node, uses }
    }

    /// What it takes from the exchange.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// With its places filled.
    pub fn fill(&self, scope: &Value) -> Result<Json, Trouble> {
        fill(&self.node, scope)
    }
}

// Both recursions are as deep as the settings, whose depth the gateway and the parser bound.

fn node(json: &Json, roots: &Roots, uses: &mut Uses, mistakes: &mut Vec<String>) -> Node {
    match json {
        Json::String(source) => {
            let text = Text::parse(source, roots, mistakes);
            uses.add(text.uses());
            match text.literal_only() {
                Some(_) => Node::Constant(json.clone()),
                None => Node::Text(text),
            }
        }
        Json::Array(items) => {
            let items = items.iter().map(|item| node(item, roots, uses, mistakes));
            Node::List(items.collect())
        }
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), node(value, roots, uses, mistakes)));
            Node::Table(members.collect())
        }
        other => Node::Constant(other.clone()),
    }
}

fn fill(node: &Node, scope: &Value) -> Result<Json, Trouble> {
    match node {
        Node::Constant(json) => Ok(json.clone()),
        Node::Text(text) => match text.parts.as_slice() {
            [Part::Value(place)] => to_json(&place.value(scope)?),
            _ => text.fill(scope).map(Json::String),
        },
        Node::List(items) => {
            let items: Result<_, _> = items.iter().map(|item| fill(item, scope)).collect();
            items.map(Json::Array)
        }
        Node::Table(members) => {
            let mut table = IndexMap::with_capacity(members.len());
            for (name, member) in members {
                table.insert(name.clone(), fill(member, scope)?);
            }
            Ok(Json::Object(table))
        }
    }
}
