//! What happens to a request. Open `pipeline/exchange.rs` first.
//!
//! The folders are floors. Each imports only from those named before it, which tests/tests/floors.rs holds:
//!
//! ```text
//! ground → wire → observe → upstreams → stages → pipeline → serve
//! ```
//!
//! This crate must not know files (but for those of the cache's disk tier), signals or command lines.

mod ground;
mod observe;
mod pipeline;
mod serve;
mod stages;
mod upstreams;
mod wire;

pub use ground::refusal::{Reason, Refusal};
pub use observe::exchanges::RouteMetrics;
pub use observe::log::{AccessLog, Look, Writer};
pub use observe::tail::{Looker, Refused, Tail};
pub use observe::trace::{Exporter, LONGEST as LONGEST_SIGNATURE, Tracer, sign};
pub use pipeline::audit;
pub use pipeline::gate::{Archive, Gate, Retired};
pub use pipeline::generation::{Generation, Security};
pub use pipeline::metrics::{Family, Kind, Live, LogMetrics, Metrics, RouteFigures, TraceMetrics};
pub use pipeline::route::Route;
pub use pipeline::worker::Worker;
pub use serve::explain;
pub use serve::scrape::scrape;
pub use serve::server::Workers;
pub use stages::cache::{
    Cache, DiskStatistics, FolderError, Purge, PurgeError, RouteStatistics, RouteStore, Statistics,
    private_folder,
};
pub use stages::chain::Chain;
pub use stages::given::spec;
pub use stages::limits::{counts_in_memory, store as counts};
pub use stages::router::{Fit, Found, NotFound, Router, Wanted};
pub use upstreams::servers::{Server, ServerView, Upstream, UpstreamMetrics, Upstreams, Verdict};
pub use upstreams::shield::Shield;
pub use wire::link::{Link, Speaks};
pub use wire::protocol::Protocol;
pub use wire::tls;
