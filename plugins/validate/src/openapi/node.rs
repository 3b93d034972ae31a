//! A place in a document, with its pointer.

use serde_json::{Map, Value};

use crate::param::decode;

/// A place in a document.
#[derive(Debug, Clone)]
pub struct Node<'d> {
    whole: &'d Value,
    pub value: &'d Value,
    pub pointer: String,
}

/// Reference to reference: further than that is a circle.
const HOPS: usize = 16;

// === impl Node ===

impl<'d> Node<'d> {
    pub fn root(whole: &'d Value) -> Self {
        Node {
            whole,
            value: whole,
            pointer: String::new(),
        }
    }

    /// A member of an object, if it is there.
    pub fn get(&self, key: &str) -> Option<Node<'d>> {
        let value = self.value.get(key)?;
        Some(self.at(value, key))
    }

    fn at(&self, value: &'d Value, step: &str) -> Node<'d> {
        let step = step.replace('~', "~0").replace('/', "~1");
        Node {
            whole: self.whole,
            value,
            pointer: format!("{}/{step}", self.pointer),
        }
    }

    /// All members of an object, or none.
    pub fn members(&self) -> Vec<(&'d str, Node<'d>)> {
        let members = self.value.as_object().into_iter().flat_map(Map::iter);
        members
            .map(|(key, value)| (key.as_str(), self.at(value, key)))
            .collect()
    }

    /// All items of an array, or none.
    pub fn items(&self) -> Vec<Node<'d>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items
            .map(|(i, value)| self.at(value, &i.to_string()))
            .collect()
    }

    pub fn text(&self, key: &str) -> Option<&'d str> {
        self.value.get(key)?.as_str()
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.value.get(key)?.as_bool()
    }

    /// Where a reference leads; a node that is none stays where it is.
    pub fn resolved(self) -> Result<Node<'d>, String> {
        let mut node = self;
        for _ in 0..HOPS {
            let Some(reference) = node.text("$ref") else {
                return Ok(node);
            };
            let place = &node.pointer;
            let pointer = reference.strip_prefix('#').ok_or_else(|| {
                format!("{place}: {reference:?} leads out of the document; only references inside of it are followed")
            })?;
            let pointer = decode(pointer, false).unwrap_or_default();
            let value = node.whole.pointer(&pointer);
            node = Node {
                whole: node.whole,
                value: value
                    .ok_or_else(|| format!("{place}: there is nothing at {reference:?}"))?,
                pointer,
            };
        }
        Err(format!("{}: the references go in a circle", node.pointer))
    }
}
