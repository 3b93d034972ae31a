//! `[plugin.NAME]`

use std::sync::Arc;

use super::{File, given};
use crate::diagnostic::Span;
use crate::fields::Fields;
use crate::mistakes::Fault;
use crate::plan::{InstanceMode, PluginPlan, Settings, SnapshotMode};

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
    let snapshot = match fields.choice("snapshot") {
        "always" => SnapshotMode::Always,
        "never" => SnapshotMode::Never,
        _ => SnapshotMode::Auto,
    };
    let given = given::of_plugin(file, fields);
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
        snapshot,
        given,
        settings: settings?,
        settings_span: fields.span_of("settings"),
    })
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
