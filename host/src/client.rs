//! Asking the admin listener of the running gateway: what `reload` and `top` have in common.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as Group;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use portcullis_config::plan::{AdminRole, Plan, Protocol};
use portcullis_proxy::tls::{Authorities, Dial, DialParts, Identity, TlsParts, Unusable};
use portcullis_terminal::Failure;

use crate::config_file::{self, ConfigFile};

/// Where the admin listener is. Its token comes from `PORTCULLIS_ADMIN_TOKEN`: arguments are for everybody to see.
#[derive(Debug, Group)]
pub(crate) struct AdminOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// The admin listener: 127.0.0.1:9901, or https://gateway.internal:9901. Without it: that of the configuration
    /// file, with a token of it unless PORTCULLIS_ADMIN_TOKEN has one.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    admin: Option<String>,
    /// The authorities (PEM) that its certificate must be of, instead of the system's.
    #[arg(long, value_name = "FILE")]
    admin_ca: Option<PathBuf>,
    /// Our certificate (PEM), where it asks for one.
    #[arg(long, value_name = "FILE", requires = "admin_key")]
    admin_cert: Option<PathBuf>,
    /// The key of our certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "admin_cert")]
    admin_key: Option<PathBuf>,
}

/// Whom to ask, and how.
pub(crate) struct Line {
    /// `host:port`
    address: String,
    dial: Dial,
    authorization: Option<HeaderValue>,
}

/// What an operation answered.
pub(crate) struct Said(String);

const TOKEN: &str = "PORTCULLIS_ADMIN_TOKEN";

// === impl AdminOptions ===

impl AdminOptions {
    pub(crate) fn line(&self) -> Result<Line, Failure> {
        let mut token = std::env::var(TOKEN).ok();
        let (address, tls) = match &self.admin {
            Some(given) => address(given),
            None => {
                let plan = config_file::read(&self.file.find()?)?;
                token = token.or_else(|| token_of(&plan));
                let address = reachable(plan.listen.admin).to_string();
                (address, plan.admin.tls.is_some())
            }
        };
        let parts = DialParts {
            protocol: Protocol::Http1,
            tls: if tls { Some(self.tls()?) } else { None },
        };
        let bearer = |token: String| {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            value.map_err(|_| Failure::Mistake(format!("error: {TOKEN} cannot stand in a header")))
        };
        Ok(Line {
            address,
            dial: Dial::new(parts).map_err(Failure::Trouble)?,
            authorization: token.map(bearer).transpose()?,
        })
    }

    fn tls(&self) -> Result<TlsParts, Failure> {
        let bad = |unusable: Unusable| {
            Failure::Mistake(format!("error: {unusable}\n hint: {}", unusable.hint))
        };
        let authorities = match &self.admin_ca {
            Some(file) => Authorities::from_pem(&contents(file)?).map_err(bad)?,
            None => Authorities::of_the_system().map_err(bad)?,
        };
        let identity = match (&self.admin_cert, &self.admin_key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (contents(certificate)?, contents(key)?);
                Some(Identity::from_pem(&certificate, &key).map_err(bad)?)
            }
            _ => None,
        };
        Ok(TlsParts {
            authorities: Some(Arc::new(authorities)),
            identity: identity.map(Arc::new),
            server_name: None,
        })
    }
}

fn contents(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| {
        Failure::Mistake(format!("error: {} cannot be read: {error}", file.display()))
    })
}

/// The address and whether TLS is spoken there; a URL says so.
fn address(given: &str) -> (String, bool) {
    let (rest, tls) = match given.split_once("://") {
        Some((scheme, rest)) => (rest, scheme == "https"),
        None => (given, false),
    };
    (rest.trim_end_matches('/').to_owned(), tls)
}

/// Whoever may read the file may do everything.
fn token_of(plan: &Plan) -> Option<String> {
    let tokens = plan.admin.tokens.iter();
    let best = tokens.max_by_key(|token| token.role == AdminRole::Write)?;
    Some(best.token.expose().to_owned())
}

/// Every address of this machine is also loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

// === impl Line ===

impl Line {
    /// One request and its whole answer. A problem is the operator's to mend where the gateway says that it is.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Result<Said, Failure> {
        let at = &self.address;
        let (status, text) = self.exchange(method, path).await.map_err(|error| {
            Failure::Trouble(format!(
                "no gateway answers on {at} (listen.admin): {error}"
            ))
        })?;
        let said = Said(text);
        match status {
            status if status.is_success() => Ok(said),
            StatusCode::UNPROCESSABLE_ENTITY => Err(Failure::Mistake(said.member("detail"))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Mistake(format!(
                "error: {at}{path}: {}\n hint: put a token of [admin] that may do it into {TOKEN}",
                said.member("detail")
            ))),
            status => {
                let detail = said.member("detail");
                Err(Failure::Trouble(format!(
                    "{at}{path} answers {status}: {detail}"
                )))
            }
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
    ) -> Result<(StatusCode, String), Box<dyn std::error::Error>> {
        let io = TokioIo::new(self.dial.open(&self.address).await?);
        let (mut sender, driver) = hyper::client::conn::http1::handshake(io).await?;
        let driving = tokio::spawn(driver);
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::<bytes::Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        driving.abort();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address)
    }
}

impl Said {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A text of a JSON document; all of it where it is none.
    pub(crate) fn member(&self, name: &str) -> String {
        let document: Option<serde_json::Value> = serde_json::from_str(&self.0).ok();
        let member = document
            .as_ref()
            .and_then(|document| document[name].as_str());
        member.unwrap_or(self.0.trim_end()).to_owned()
    }
}

/// `portcullis reload`
pub(crate) fn reload(options: &AdminOptions) -> Result<(), Failure> {
    let admin = options.line()?;
    let tokio = tokio::runtime::Runtime::new().map_err(Failure::trouble)?;
    let said = tokio.block_on(admin.ask(Method::POST, "/reload"))?;
    println!("{}", said.member("done"));
    Ok(())
}
