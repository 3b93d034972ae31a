//! `schema`: the JSON Schema of gateway.toml for editors, with the settings of the plugins that it names.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_config::{Outline, json_schema};
use portcullis_runtime::settings_schema;
use portcullis_terminal::Failure;

use crate::config_file::ConfigFile;

/// Prints the schema. A file with mistakes will do: that is when an editor's help is wanted.
pub(crate) fn print(options: &ConfigFile) -> Result<(), Failure> {
    let (outline, settings) = match options.find() {
        Ok(path) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::Mistake(format!("{}: error: {error}", path.display())))?;
            let outline = Outline::of(&text);
            let folder = path.parent().unwrap_or(Path::new("")).join(&outline.folder);
            let settings = carried(&outline, &folder);
            (outline, settings)
        }
        Err(failure) if options.config.is_some() => return Err(failure),
        // Before the first gateway.toml is written, its keys are known all the same.
        Err(_) => Default::default(),
    };
    print!("{}", json_schema(&outline, &settings));
    Ok(())
}

/// The schemas that the components carry, by plugin; what is missing is said on stderr.
fn carried(outline: &Outline, folder: &Path) -> BTreeMap<String, String> {
    let mut schemas = BTreeMap::new();
    for (name, component) in &outline.components {
        let Some(component) = component else {
            continue;
        };
        let path = folder.join(component);
        match std::fs::read(&path).map(|bytes| settings_schema(&bytes)) {
            Ok(Some(schema)) => drop(schemas.insert(name.clone(), schema)),
            Ok(None) => {
                eprintln!("note: plugin {name}: {component} carries no schema of its settings");
            }
            Err(error) => eprintln!("note: plugin {name}: {}: {error}", path.display()),
        }
    }
    schemas
}
