//! The peer of a connection, and whether it is a trusted proxy.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use portcullis_config::plan::Admission;
use portcullis_exchange::ClientCertificate;

/// What is known of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    pub ip: IpAddr,
    pub trusted_proxies: &'a [IpNet],
    /// How the connection came: `http` or `https`.
    pub scheme: &'static str,
    pub certificate: Option<&'a Arc<ClientCertificate>>,
    pub admission: &'a Admission,
}

impl Peer<'_> {
    pub fn is_trusted(self) -> bool {
        trusts(self.trusted_proxies, self.ip)
    }
}

pub(crate) fn trusts(proxies: &[IpNet], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    proxies.iter().any(|net| net.contains(&ip))
}
