//! `cargo bench -p portcullis-proxy --bench router`: finding a route among 10, 1,000 and 10,000, beside matchit on the
//! same paths. matchit only finds the path; ours also checks host, method and conditions and decodes parameters.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use http::{HeaderMap, Method};
use portcullis_exchange::Target;
use portcullis_proxy::{Router, Wanted};

const LOOKUPS: u32 = 200_000;
const ROUNDS: usize = 9;

fn main() {
    println!("| routes | ours ns | matchit ns | ratio |\n|---|---|---|---|");
    for routes in [10, 1_000, 10_000] {
        let ours = Ours::new(routes);
        let theirs = theirs(routes);
        let targets: Vec<Target> = (0..64)
            .map(|i| Target::parse(&target(i * routes / 64)).expect("a path"))
            .collect();
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|_| {
                let a = time(&targets, |target| ours.finds(target));
                let b = time(&targets, |target| theirs.at(target.path()).is_ok());
                (a, b)
            })
            .collect();
        rounds.sort_by(|x, y| (x.0 / x.1).total_cmp(&(y.0 / y.1)));
        let (a, b) = rounds[ROUNDS / 2];
        println!("| {routes} | {a:.0} | {b:.0} | {:.2} |", a / b);
    }
}

struct Ours {
    router: Router,
    headers: HeaderMap,
}

impl Ours {
    fn new(routes: usize) -> Ours {
        let mut toml = String::from("[upstream.u]\nservers = [\"127.0.0.1:1\"]\n");
        for i in 0..routes {
            toml.push_str(&format!(
                "[[route]]\nname = \"r{i}\"\npath = \"{}\"\nmethods = [\"GET\"]\npublic = true\nupstream = \"u\"\n",
                pattern(i)
            ));
        }
        let plan =
            portcullis_config::parse("bench", &toml, Path::new("."), &|_| None).expect("a plan");
        Ours {
            router: Router::new(&plan.routes),
            headers: HeaderMap::new(),
        }
    }

    fn finds(&self, target: &Target) -> bool {
        let wanted = Wanted {
            host: "a.test",
            target,
            method: &Method::GET,
            headers: &self.headers,
        };
        self.router.find(wanted).is_ok()
    }
}

fn theirs(routes: usize) -> matchit::Router<usize> {
    let mut router = matchit::Router::new();
    for i in 0..routes {
        router.insert(pattern(i), i).expect("no conflict");
    }
    router
}

fn pattern(i: usize) -> String {
    format!("/api/v{}/service{i}/{{id}}/items", i % 3)
}

fn target(i: usize) -> String {
    format!("/api/v{}/service{i}/4711/items", i % 3)
}

/// Nanoseconds per look-up.
fn time(targets: &[Target], finds: impl Fn(&Target) -> bool) -> f64 {
    let began = Instant::now();
    for i in 0..LOOKUPS {
        assert!(finds(black_box(&targets[i as usize % targets.len()])));
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKUPS)
}
