//! The webhook that Alertmanager calls: hears of every alert that fires and of every one that is over.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde_json::Value;

use crate::reply;
use crate::server::Server;

const POLL: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Pager {
    server: Server,
    heard: Arc<Mutex<Vec<Alert>>>,
}

/// One alert as it came (Alertmanager, "Webhook": version 4 of the message).
#[derive(Debug, Clone)]
pub struct Alert {
    /// Else it is over.
    pub firing: bool,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl Pager {
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        Self::telling(address, |_| {}).await
    }

    /// Hands each alert to `tell` as well.
    pub async fn telling<T>(address: SocketAddr, tell: T) -> io::Result<Self>
    where
        T: Fn(&Alert) + Clone + Send + Sync + 'static,
    {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let shared = heard.clone();
        let server = Server::start(address, move |request| {
            let (heard, tell) = (shared.clone(), tell.clone());
            async move {
                let alerts = read(request).await;
                let status = match alerts {
                    Some(_) => StatusCode::OK,
                    None => StatusCode::BAD_REQUEST,
                };
                let alerts = alerts.unwrap_or_default();
                alerts.iter().for_each(tell);
                let mut all = heard.lock().expect("nothing panics under this lock");
                all.extend(alerts);
                reply::empty(status)
            }
        });
        let server = server.await?;
        Ok(Self { server, heard })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// All that came, in order.
    pub fn heard(&self) -> Vec<Alert> {
        let heard = self.heard.lock().expect("nothing panics under this lock");
        heard.clone()
    }

    /// Waits for an alert that is as wanted; None if it does not come.
    pub async fn hears(
        &self,
        patience: Duration,
        wanted: impl Fn(&Alert) -> bool,
    ) -> Option<Alert> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Some(alert) = self.heard().into_iter().find(&wanted) {
                return Some(alert);
            }
            tokio::time::sleep(POLL).await;
        }
        None
    }
}

async fn read(request: Request<Incoming>) -> Option<Vec<Alert>> {
    let body = request.into_body().collect().await.ok()?.to_bytes();
    let message: Value = serde_json::from_slice(&body).ok()?;
    message["alerts"]
        .as_array()?
        .iter()
        .map(Alert::read)
        .collect()
}

// === impl Alert ===

impl Alert {
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }

    fn read(alert: &Value) -> Option<Alert> {
        let texts = |name: &str| -> Option<BTreeMap<String, String>> {
            let pairs = alert[name].as_object()?.iter();
            pairs
                .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        Some(Alert {
            firing: alert["status"] == "firing",
            labels: texts("labels")?,
            annotations: texts("annotations")?,
        })
    }
}

/// As a person on call would like to read it.
impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| self.annotations.get(name).map_or("", String::as_str);
        if self.firing {
            writeln!(f, "FIRES {}: {}", self.name(), text("summary"))?;
            write!(f, "      {} ({})", text("description"), text("runbook_url"))
        } else {
            write!(f, "over  {}: {}", self.name(), text("summary"))
        }
    }
}
