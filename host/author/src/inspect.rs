//! `plugin inspect`: what a component is and asks for, without a gateway.

mod page;

use std::path::Path;

use portcullis_config::plan::Plan;
use portcullis_terminal::Failure;

use self::page::{ConfiguredPage, ImportPage, Page, contract};
use crate::InspectOptions;
use crate::stage::{self, Stage};

pub(super) fn inspect(options: &InspectOptions) -> Result<(), Failure> {
    let stage = Stage::set(&options.component)?;
    let tokio = stage::tokio()?;
    let configured = match &options.config {
        None => vec![tokio.block_on(bare(&stage))?],
        Some(config) => tokio.block_on(by_config(&stage, &options.component, config))?,
    };
    let imports: Vec<ImportPage> = stage.imports().into_iter().map(ImportPage::of).collect();
    let page = Page {
        file: options.component.display().to_string(),
        kind: stage.kind()?.as_str(),
        contract: contract(&imports),
        bytes: stage.bytes,
        digest: stage.digest().to_string(),
        imports,
        configured,
        settings_schema: stage
            .schema
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok()),
    };
    if options.json {
        let text = serde_json::to_string_pretty(&page).map_err(Failure::trouble)?;
        println!("{text}");
    } else {
        print!("{}", page.text());
    }
    Ok(())
}

/// Without settings, granted all that it asks for.
async fn bare(stage: &Stage) -> Result<ConfiguredPage, Failure> {
    let grants = "upstreams = [\"any\"], state = [\"any\"], buckets = { any = \"1/1s\" }, clock = true, crypto = true, random = true";
    let text = format!(
        "[plugin.it]\ncomponent = \"it.wasm\"\ngrants = {{ {grants} }}\n[upstream.any]\nservers = [\"127.0.0.1:9\"]\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"any\"\n"
    );
    let plan = portcullis_config::parse("inspect", &text, Path::new(""), &|_| None);
    let plan = plan.map_err(|report| Failure::Trouble(report.to_string()))?;
    let mut pages = tried(stage, &plan, |_| true, |_| "no settings".into()).await;
    pages
        .pop()
        .ok_or_else(|| Failure::Trouble("the plan has no plugin".into()))
}

/// With what each plugin of a gateway.toml that names this file gives it.
async fn by_config(
    stage: &Stage,
    component: &Path,
    config: &Path,
) -> Result<Vec<ConfiguredPage>, Failure> {
    let plan = portcullis_config::read(config).map_err(Failure::mistake)?;
    let file = component
        .file_name()
        .and_then(std::ffi::OsStr::to_str)
        .unwrap_or_default();
    let with = |name: &str| format!("[plugin.{name}] of {}", config.display());
    let pages = tried(stage, &plan, |named| named == file, with).await;
    if pages.is_empty() {
        return Err(Failure::Mistake(format!(
            "error: no plugin of {} has component = \"{file}\"\n hint: without --config it is tried without settings",
            config.display()
        )));
    }
    Ok(pages)
}

async fn tried(
    stage: &Stage,
    plan: &Plan,
    wanted: impl Fn(&str) -> bool,
    with: impl Fn(&str) -> String,
) -> Vec<ConfiguredPage> {
    let mut pages = Vec::new();
    for wanted in plan
        .plugin
        .values()
        .filter(|plugin| wanted(&plugin.component))
    {
        let plugin = stage.plugin(plan, wanted, |_| ()).await;
        let with = with(&wanted.name);
        pages.push(match plugin {
            Ok(plugin) => ConfiguredPage::of(with, &plugin),
            Err(refused) => ConfiguredPage::refused(with, refused.to_string()),
        });
    }
    pages
}
