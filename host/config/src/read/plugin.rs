//! `[plugin.NAME]`

use std::sync::Arc;

use super::File;
use crate::diagnostic::Span;
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{InstanceMode, PluginLimits, PluginPlan, Settings};
use crate::spelling;

pub(super) fn read(
    file: &File<'_>,
    name: Arc<str>,
    span: Span,
    fields: &Fields<'_>,
) -> Option<PluginPlan> {
    let instance = match fields.choice("instance") {
        "kept" => InstanceMode::Kept,
        _ => InstanceMode::Fresh,
    };
    let limits = limits(&fields.fields("limits", &keys::LIMITS));
    let upstreams = upstreams(file, fields);
    let settings = match fields.table("settings") {
        Some((span, table)) => file.secrets.settings(span, table),
        None => Some(Settings::default()),
    };
    let component = fields.required_text("component")?;
    fields
        .mistakes()
        .note(component.span, check_component(component.text))?;
    Some(PluginPlan {
        name,
        span,
        component: component.text.to_owned(),
        component_span: component.span,
        instance,
        limits,
        upstreams,
        settings: settings?,
        settings_span: fields.span_of("settings"),
    })
}

fn limits(fields: &Fields<'_>) -> PluginLimits {
    PluginLimits {
        memory: fields.size("memory") as usize,
        time: fields.duration("time"),
        host_calls: u32::try_from(fields.count("host_calls")).unwrap_or(u32::MAX),
    }
}

/// The upstreams a plugin is granted; names that are not there are noted and left out.
fn upstreams(file: &File<'_>, fields: &Fields<'_>) -> Vec<Arc<str>> {
    let mut grants = Vec::new();
    for word in fields.distinct("upstreams") {
        if file.upstreams.contains(word.text) {
            grants.push(Arc::from(word.text));
        } else {
            let fault = spelling::unknown_name("upstream", word.text, &file.upstreams);
            fields.mistakes().fault(word.span, fault);
        }
    }
    grants
}

/// A bare file name: nothing outside of the plugin folder can be named.
fn check_component(text: &str) -> Result<(), Fault> {
    let hint = "write the name of a file in the plugin folder, \"my_plugin.wasm\"";
    if text.contains(['/', '\\']) || text.contains("..") || text.chars().any(char::is_control) {
        let fault = Fault::new(format!("`{text}` is not a bare file name"));
        return Err(fault.with_hint(hint));
    }
    match text.strip_suffix(".wasm") {
        None => Err(
            Fault::new(format!("the component `{text}` does not end in `.wasm`")).with_hint(hint),
        ),
        Some(stem) if stem.is_empty() || stem.starts_with('.') => {
            Err(Fault::new(format!("`{text}` is a hidden file")).with_hint(hint))
        }
        Some(_) => Ok(()),
    }
}
