//! What happens to a request. Open `exchange.rs` first.
//!
//! This floor owns connections, routing, forwarding and everything told about it. It must not know files (but for
//! those of the cache's disk tier), signals or command lines.

mod admit;
pub mod audit;
mod body;
mod cache;
mod clock;
mod connection;
mod deadline;
mod edge;
mod events;
mod exchange;
pub mod explain;
mod filters;
mod forward;
mod forwarded;
mod gate;
mod generation;
mod given;
mod grpc;
mod guard;
mod h2wire;
mod journal;
mod limits;
mod log;
mod metrics;
mod multiplexed;
mod outbound;
mod permit;
mod readable;
mod refusal;
mod router;
mod server;
mod shield;
mod sift;
mod tail;
pub mod tls;
mod trace;
mod trailers;
mod tunnel;
mod upstream;

pub use cache::{
    Cache, DiskStatistics, FolderError, Purge, PurgeError, RouteStatistics, RouteStore, Statistics,
    private_folder,
};
pub use gate::{Gate, Retired, Worker};
pub use generation::{Chain, Generation, Route, Security};
pub use given::spec;
pub use journal::Archive;
pub use limits::{counts_in_memory, store as counts};
pub use log::{AccessLog, Look, Writer};
pub use metrics::{
    Family, Kind, Live, LogMetrics, Metrics, RouteFigures, RouteMetrics, UpstreamMetrics,
};
pub use refusal::{Reason, Refusal};
pub use router::{Fit, Found, NotFound, Router, Wanted};
pub use server::{Protocol, Workers};
pub use shield::Shield;
pub use tail::{Looker, Refused, Tail};
pub use trace::{Exporter, LONGEST as LONGEST_SIGNATURE, Tracer, sign};
pub use upstream::{Server, ServerView, Upstream, Verdict};
