//! What a component asks for, against what it is granted. A refusal names the WIT item.

use wasmtime::component::Component;
use wasmtime::component::types::{ComponentExtern, ComponentItem};

use crate::error::LoadError;
use crate::guest::wasi::interfaces;
use crate::life::runtime::Runtime;
use crate::spec::{Grants, Spec};

/// One import of a component, whatever is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its WIT name.
    pub name: String,
    /// What to write into `grants`; nothing where every plugin is given it.
    pub needs: Vec<&'static str>,
    /// No plugin is given this.
    pub refused: bool,
}

const PACKAGE: &str = "portcullis:plugin/";
const VERSION: &str = "0.1";

/// The names of all imports, once each is granted.
pub(crate) fn granted(
    component: &Component,
    runtime: &Runtime,
    spec: &Spec,
) -> Result<Vec<String>, LoadError> {
    let ty = component.component_type();
    let mut imports = Vec::new();
    let mut unknown = Vec::new();
    let mut missing: Vec<(String, &str)> = Vec::new();
    for (name, item) in ty.imports(runtime.engine.wasm()) {
        match needed(name) {
            Need::Unknown => unknown.push(name.to_owned()),
            Need::Nothing => {}
            Need::Grants(needs) => {
                let functions = functions(&item.ty, runtime);
                let asked = needs.iter().filter(|need| !(need.given)(&spec.grants));
                for need in asked {
                    let used = functions.iter().find(|f| need.covers(f));
                    missing.extend(used.map(|f| (format!("{name} ({f})"), need.remedy)));
                }
            }
        }
        imports.push(name.to_owned());
    }
    if !unknown.is_empty() {
        return Err(LoadError::Ungranted(unknown.join(", ")));
    }
    if missing.is_empty() {
        return Ok(imports);
    }
    let (names, remedies): (Vec<String>, Vec<&str>) = missing.into_iter().unzip();
    Err(LoadError::NotGranted {
        imports: names.join(", "),
        remedy: remedies.join(", "),
    })
}

/// All imports.
pub(crate) fn all(component: &Component, runtime: &Runtime) -> Vec<Import> {
    let ty = component.component_type();
    let import = |(name, item): (&str, ComponentExtern<'_>)| {
        let (needs, refused) = match needed(name) {
            Need::Unknown => (Vec::new(), true),
            Need::Nothing => (Vec::new(), false),
            Need::Grants(needs) => {
                let functions = functions(&item.ty, runtime);
                let asked = needs
                    .iter()
                    .filter(|need| functions.iter().any(|f| need.covers(f)));
                (asked.map(|need| need.remedy).collect(), false)
            }
        };
        Import {
            name: name.to_owned(),
            needs,
            refused,
        }
    };
    ty.imports(runtime.engine.wasm()).map(import).collect()
}

enum Need {
    /// No plugin is given this.
    Unknown,
    /// Every plugin is given this.
    Nothing,
    Grants(&'static [Needed]),
}

/// A grant that functions of an interface need.
struct Needed {
    /// Empty: all of them.
    only: &'static [&'static str],
    except: &'static [&'static str],
    given: fn(&Grants) -> bool,
    remedy: &'static str,
}

impl Needed {
    fn covers(&self, function: &str) -> bool {
        (self.only.is_empty() || self.only.contains(&function)) && !self.except.contains(&function)
    }
}

const UPSTREAM: &[Needed] = &[Needed {
    only: &[],
    except: &[],
    given: |g| g.imports.upstreams || !g.upstreams.is_empty(),
    remedy: "upstreams = [\"…\"]",
}];
const CLOCK: &[Needed] = &[Needed {
    only: &["now-ms"],
    except: &[],
    given: |g| g.clock,
    remedy: "clock = true",
}];
const CRYPTO: &[Needed] = &[Needed {
    only: &[],
    except: &[],
    given: |g| g.crypto,
    remedy: "crypto = true",
}];
const STATE: &[Needed] = &[
    Needed {
        only: &["take-tokens"],
        except: &[],
        given: |g| g.imports.buckets || !g.buckets.is_empty(),
        remedy: "buckets = { … = \"5/1m\" }",
    },
    Needed {
        only: &[],
        except: &["take-tokens"],
        given: |g| g.imports.stores || !g.stores.is_empty(),
        remedy: "state = [\"…\"]",
    },
];
const RANDOM: &[Needed] = &[Needed {
    only: &[],
    except: &[],
    given: |g| g.random,
    remedy: "random = true",
}];
const WASI_CLOCKS: &[Needed] = &[Needed {
    only: &[],
    except: &[],
    given: |g| g.clock,
    remedy: "clock = true",
}];

fn needed(name: &str) -> Need {
    match interface(name) {
        Some(("upstream", true)) => return Need::Grants(UPSTREAM),
        Some(("clock", true)) => return Need::Grants(CLOCK),
        Some(("crypto", true)) => return Need::Grants(CRYPTO),
        Some(("state", true)) => return Need::Grants(STATE),
        Some((_, true)) => return Need::Nothing,
        _ => {}
    }
    let (bare, version) = name.split_once('@').unwrap_or((name, ""));
    if !version.starts_with("0.2.") {
        return Need::Unknown;
    }
    match bare {
        "wasi:http/types" => Need::Nothing,
        "wasi:http/outgoing-handler" => Need::Grants(UPSTREAM),
        "wasi:random/random" | "wasi:random/insecure" => Need::Grants(RANDOM),
        "wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock" => Need::Grants(WASI_CLOCKS),
        _ if interfaces::GRANTED.contains(&bare) => Need::Nothing,
        _ => Need::Unknown,
    }
}

/// Splits "portcullis:plugin/filter@0.1.0" into ("filter", version fits).
pub(crate) fn interface(name: &str) -> Option<(&str, bool)> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    let fits = version
        .rsplit_once('.')
        .is_some_and(|(track, _)| track == VERSION);
    Some((interface, fits))
}

/// An interface imported for its types alone asks for nothing.
fn functions(item: &ComponentItem, runtime: &Runtime) -> Vec<String> {
    let ComponentItem::ComponentInstance(instance) = item else {
        return Vec::new();
    };
    instance
        .exports(runtime.engine.wasm())
        .filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_)))
        .map(|(name, _)| name.to_owned())
        .collect()
}
