//! From text to plan: syntax, then every table, then what binds them together.

mod admin;
mod admission;
mod answer;
mod balance;
mod cache;
mod conflict;
mod cors;
mod edge;
mod general;
mod given;
mod limit;
mod log;
mod matching;
mod plugin;
mod resilience;
mod route;
mod syntax;
mod tls;
mod trace;
mod upstream;
mod websocket;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Report, Source, Span};
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::{Fault, Mistakes};
use crate::plan::{LimitPlan, Plan, Timeouts};
use crate::settings::Secrets;
use crate::shapes::type_name;
use crate::spelling;

/// What the readers of single tables need of the whole file.
struct File<'a> {
    source: &'a Source,
    root: Fields<'a>,
    secrets: Secrets<'a>,
    /// The names of all `[plugin.NAME]`, also of those with mistakes.
    plugins: BTreeSet<&'a str>,
    upstreams: BTreeSet<&'a str>,
    /// The names of all `[limit.NAME]`, and those without mistakes.
    limit_names: BTreeSet<&'a str>,
    limits: BTreeMap<Arc<str>, Arc<LimitPlan>>,
    timeouts: Timeouts,
    /// `listen.redirect_https`
    redirect_https: bool,
    /// `plugins.instances`
    instances: u32,
}

/// Reads gateway.toml. Paths in it are relative to its directory; secrets come from the environment of the
/// process and from files.
///
/// # Errors
///
/// Every mistake of the file, or the one reason why it cannot be read.
pub fn read(path: &Path) -> Result<Plan, Report> {
    let name = path.display().to_string();
    let alone = |message: String, hint: &str| {
        let diagnostic = Diagnostic::new(Span::default(), message).with_hint(hint);
        Report::new(Arc::new(Source::new(name.as_str(), "")), vec![diagnostic])
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let hint = "give the path of a gateway.toml that this process may read";
        alone(format!("the file cannot be read: {error}"), hint)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = line.filter(|byte| **byte == b'\n').count() + 1;
        alone(
            format!("line {line} is not UTF-8 text"),
            "save the file as UTF-8",
        )
    })?;
    let dir = path.parent().unwrap_or(Path::new(""));
    parse(&name, &text, dir, &|variable| std::env::var(variable).ok())
}

/// Reads the text of a gateway.toml. `name` is what people know the text by, `dir` what paths in it are
/// relative to, `env` the environment that secrets come from.
///
/// # Errors
///
/// Every mistake of the text.
pub fn parse(
    name: &str,
    text: &str,
    dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, Report> {
    let source = Arc::new(Source::new(name, text));
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let diagnostics = syntax::diagnose(&source, &errors);
        return Err(Report::new(source, diagnostics));
    }
    let mistakes = Mistakes::default();
    let plan = plan(&source, root.get_ref(), dir, env, &mistakes);
    match plan {
        Some(plan) if mistakes.is_empty() => Ok(plan),
        _ => Err(Report::new(source, mistakes.into_vec())),
    }
}

/// The plan of `run --to`: every request to one server, no plugins, nobody asked who they are.
///
/// `upstream` is `http://host:port`; the port may be left out.
///
/// # Errors
///
/// What is wrong with `upstream`, or with the address to listen on.
pub fn to_single(upstream: &str, listen: SocketAddr) -> Result<Plan, Report> {
    let server = upstream::from_url(upstream).map_err(|Fault { message, hint }| {
        let span = Span::from(0..upstream.len());
        let source = Arc::new(Source::new("--to", upstream));
        Report::new(
            source,
            vec![Diagnostic {
                span,
                message,
                hint,
            }],
        )
    })?;
    // As text, so that there is one way to a plan and people can be shown what they run.
    let text = format!(
        "[listen]\nhttp = \"{listen}\"\n\n[upstream.to]\nservers = [\"{server}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"to\"\n"
    );
    parse("--to", &text, Path::new(""), &|_| None)
}

/// None only with a mistake noted.
fn plan<'a>(
    source: &'a Arc<Source>,
    root: &'a DeTable<'a>,
    dir: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    mistakes: &'a Mistakes,
) -> Option<Plan> {
    let root = Fields::new(&keys::FILE, Span::default(), root, mistakes);
    let times = root.fields("timeouts", &keys::TIMEOUTS);
    let timeouts = general::timeouts(&times);
    let deadline_header = resilience::deadline_header(&times);
    let overload = resilience::overload(&root.fields("overload", &keys::OVERLOAD));
    let listening = root.fields("listen", &keys::LISTEN);
    let listen = general::listen(&listening);
    let pool = general::plugins(&root.fields("plugins", &keys::PLUGINS), dir);
    let cache = cache::store(&root.fields("cache", &keys::CACHE), dir, &pool);
    let mut file = File {
        instances: pool.instances,
        source,
        plugins: names(&root, "plugin"),
        upstreams: names(&root, "upstream"),
        limit_names: names(&root, "limit"),
        limits: BTreeMap::new(),
        secrets: Secrets { dir, env, mistakes },
        timeouts,
        redirect_https: listening.flag("redirect_https"),
        root,
    };
    file.limits = file.named("limit", &keys::LIMIT, limit::shared);
    let admin = admin::read(&file, &listening, listen.admin);
    let tls = tls::read(&file, &listening);
    let discovery = balance::discovery(&file.root.fields("discovery", &keys::DISCOVERY), env);
    let log = log::read(&file.root, dir);
    let traces = trace::traces(&file);
    let debug_key = trace::debug_key(&file);
    let plugin = file.named("plugin", &keys::PLUGIN, plugin::read);
    let upstream = file.named("upstream", &keys::UPSTREAM, upstream::read);
    let access = edge::access(&file.root.fields("access", &keys::ACCESS));
    let routes = route::read_all(&file, &plugin, &upstream, &listen);
    Some(Plan {
        source: Arc::clone(source),
        listen,
        admin,
        tls,
        timeouts,
        discovery,
        log,
        traces,
        debug_key,
        plugins: pool,
        cache,
        overload,
        deadline_header,
        access,
        plugin,
        upstream,
        routes: routes?,
    })
}

/// The names in a table of tables.
fn names<'a>(root: &Fields<'a>, key: &str) -> BTreeSet<&'a str> {
    let table = root.item(key).and_then(|item| item.get_ref().as_table());
    table
        .into_iter()
        .flat_map(|table| table.keys().map(|key| key.get_ref().as_ref()))
        .collect()
}

impl<'a> File<'a> {
    fn mistakes(&self) -> &'a Mistakes {
        self.root.mistakes()
    }

    /// Reads `[key.NAME]` for every name; those with mistakes are noted and left out.
    fn named<T>(
        &self,
        key: &str,
        section: &'static keys::Section,
        read: impl Fn(&Self, Arc<str>, Span, &Fields<'a>) -> Option<T>,
    ) -> BTreeMap<Arc<str>, T> {
        let mut all = BTreeMap::new();
        let Some((_, table)) = self.root.table(key) else {
            return all;
        };
        for (name, item) in table {
            let span = name.span().into();
            self.mistakes()
                .note(span, spelling::check_name(name.get_ref()));
            let DeValue::Table(table) = item.get_ref() else {
                let found = type_name(item.get_ref());
                let fault = Fault::new(format!(
                    "`{key}.{}` must be a table, not {found}",
                    name.get_ref()
                ));
                let hint = format!("write [{key}.NAME] above the keys of one {key}");
                self.mistakes().fault(span, fault.with_hint(hint));
                continue;
            };
            let fields = Fields::new(section, span, table, self.mistakes());
            let name: Arc<str> = Arc::from(name.get_ref().as_ref());
            if let Some(value) = read(self, Arc::clone(&name), span, &fields) {
                all.insert(name, value);
            }
        }
        all
    }
}
