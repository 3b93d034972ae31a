//! Names and values: headers, and parameters of the query.

use std::collections::BTreeMap;

use portcullis_sdk::Message;
use shape::{Compiler, Roots, Scope, Text, Trouble, Uses, decode, encode, header_value};

use crate::head::Sees;
use crate::settings::FieldSettings;

/// Compiled.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    remove: Vec<String>,
    rename: Vec<(String, String)>,
    default: Vec<(String, Text)>,
    set: Vec<(String, Text)>,
}

/// What the names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Headers,
    Query,
}

impl Fields {
    /// Of the settings at `place`; mistakes are noted.
    pub(crate) fn new(
        of: Of,
        place: &str,
        settings: &FieldSettings,
        roots: &Roots,
        compiler: &mut Compiler,
    ) -> Fields {
        let name = |place: &str, name: &String, compiler: &mut Compiler| match of {
            Of::Headers => compiler.header(place, name),
            Of::Query => name.clone(),
        };
        let at = |key: &str| format!("{place}.{key}");
        let remove = settings
            .remove
            .iter()
            .map(|n| name(&at("remove"), n, compiler))
            .collect();
        let mut rename = Vec::new();
        for (from, to) in &settings.rename {
            let place = at("rename");
            rename.push((name(&place, from, compiler), name(&place, to, compiler)));
        }
        once(&at("rename"), rename.iter().map(|(_, to)| to), compiler);
        let mut texts = |key: &str, table: &BTreeMap<String, String>| {
            let mut out = Vec::new();
            for (key_name, source) in table {
                let place = format!("{}.{key_name}", at(key));
                let name = name(&at(key), key_name, compiler);
                let text = compiler.text(&place, source, roots);
                if let (Of::Headers, Some(literal)) = (of, text.literal_only()) {
                    let fits = header_value(literal).map_err(|trouble| trouble.to_string());
                    compiler.check(&place, fits);
                }
                out.push((name, text));
            }
            once(&at(key), out.iter().map(|(name, _)| name), compiler);
            out
        };
        let default = texts("default", &settings.default);
        let set = texts("set", &settings.set);
        Fields {
            remove,
            rename,
            default,
            set,
        }
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.rename.is_empty()
            && self.default.is_empty()
            && self.set.is_empty()
    }

    /// What the values take.
    pub(crate) fn uses(&self, uses: &mut Uses) {
        let texts = self.default.iter().chain(&self.set);
        texts.for_each(|(_, text)| uses.add(text.uses()));
    }

    /// Changes headers.
    pub(crate) fn headers(
        &self,
        message: Message<'_>,
        scope: &Scope,
        sees: Sees,
    ) -> Result<(), crate::Stop> {
        for name in &self.remove {
            message.remove_header(name)?;
        }
        // All are taken before one is put: two headers may change their names with each other.
        let mut taken = Vec::new();
        for (from, to) in &self.rename {
            taken.push((to, message.header_all(from)));
            message.remove_header(from)?;
        }
        for (to, values) in taken {
            if !values.is_empty() {
                message.remove_header(to)?;
            }
            for value in values {
                message.add_header(to, value)?;
            }
        }
        for (name, text) in &self.default {
            if !sees.lacks(text)
                && message.header_bytes(name).is_none()
                && let Some(value) = value(name, text, scope)?
            {
                message.set_header(name, value)?;
            }
        }
        for (name, text) in &self.set {
            let value = if sees.lacks(text) {
                None
            } else {
                value(name, text, scope)?
            };
            match value {
                Some(value) => message.set_header(name, value)?,
                None => message.remove_header(name)?,
            }
        }
        Ok(())
    }

    /// A query with its parameters changed; the others stay as they were written.
    pub(crate) fn query(&self, query: &str, scope: &Scope) -> Result<String, Trouble> {
        let scope = scope.value();
        let mut pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| (name(pair), self.whole(pair)))
            .collect();
        pairs.retain(|(known, _)| !self.remove.iter().any(|name| is_of(known, name)));
        for (known, pair) in &mut pairs {
            if let Some((_, to)) = self.rename.iter().find(|(from, _)| from == known) {
                let value = pair.split_once('=').map(|(_, value)| format!("={value}"));
                *pair = format!("{}{}", encode(to), value.unwrap_or_default());
                known.clone_from(to);
            }
        }
        for (name, text) in &self.default {
            if !pairs.iter().any(|(known, _)| known == name)
                && let Some(value) = text
                    .fill_or_none(&scope)
                    .map_err(|trouble| trouble.at(name))?
            {
                pairs.push((name.clone(), format!("{}={}", encode(name), encode(&value))));
            }
        }
        for (name, text) in &self.set {
            let value = text
                .fill_or_none(&scope)
                .map_err(|trouble| trouble.at(name))?;
            let at = pairs
                .iter()
                .position(|(known, _)| known == name)
                .unwrap_or(pairs.len());
            pairs.retain(|(known, _)| !is_of(known, name));
            if let Some(value) = value {
                let pair = format!("{}={}", encode(name), encode(&value));
                pairs.insert(at.min(pairs.len()), (name.clone(), pair));
            }
        }
        let pairs: Vec<String> = pairs.into_iter().map(|(_, pair)| pair).collect();
        Ok(pairs.join("&"))
    }

    /// A pair in which no reader finds one of our names. Where `;` would end it for some, the value keeps its `;` encoded.
    fn whole(&self, pair: &str) -> String {
        let set = self.set.iter().map(|(name, _)| name);
        let ours: Vec<&String> = self.remove.iter().chain(set).collect();
        let hidden = |piece: &str| ours.iter().any(|ours| is_of(&name(piece), ours));
        match pair.split_once(';') {
            Some((first, rest)) if hidden(first) || rest.split(';').any(hidden) => {
                pair.replace(';', "%3B")
            }
            _ => pair.to_owned(),
        }
    }
}

/// Whether a parameter is of this name, in the eyes of services that take `name[]` and `name[key]` for it too.
fn is_of(parameter: &str, name: &str) -> bool {
    let rest = parameter.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

/// A name that cannot be decoded is nobody's.
fn name(pair: &str) -> String {
    let name = pair.split('=').next().unwrap_or_default();
    decode(name, true).unwrap_or_else(|| name.to_owned())
}

fn value(name: &str, text: &Text, scope: &Scope) -> Result<Option<String>, Trouble> {
    let value = text
        .fill_or_none(&scope.value())
        .map_err(|trouble| trouble.at(name))?;
    if let Some(value) = &value {
        header_value(value).map_err(|trouble| trouble.at(name))?;
    }
    Ok(value)
}

fn once<'n>(place: &str, names: impl Iterator<Item = &'n String>, compiler: &mut Compiler) {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            compiler.mistake(place, format!("{name} is there twice"));
        }
        seen.push(name);
    }
}
