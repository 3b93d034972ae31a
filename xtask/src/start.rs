//! `cargo xtask start`: how long the gateway of the demo, with its ten plugins, takes from its start until it is ready:
//! with nothing kept, and with the machine code that the start before kept.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::children::Children;
use crate::{Done, Failure, guests, place, probe, run, step};

/// Starts of each kind; the median counts.
const STARTS: usize = 5;
/// What is promised on two cores.
const KEPT_WITHIN: Duration = Duration::from_millis(500);
const COMPILED_WITHIN: Duration = Duration::from_secs(10);

const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(2);
const NAME: &str = "the gateway";

/// A folder with gateway.toml, its plugins and what it keeps.
struct Installation {
    folder: PathBuf,
    admin: SocketAddr,
}

/// Fails if a median is above what is promised.
pub(crate) fn start() -> Done {
    let plugins = guests::provided()?;
    run::build_programs("gateway, built for release")?;
    let installation = Installation::new(&plugins)?;
    step("start");
    let starts = |before: &dyn Fn() -> Done| -> Done<Duration> {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            before()?;
            times.push(installation.start()?);
        }
        times.sort_unstable();
        Ok(times[STARTS / 2])
    };
    let compiled = starts(&|| installation.forget())?;
    let kept = starts(&|| Ok(()))?;
    println!("start to ready with ten plugins, median of {STARTS}:");
    let rows = [
        ("nothing kept", compiled, COMPILED_WITHIN),
        ("machine code kept", kept, KEPT_WITHIN),
    ];
    for (what, took, limit) in rows {
        println!("  {what:20} {took:>8.0?}   at most {limit:?}");
    }
    match rows.iter().find(|(_, took, limit)| took > limit) {
        Some((what, ..)) => Err(Failure::new(format!("{what}: that is too long"))),
        None => Ok(()),
    }
}

// === impl Installation ===

impl Installation {
    /// The demo's gateway.toml with ports that are free and a place for machine code.
    fn new(plugins: &Path) -> Done<Installation> {
        let folder = place::target().join("start");
        // Of an earlier run; there may be none.
        let _ = fs::remove_dir_all(&folder);
        guests::copy(plugins, &folder.join("plugins.d"))?;
        let file = place::root().join("gateway.toml");
        let mut text = fs::read_to_string(&file).map_err(Failure::of(file.display()))?;
        let admin = free()?;
        let replaced = [
            ("127.0.0.1:8080", free()?.to_string()),
            ("127.0.0.1:8082", free()?.to_string()),
            ("127.0.0.1:8443", free()?.to_string()),
            ("127.0.0.1:9901", admin.to_string()),
            ("[plugins]", "[plugins]\ncache = \"code\"".to_owned()),
        ];
        for (from, to) in replaced {
            if !text.contains(from) {
                return Err(Failure::new(format!("gateway.toml no longer says {from}")));
            }
            text = text.replacen(from, &to, 1);
        }
        let file = folder.join("gateway.toml");
        fs::write(&file, text).map_err(Failure::of(file.display()))?;
        Ok(Installation { folder, admin })
    }

    /// Removes what was kept, and the key with it.
    fn forget(&self) -> Done {
        let code = self.folder.join("code");
        if code.exists() {
            fs::remove_dir_all(&code).map_err(Failure::of(code.display()))?;
        }
        Ok(())
    }

    /// Starts the gateway, waits until it is ready and ends it.
    fn start(&self) -> Done<Duration> {
        let mut command = Command::new(place::release("portcullis"));
        command
            .args(["run", "--config"])
            .arg(self.folder.join("gateway.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut children = Children::default();
        let began = Instant::now();
        children.start(NAME, &mut command)?;
        while !probe::status(self.admin, "/readyz").is_ok_and(|status| status == 200) {
            children.all_run()?;
            if began.elapsed() > READY_WITHIN {
                return Err(Failure::new(format!("{NAME} is not ready")));
            }
            thread::sleep(POLL);
        }
        let took = began.elapsed();
        children.end()?;
        Ok(took)
    }
}

/// An address that nobody listens at now.
fn free() -> Done<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::of("a free port"))?;
    listener.local_addr().map_err(Failure::of("a free port"))
}
