//! `run`: from arguments to a serving gateway, and to its end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_admin::{Abilities, Action, Admin, First, Status};
use portcullis_config::plan::Plan;
use portcullis_proxy::{Archive, Exporter, Gate, Metrics, Protocol, Tracer, Workers, Writer};
use portcullis_terminal::Failure;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};

use crate::access_log::{self, Reopen};
use crate::args::RunOptions;
use crate::check;
use crate::config_file;
use crate::control::Process;
use crate::drain::Drain;
use crate::load::Loader;
use crate::log::{self, Level};
use crate::reload::{Request, Supervisor};
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
    let tokio = tokio.map_err(|error| trouble(&error))?;
    let served = tokio.block_on(serve(plan, config, level));
    // Workers with exchanges that outlived the drain still run: dropping the runtime would wait for them.
    tokio.shutdown_background();
    served
}

async fn serve(plan: Arc<Plan>, config: Option<PathBuf>, level: Arc<Level>) -> Result<(), Failure> {
    // What else is wrong with it is told when it is opened.
    check::disk(&plan)?;
    // Before anybody can know that this process is up: an unheard SIGHUP would end it.
    let hangups = signal(SignalKind::hangup()).map_err(|error| trouble(&error))?;
    let users = signal(SignalKind::user_defined1()).map_err(|error| trouble(&error))?;
    let listener = bind(plan.listen.admin, "listen.admin").await?;
    if !plan.listen.admin.ip().is_loopback() && plan.admin.tls.is_none() {
        tracing::warn!("tokens of [admin] cross the network in clear text; [admin.tls] hides them");
    }
    let (reloads, requests) = mpsc::channel(RELOADS);
    let (status, drain) = (Arc::new(Status::default()), Arc::new(Drain::default()));
    let mut loader = Loader::new(&plan, plan.plugins.instances)?;
    let tls = loader.first(&plan);
    let first = First {
        address: plan.listen.admin,
        plan: plan.clone(),
        tls: tls.map_err(Failure::mistake)?,
    };
    let process = Process {
        supervisor: reloads.clone(),
        drain: drain.clone(),
        level,
    };
    let admin = Admin::new(first, Arc::new(process), status.clone());
    let mut tasks = tokio::task::JoinSet::new();
    // Alive from here on, ready once everything is in.
    tasks.spawn(admin.clone().serve(listener));
    let metrics = Metrics::new();
    let loaded = loader.load(plan.clone(), &metrics, None).await;
    let loaded = loaded.map_err(Failure::mistake)?;
    let (first, versions) = (loaded.generation, loaded.versions);
    first.discover().await;
    let http = bind(plan.listen.http, "listen.http").await?;
    let h2c = match plan.listen.h2c {
        Some(address) => Some(bind(address, "listen.h2c").await?),
        None => None,
    };
    let https = match plan.listen.https {
        Some(address) => Some(bind(address, "listen.https").await?),
        None => None,
    };
    for (name, plugin) in &first.plugins {
        tracing::info!(plugin = %name, kind = %plugin.kind(), digest = %plugin.digest(), "can {}", Abilities::of(plugin).can());
    }
    metrics.plugins(first.plugins.keys(), &BTreeSet::new());
    let reopen = Reopen::default();
    let (log, writer) = access_log::start(&plan, &metrics, &reopen)?.unzip();
    let (tracer, exporter) = traces(&plan, &metrics)?.unzip();
    let archive = Archive {
        metrics,
        log,
        tracer,
        tail: Arc::default(),
    };
    let gate = Gate::new(first, archive);
    let workers =
        Workers::start(&gate, &plan.listen, plan.timeouts).map_err(|error| trouble(&error))?;

    let mut supervisor = Supervisor {
        loader,
        gate: gate.clone(),
        config: config.clone(),
        status,
    };
    supervisor.begins(versions);
    tasks.spawn(supervisor.run(requests));
    tasks.spawn(watch(gate.clone(), config, reloads.clone()));
    tasks.spawn(reload_on_hangup(hangups, reloads, reopen.clone()));
    tasks.spawn(reopen_when_told(users, reopen));

    admin.opens(gate.clone());
    tracing::info!(http = %plan.listen.http, admin = %plan.listen.admin, "the gate is up");
    let slots = Arc::new(Semaphore::new(plan.listen.max_connections));
    tokio::select! {
        () = workers.accept(&http, Protocol::Http1, slots.clone()) => {}
        () = accept(&workers, h2c.as_ref(), Protocol::H2c, slots.clone()) => {}
        () = accept(&workers, https.as_ref(), Protocol::Https, slots.clone()) => {}
        () = drain.due() => {}
        () = terminated() => {}
    }
    drain.begin(Duration::ZERO);
    // New connections are refused from here on; what is in flight may finish.
    drop((http, h2c, https));
    let grace = plan.listen.drain;
    tracing::info!("draining, for {grace:?} at the most");
    if !workers.drain(grace).await {
        tracing::warn!("some exchanges did not end within {grace:?} and were cut");
    }
    tasks.shutdown().await;
    let cache = gate.cache.clone();
    // It waits for the disk, and not for long; a panic in there has been printed.
    let _ = tokio::task::spawn_blocking(move || cache.close(LAST_WRITES)).await;
    drop((gate, admin));
    finish_log(writer).await;
    if let Some(exporter) = exporter {
        exporter.finish().await;
    }
    Ok(())
}

/// For ever, also where there is no such listener.
async fn accept(
    workers: &Workers,
    listener: Option<&TcpListener>,
    protocol: Protocol,
    slots: Arc<Semaphore>,
) {
    match listener {
        Some(listener) => workers.accept(listener, protocol, slots).await,
        None => std::future::pending().await,
    }
}

fn plan(options: &RunOptions) -> Result<(Arc<Plan>, Option<PathBuf>), Failure> {
    if let Some(upstream) = &options.to {
        let plan = portcullis_config::to_single(upstream, options.listen);
        return Ok((Arc::new(plan.map_err(Failure::mistake)?), None));
    }
    let path = options.file.find()?;
    Ok((config_file::read(&path)?, Some(path)))
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Trouble(format!(
            "cannot listen on {address} ({key}): {error}. Is another process using it?"
        ))
    })
}

/// Who records traces, and who tells the collector.
fn traces(plan: &Plan, metrics: &Metrics) -> Result<Option<(Arc<Tracer>, Exporter)>, Failure> {
    let Some(traces) = &plan.traces else {
        return Ok(None);
    };
    let tracer = Tracer::new(traces, metrics);
    let exporter = Exporter::start(tracer.clone())
        .map_err(|why| Failure::Trouble(format!("no traces can be sent: {why}")))?;
    Ok(Some((tracer, exporter)))
}

/// Waits for the last lines; a worker that was cut may still hold the log, so not for ever.
async fn finish_log(writer: Option<Writer>) {
    if let Some(writer) = writer {
        let joined = tokio::task::spawn_blocking(|| writer.join());
        let _ = tokio::time::timeout(Duration::from_millis(500), joined).await;
    }
}

/// After logrotate has moved the file away.
async fn reopen_when_told(mut users: Signal, reopen: Reopen) {
    while users.recv().await.is_some() {
        reopen.ask();
    }
}

async fn reload_on_hangup(mut hangups: Signal, reloads: mpsc::Sender<Request>, reopen: Reopen) {
    while hangups.recv().await.is_some() {
        reopen.ask();
        if reloads
            .send(Request {
                cause: "SIGHUP",
                action: Action::Reload,
                answer: None,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn terminated() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn trouble(error: &std::io::Error) -> Failure {
    Failure::Trouble(error.to_string())
}
