//! `run`: from arguments to a serving gateway, and to its end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_admin::{Abilities, Admin, First, Status};
use portcullis_config::plan::Plan;
use portcullis_proxy::{Gate, Generation, Metrics, Workers};
use portcullis_terminal::Failure;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::access_log::Reopen;
use crate::args::RunOptions;
use crate::check;
use crate::config_file;
use crate::control::Process;
use crate::drain::Drain;
use crate::listeners::{Listeners, bind};
use crate::load::Loader;
use crate::log::{self, Level};
use crate::recorders::Recorders;
use crate::reload::Supervisor;
use crate::signals::{Signals, terminated};
use crate::watch::watch;

/// Reloads that may wait; more are the same reload.
const RELOADS: usize = 16;
/// How long the end waits for what is still to be written to the disk tier of the cache.
const LAST_WRITES: Duration = Duration::from_secs(2);

pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    let level = log::start();
    let (plan, config) = plan(options)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let tokio = tokio.map_err(Failure::trouble)?;
    let served = tokio.block_on(serve(plan, config, level));
    // Workers with exchanges that outlived the drain still run: dropping the runtime would wait for them.
    tokio.shutdown_background();
    served
}

fn plan(options: &RunOptions) -> Result<(Arc<Plan>, Option<PathBuf>), Failure> {
    if let Some(upstream) = &options.to {
        let plan = portcullis_config::to_single(upstream, options.listen);
        return Ok((Arc::new(plan.map_err(Failure::mistake)?), None));
    }
    let path = options.file.find()?;
    Ok((config_file::read(&path)?, Some(path)))
}

/// The life of a gateway, from the first socket to the last line of its log.
async fn serve(plan: Arc<Plan>, config: Option<PathBuf>, level: Arc<Level>) -> Result<(), Failure> {
    // Why it cannot be used is logged when it is opened.
    check::disk(&plan)?;
    // Before anyone can know that this process is up: a SIGHUP that is not handled would end it.
    let signals = Signals::handle()?;
    let admin_listener = bind_admin(&plan).await?;
    let (reloads, requests) = mpsc::channel(RELOADS);
    let (status, drain) = (Arc::new(Status::default()), Arc::new(Drain::default()));
    let mut loader = Loader::new(&plan, plan.plugins.instances)?;
    let process = Process {
        supervisor: reloads.clone(),
        drain: drain.clone(),
        level,
    };
    let admin = Admin::new(
        first(&plan, &mut loader)?,
        Arc::new(process),
        status.clone(),
    );
    let mut tasks = JoinSet::new();
    // Alive from here on, ready once everything is loaded.
    tasks.spawn(admin.clone().serve(admin_listener));
    let metrics = Metrics::new();
    let loaded = loader.load(plan.clone(), &metrics, None).await;
    let loaded = loaded.map_err(Failure::mistake)?;
    loaded.generation.discover().await;
    let listeners = Listeners::bind(&plan.listen).await?;
    announce_plugins(&loaded.generation, &metrics);
    let reopen = Reopen::default();
    let (archive, recorders) = Recorders::start(&plan, metrics, &reopen)?;
    let gate = Gate::new(loaded.generation, archive);
    let workers = Workers::start(&gate, &plan.listen, plan.timeouts).map_err(Failure::trouble)?;
    let mut supervisor = Supervisor {
        loader,
        gate: gate.clone(),
        config: config.clone(),
        status,
    };
    supervisor.begins(loaded.versions);
    tasks.spawn(supervisor.run(requests));
    tasks.spawn(watch(gate.clone(), config, reloads.clone()));
    signals.serve(reloads, reopen, &mut tasks);
    admin.opens(gate.clone());
    tracing::info!(http = %plan.listen.http, admin = %plan.listen.admin, "the gate is up");
    tokio::select! {
        () = listeners.accept(&workers, plan.listen.max_connections) => {}
        () = drain.due() => {}
        () = terminated() => {}
    }
    drain.begin(Duration::ZERO);
    // New connections are refused from here on; what is in flight may finish.
    drop(listeners);
    end(&plan, workers, tasks, (gate, admin)).await;
    recorders.finish().await;
    Ok(())
}

async fn bind_admin(plan: &Plan) -> Result<TcpListener, Failure> {
    let listener = bind(plan.listen.admin, "listen.admin").await?;
    if !plan.listen.admin.ip().is_loopback() && plan.admin.tls.is_none() {
        tracing::warn!("tokens of [admin] cross the network in clear text; [admin.tls] hides them");
    }
    Ok(listener)
}

/// What the admin listener has before anything else is loaded.
fn first(plan: &Arc<Plan>, loader: &mut Loader) -> Result<First, Failure> {
    Ok(First {
        address: plan.listen.admin,
        plan: plan.clone(),
        tls: loader.first(plan).map_err(Failure::mistake)?,
    })
}

fn announce_plugins(first: &Generation, metrics: &Metrics) {
    for (name, plugin) in &first.plugins {
        tracing::info!(plugin = %name, kind = %plugin.kind(), digest = %plugin.digest(), "can {}", Abilities::of(plugin).can());
    }
    metrics.plugins(first.plugins.keys(), &BTreeSet::new());
}

/// Ends exchanges, tasks and the cache, in this order.
async fn end(
    plan: &Plan,
    workers: Workers,
    mut tasks: JoinSet<()>,
    (gate, admin): (Arc<Gate>, Arc<Admin>),
) {
    let grace = plan.listen.drain;
    tracing::info!("draining, for {grace:?} at the most");
    if !workers.drain(grace).await {
        tracing::warn!("some exchanges did not end within {grace:?} and were cut");
    }
    tasks.shutdown().await;
    let cache = gate.cache.clone();
    // It waits for the disk, and not for long; a panic of it has been printed.
    let _ = tokio::task::spawn_blocking(move || cache.close(LAST_WRITES)).await;
    drop((gate, admin));
}
