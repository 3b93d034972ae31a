//! A JSON body, changed by pointers or made anew by a template.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use portcullis_sdk::media::MediaType;
use shape::{Compiler, Json, Page, Pointer, Roots, Scope, Tree, Trouble, Uses, header_value};

use crate::settings::BodySettings;

/// Compiled.
#[derive(Debug)]
pub(crate) enum Body {
    /// Left alone.
    Same,
    Changed(Box<Changes>),
    Anew(Box<Anew>),
}

/// By pointers.
#[derive(Debug)]
pub(crate) struct Changes {
    remove: Vec<Pointer>,
    rename: Vec<(Pointer, String)>,
    moves: Vec<(Pointer, Pointer)>,
    default: Vec<(Pointer, Tree)>,
    set: Vec<(Pointer, Tree)>,
}

/// By a template.
#[derive(Debug)]
pub(crate) struct Anew {
    page: Page,
    pub(crate) content_type: String,
}

impl Body {
    /// Of the settings at `place`; mistakes are noted.
    pub(crate) fn new(
        place: &str,
        settings: &BodySettings,
        roots: &Roots,
        compiler: &mut Compiler,
    ) -> Body {
        let changes = Changes::new(place, settings, roots, compiler);
        let Some(template) = &settings.template else {
            if settings.content_type.is_some() {
                compiler.mistake(
                    &format!("{place}.content_type"),
                    "it says what a `template` makes; there is none",
                );
            }
            return if changes.is_empty() {
                Body::Same
            } else {
                Body::Changed(Box::new(changes))
            };
        };
        let at = format!("{place}.template");
        if !changes.is_empty() {
            compiler.mistake(
                &at,
                "it makes the whole body; put remove, rename, move, default and set into it",
            );
        }
        let content_type = settings
            .content_type
            .as_deref()
            .unwrap_or("application/json");
        let fits = header_value(content_type).map_err(|trouble| trouble.to_string());
        compiler.check(&format!("{place}.content_type"), fits);
        Body::Anew(Box::new(Anew {
            page: compiler.page(&at, template, is_json(content_type), roots),
            content_type: content_type.to_owned(),
        }))
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_same(&self) -> bool {
        matches!(self, Body::Same)
    }

    /// What it takes from the exchange.
    pub(crate) fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        match self {
            Body::Same => {}
            Body::Changed(changes) => {
                let trees = changes.default.iter().chain(&changes.set);
                trees.for_each(|(_, tree)| uses.add(tree.uses()));
            }
            Body::Anew(anew) => uses.add(anew.page.uses()),
        }
        uses
    }
}

impl Anew {
    /// The body.
    pub(crate) fn make(&self, scope: &Scope) -> Result<String, Trouble> {
        let made = if is_json(&self.content_type) {
            self.page
                .fill_json(&scope.value())
                .map(|json| json.to_string())
        } else {
            self.page.fill(&scope.value())
        };
        made.map_err(|trouble| trouble.at("body.template"))
    }
}

impl Changes {
    fn new(
        place: &str,
        settings: &BodySettings,
        roots: &Roots,
        compiler: &mut Compiler,
    ) -> Changes {
        let mut remove: Vec<Pointer> = settings
            .remove
            .iter()
            .filter_map(|text| member(&format!("{place}.remove"), text, compiler))
            .collect();
        // A list's last items first: what is removed moves those behind it.
        remove.sort_by_key(|pointer| Reverse(pointer.order()));
        let at = format!("{place}.rename");
        let mut rename = Vec::new();
        for (from, to) in &settings.rename {
            if to.starts_with('/') {
                compiler.mistake(
                    &at,
                    format!("{to:?} is a pointer; rename takes a name, and `move` moves"),
                );
            }
            rename.extend(member(&at, from, compiler).map(|from| (from, to.clone())));
        }
        // The innermost first: the names on the way are still the old ones.
        rename.sort_by_key(|(from, _)| Reverse(from.order()));
        let mut moves = moves(&format!("{place}.move"), &settings.moves, compiler);
        moves.sort_by_key(|(from, _)| Reverse(from.order()));
        Changes {
            remove,
            rename,
            moves,
            default: trees(
                &format!("{place}.default"),
                &settings.default,
                roots,
                compiler,
            ),
            set: trees(&format!("{place}.set"), &settings.set, roots, compiler),
        }
    }

    fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.rename.is_empty()
            && self.moves.is_empty()
            && self.default.is_empty()
            && self.set.is_empty()
    }

    /// Changes the body. Values see it as it came.
    pub(crate) fn apply(&self, body: &mut Json, scope: &Scope) -> Result<(), Trouble> {
        for pointer in &self.remove {
            pointer.take(body);
        }
        for (from, to) in &self.rename {
            from.rename(body, to);
        }
        // All are taken before one is put: two members may change places.
        let mut taken: Vec<(&Pointer, Json)> = Vec::new();
        for (from, to) in &self.moves {
            taken.extend(from.take(body).map(|value| (to, value)));
        }
        taken.sort_by_key(|(to, _)| to.order());
        for (to, value) in taken {
            put(body, to, value)?;
        }
        let scope = scope.value();
        let fill = |pointer: &Pointer, tree: &Tree| {
            tree.fill(&scope)
                .map_err(|trouble| trouble.at(&format!("body at {pointer}")))
        };
        for (pointer, tree) in &self.default {
            if pointer.get(body).is_none() {
                put(body, pointer, fill(pointer, tree)?)?;
            }
        }
        for (pointer, tree) in &self.set {
            put(body, pointer, fill(pointer, tree)?)?;
        }
        Ok(())
    }
}

fn put(body: &mut Json, pointer: &Pointer, value: Json) -> Result<(), Trouble> {
    pointer
        .put(body, value)
        .map_err(|_| Trouble::Unfit(format!("the body has no place for a value at {pointer}")))
}

fn moves(
    place: &str,
    settings: &BTreeMap<String, String>,
    compiler: &mut Compiler,
) -> Vec<(Pointer, Pointer)> {
    let mut moves: Vec<(Pointer, Pointer)> = Vec::new();
    for (from, to) in settings {
        let (Some(from), Some(to)) = (
            member(place, from, compiler),
            compiler.check(place, Pointer::parse(to)),
        ) else {
            continue;
        };
        if from.covers(&to) {
            compiler.mistake(place, format!("{from} cannot move into itself"));
        }
        if moves.iter().any(|(_, other)| *other == to) {
            compiler.mistake(place, format!("two values move to {to}"));
        }
        moves.push((from, to));
    }
    moves
}

fn trees(
    place: &str,
    table: &BTreeMap<String, Json>,
    roots: &Roots,
    compiler: &mut Compiler,
) -> Vec<(Pointer, Tree)> {
    let mut out: Vec<(Pointer, Tree)> = Vec::new();
    for (text, value) in table {
        let pointer = compiler.check(place, Pointer::parse(text));
        let tree = compiler.tree(&format!("{place}.{text}"), value, roots);
        out.extend(pointer.map(|pointer| (pointer, tree)));
    }
    // The outermost first: what is set inside of another value stays.
    out.sort_by_key(|(pointer, _)| pointer.order());
    out
}

/// A pointer to something in the document, not to the whole.
fn member(place: &str, text: &str, compiler: &mut Compiler) -> Option<Pointer> {
    let pointer = compiler.check(place, Pointer::parse(text))?;
    if pointer.names().is_empty() {
        compiler.mistake(place, "\"\" is the whole body; write \"/name\"");
    }
    Some(pointer)
}

/// What a template makes.
fn is_json(content_type: &str) -> bool {
    MediaType::parse(content_type).is_ok_and(|media_type| media_type.is_json())
}
