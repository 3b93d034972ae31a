//! WASI's clocks and random numbers. Linking them grants nothing: a component that imports them without a grant is
//! refused at load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::bail;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime_wasi_io::poll::{Pollable, subscribe};

use crate::guest::session::Session;
use crate::guest::wasi::interfaces::VERSION;

/// Random bytes per call.
const MAX_RANDOM: u64 = 64 * 1024;

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// A moment to wait for.
struct Moment(Instant);

#[wasmtime_wasi_io::async_trait]
impl Pollable for Moment {
    async fn ready(&mut self) {
        tokio::time::sleep_until(self.0.into()).await;
    }
}

pub(super) fn link(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    linker
        .instance(&format!("wasi:random/insecure-seed@{VERSION}"))?
        .func_wrap("insecure-seed", |mut store, ()| {
            store.data_mut().count()?;
            Ok(((next_seed(), next_seed()),))
        })?;
    for (interface, functions) in [
        ("random", ["get-random-bytes", "get-random-u64"]),
        (
            "insecure",
            ["get-insecure-random-bytes", "get-insecure-random-u64"],
        ),
    ] {
        let mut instance = linker.instance(&format!("wasi:random/{interface}@{VERSION}"))?;
        instance.func_wrap(functions[0], |mut store, (length,): (u64,)| {
            let session: &mut Session = store.data_mut();
            Ok((random(session, length)?,))
        })?;
        instance.func_wrap(functions[1], |mut store, ()| {
            let bytes = random(store.data_mut(), 8)?;
            let number = bytes.try_into().map_or(0, u64::from_le_bytes);
            Ok((number,))
        })?;
    }
    clocks(linker)
}

fn clocks(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    let mut wall = linker.instance(&format!("wasi:clocks/wall-clock@{VERSION}"))?;
    wall.func_wrap("now", |mut store, ()| {
        let session: &mut Session = store.data_mut();
        session.count()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok((datetime(now.unwrap_or_default()),))
    })?;
    wall.func_wrap("resolution", |mut store, ()| {
        store.data_mut().count()?;
        Ok((datetime(Duration::from_nanos(1)),))
    })?;

    let mut monotonic = linker.instance(&format!("wasi:clocks/monotonic-clock@{VERSION}"))?;
    monotonic.func_wrap("now", |mut store, ()| {
        let session: &mut Session = store.data_mut();
        session.count()?;
        Ok((nanos(session.born.elapsed()),))
    })?;
    monotonic.func_wrap("resolution", |mut store, ()| {
        store.data_mut().count()?;
        Ok((1_u64,))
    })?;
    monotonic.func_wrap("subscribe-duration", |mut store, (wait,): (u64,)| {
        let session: &mut Session = store.data_mut();
        wait_until(session, Instant::now(), wait)
    })?;
    monotonic.func_wrap("subscribe-instant", |mut store, (at,): (u64,)| {
        let session: &mut Session = store.data_mut();
        let born = session.born;
        wait_until(session, born, at)
    })?;
    Ok(())
}

type Subscribed = (wasmtime::component::Resource<wasmtime_wasi_io::poll::DynPollable>,);

fn wait_until(session: &mut Session, from: Instant, nanos: u64) -> wasmtime::Result<Subscribed> {
    session.count()?;
    // No call lives for a day.
    let wait = Duration::from_nanos(nanos).min(Duration::from_secs(86_400));
    let moment = session.table.push(Moment(from + wait))?;
    Ok((subscribe(&mut session.table, moment)?,))
}

fn random(session: &mut Session, length: u64) -> wasmtime::Result<Vec<u8>> {
    session.count()?;
    session.drew_random = true;
    if length > MAX_RANDOM {
        bail!("it asked for {length} random bytes at once, more than {MAX_RANDOM}");
    }
    let mut bytes = vec![0; usize::try_from(length)?];
    getrandom::fill(&mut bytes)?;
    session.copy_in(bytes.len())?;
    Ok(bytes)
}

fn datetime(time: Duration) -> Datetime {
    Datetime {
        seconds: time.as_secs(),
        nanoseconds: time.subsec_nanos(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Seeds for a guest's hash maps: unpredictable to a client, different for every instance.
fn next_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::LazyLock;
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}
