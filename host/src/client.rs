//! `reload`, and what it has in common with `top`: asking the admin listener of the running gateway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as Group;
use http::{HeaderValue, Method};
use portcullis_admin::{AskError, Client, Page};
use portcullis_config::plan::{AdminRole, Plan};
use portcullis_proxy::tls::{Authorities, Identity, TlsParts, Unusable};
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

const TOKEN: &str = "PORTCULLIS_ADMIN_TOKEN";

// === impl AdminOptions ===

impl AdminOptions {
    pub(crate) fn client(&self) -> Result<Client, Failure> {
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
        let tls = if tls { Some(self.tls()?) } else { None };
        let client = Client::new(address, tls).map_err(Failure::Trouble)?;
        let Some(token) = token else {
            return Ok(client);
        };
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let bearer = bearer
            .map_err(|_| Failure::Mistake(format!("error: {TOKEN} cannot stand in a header")))?;
        Ok(client.authorized(bearer))
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

/// The strongest of the file: a user who can read the file can do everything anyway.
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

/// One request and its whole answer.
pub(crate) async fn ask(client: &Client, method: Method, path: &str) -> Result<Page, Failure> {
    client.ask(method, path).await.map_err(|error| match error {
        AskError::Unreachable(error) => Failure::Trouble(format!(
            "no gateway answers on {client} (listen.admin): {error}"
        )),
        AskError::Refused(detail) => Failure::Mistake(detail),
        AskError::NotAllowed(detail) => Failure::Mistake(format!(
            "error: {client}{path}: {detail}\n hint: put a token of [admin] that may do it into {TOKEN}"
        )),
        AskError::Failed(status, detail) => {
            Failure::Trouble(format!("{client}{path} answers {status}: {detail}"))
        }
    })
}

/// `portcullis reload`
pub(crate) fn reload(options: &AdminOptions) -> Result<(), Failure> {
    let client = options.client()?;
    let tokio = tokio::runtime::Runtime::new().map_err(Failure::trouble)?;
    let page = tokio.block_on(ask(&client, Method::POST, "/reload"))?;
    println!("{}", page.member("done"));
    Ok(())
}
