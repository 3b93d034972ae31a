//! `explain`: which route a request takes and why, and what each step decides and costs.

mod report;
mod request;
mod text;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args as Group;
use http::{HeaderMap, Method};
use portcullis_config::plan::{Plan, Secret};
use portcullis_exchange::Target;
use portcullis_proxy::explain::{
    Answer, DEBUG, Destination, TRAIL, Trail, Verification, ask, rehearse,
};
use portcullis_proxy::{Archive, Generation, Metrics, Wanted, sign};
use portcullis_terminal::Failure;

use self::report::Report;
use self::request::Asked;
use crate::config_file::{self, ConfigFile};
use crate::load::Loader;

#[derive(Debug, Group)]
pub(crate) struct ExplainOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// The method: GET, POST, …
    method: Method,
    /// What a client would ask for: http, https, ws or wss.
    url: http::Uri,
    /// A request header, as often as there are some.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The request body.
    #[arg(long, short = 'd', value_name = "TEXT")]
    data: Option<String>,
    /// Where the client is.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    client_ip: IpAddr,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Send the request to the gateway at the URL, signed with the [debug] key, instead of rehearsing it here.
    #[arg(long, conflicts_with = "client_ip")]
    live: bool,
    /// Do not send anything: write the signed header, for another client to send.
    #[arg(long, conflicts_with_all = ["live", "header", "data", "client_ip", "json"])]
    sign: bool,
    /// With --sign: how many seconds it lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "sign",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    lasts: u64,
    /// With --live: believe any certificate, such as one for development.
    #[arg(long, requires = "live")]
    insecure: bool,
}

/// Instances that a rehearsal needs: a chain of filters holds one each.
const INSTANCES: u32 = 64;
/// How long the signature of a request lasts that is sent at once.
const AT_ONCE: Duration = Duration::from_secs(60);

pub(crate) fn explain(options: &ExplainOptions) -> Result<(), Failure> {
    let path = options.file.find()?;
    let plan = config_file::read(&path)?;
    let asked = Asked::of(options)?;
    if options.sign {
        let lasts = Duration::from_secs(options.lasts);
        println!("{DEBUG}: {}", signature(&plan, &asked, lasts)?);
        return Ok(());
    }
    let tokio = tokio::runtime::Runtime::new().map_err(Failure::trouble)?;
    let report = if options.live {
        tokio.block_on(live(&plan, asked, options.insecure))
    } else {
        tokio.block_on(rehearsed(plan, asked, options.client_ip))
    }?;
    if options.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).map_err(Failure::trouble)?
        );
    } else {
        print!("{}", text::of(&report));
    }
    Ok(())
}

fn signature(plan: &Plan, asked: &Asked, lasts: Duration) -> Result<String, Failure> {
    let key: &Secret = plan.debug_key.as_ref().ok_or_else(|| {
        Failure::Mistake(
            "error: gateway.toml has no [debug] key to sign with\n hint: [debug]\n       key = { env = \"DEBUG_KEY\" }"
                .to_owned(),
        )
    })?;
    Ok(sign(key, &asked.method, asked.target.path(), lasts))
}

/// Here, without asking anybody.
async fn rehearsed(plan: Arc<Plan>, asked: Asked, client: IpAddr) -> Result<Report, Failure> {
    let mut loader = Loader::new(&plan, INSTANCES)?;
    let metrics = Metrics::new();
    let loaded = loader.load(plan.clone(), &metrics, None).await;
    let generation = loaded.map_err(Failure::mistake)?.generation;
    settle(&generation, &asked).await;
    let upstreams = generation.upstreams.clone();
    let archive = Archive {
        metrics,
        log: None,
        tracer: None,
        tail: Arc::default(),
    };
    let (peer, https) = (SocketAddr::new(client, 0), asked.https);
    let request = asked.request(None);
    let answer = rehearse(generation, archive, (peer, https), request).await;
    let answer = answer.map_err(Failure::Trouble)?;
    let trail = Trail::told(&answer.headers)
        .ok_or_else(|| Failure::Trouble("the rehearsal left no trail".to_owned()))?;
    Ok(Report::new(&plan, &asked, &answer, trail.rehearsed()).with_servers(&plan, &upstreams))
}

/// Copies of configured plugins are what a gateway serves with after its first second: what they cost is of interest.
async fn settle(generation: &Generation, asked: &Asked) {
    let rules = generation.plan.listen.admission.paths;
    let Ok(target) = Target::parse_by(asked.target.as_str(), rules) else {
        return;
    };
    let headers: &HeaderMap = &asked.headers;
    let wanted = Wanted {
        host: &asked.host(),
        target: &target,
        method: &asked.method,
        headers,
    };
    if let Ok(found) = generation.router.find(wanted) {
        for post in generation.routes[found.route].chain.posts() {
            post.plugin().settled().await;
        }
    }
}

/// By the running gateway.
async fn live(plan: &Plan, asked: Asked, insecure: bool) -> Result<Report, Failure> {
    let signed = signature(plan, &asked, AT_ONCE)?;
    let verification = if insecure {
        Verification::Nobody
    } else {
        Verification::System
    };
    let to = Destination {
        address: asked.address(),
        tls: asked.https.then_some(verification),
    };
    let answer: Answer = ask(&to, asked.request(Some((DEBUG, &signed))))
        .await
        .map_err(Failure::Trouble)?;
    let trail = Trail::told(&answer.headers).ok_or_else(|| {
        Failure::Trouble(format!(
            "{} answered {} and told no trail. Has the running gateway this [debug] key, is its clock right, and does \
             nothing before it take the headers {DEBUG} and {TRAIL} away?",
            to.address, answer.status
        ))
    })?;
    Ok(Report::new(plan, &asked, &answer, trail))
}
