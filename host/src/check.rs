//! `check` and `routes`: what `run` would do, without doing it.

use portcullis_admin::Abilities;
use portcullis_config::diagnostic::{Diagnostic, Report};
use portcullis_config::plan::{Plan, RoutePlan};
use portcullis_proxy::{FolderError, Metrics, private_folder};
use portcullis_runtime::Budget;
use portcullis_terminal::Failure;

use crate::access_log;
use crate::config_file::{ConfigFile, read};
use crate::load::{Loaded, Loader};
use crate::unserved::unserved;

/// Instances that a check needs: one plugin at a time.
const CHECK_INSTANCES: u32 = 4;

/// Reads everything that `run` reads and loads every plugin; prints what each may do.
pub(crate) fn check(options: &ConfigFile) -> Result<(), Failure> {
    let path = options.find()?;
    let plan = read(&path)?;
    access_log::check(&plan.log)?;
    let disk = disk(&plan)?;
    let mut loader = Loader::new(&plan, CHECK_INSTANCES)?;
    let tokio = tokio::runtime::Runtime::new().map_err(Failure::trouble)?;
    let metrics = Metrics::new();
    let loaded = tokio.block_on(loader.load(plan.clone(), &metrics, None));
    let Loaded {
        generation,
        untyped,
        ..
    } = loaded.map_err(Failure::mistake)?;
    for (name, plugin) in &generation.plugins {
        tokio.block_on(plugin.settled());
        println!("plugin {name}: {}, {:?}", plugin.kind(), plugin.digest());
        let abilities = Abilities::of(plugin);
        println!("  can {}", abilities.can());
        println!("  {}", budget(&plugin.spec().budget));
        println!("  {}", plugin.snapshot());
        if let Some(idle) = abilities.idle() {
            println!("  note: granted, though it imports nothing of the kind: {idle}");
        }
        if untyped.contains(name) {
            println!(
                "  note: its component carries no schema; only the plugin itself has checked its settings"
            );
        }
        for operation in unserved(plugin, &plan.routes) {
            println!("  note: no route serves {operation}, which its OpenAPI document describes");
        }
    }
    if let Some(why) = disk {
        println!("note: the cache would be in memory only: {why}");
    }
    println!(
        "{}: {} routes, {} plugins, {} upstreams: good",
        path.display(),
        plan.routes.len(),
        plan.plugin.len(),
        plan.upstream.len()
    );
    Ok(())
}

fn budget(budget: &Budget) -> String {
    format!(
        "within {} KiB of memory, {:?} ({:?} of its own), {} host calls, {} KiB in, {} KiB out per call; {} at once",
        budget.memory / 1024,
        budget.time,
        budget.cpu,
        budget.host_calls,
        budget.bytes_in / 1024,
        budget.bytes_out / 1024,
        budget.concurrent
    )
}

/// Lists the routes.
pub(crate) fn routes(options: &ConfigFile) -> Result<(), Failure> {
    let plan = read(&options.find()?)?;
    for route in &plan.routes {
        println!("{}", describe(route));
    }
    Ok(())
}

fn describe(route: &RoutePlan) -> String {
    let list = |items: &[String], none: &str| {
        if items.is_empty() {
            none.to_owned()
        } else {
            items.join(",")
        }
    };
    let plugins: Vec<&str> = route.plugins.iter().map(|p| &*p.name).collect();
    let guard = if route.public {
        "public".to_owned()
    } else {
        plugins.join(" > ")
    };
    format!(
        "{:<16} {:<12} {:<24} {:<28} {} -> {}",
        route.name,
        list(&route.methods, "*"),
        list(&route.hosts, "*"),
        route.path.text,
        guard,
        route
            .upstream()
            .or(route.answered_by().map(str::to_owned))
            .unwrap_or_else(|| "handler".to_owned())
    )
}

/// A mistake if other users can read or write the cache's folder. The text says why the folder cannot be used for now:
/// the cache is then in memory only.
pub(crate) fn disk(plan: &Plan) -> Result<Option<String>, Failure> {
    let Some(disk) = &plan.cache.disk else {
        return Ok(None);
    };
    match private_folder(&disk.folder) {
        Ok(()) => Ok(None),
        Err(FolderError::Unusable(why)) => Ok(Some(why)),
        Err(FolderError::Exposed(why)) => {
            let mistake = Diagnostic::new(disk.folder_span, why);
            let report = Report::new(plan.source.clone(), vec![mistake]);
            Err(Failure::Mistake(report.to_string()))
        }
    }
}
