//! Lists of networks: who may come in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use portcullis_config::plan;

use crate::ground::refusal::{Reason, Refusal};

/// Networks in order, none within another: looking an address up costs the same for one network and for thousands.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

#[derive(Debug)]
pub(crate) struct Access {
    /// None: everybody.
    allow: Option<Networks>,
    deny: Networks,
}

impl Networks {
    pub(crate) fn new(nets: &[IpNet]) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in nets {
            match net {
                IpNet::V4(net) => v4.push(*net),
                IpNet::V6(net) => v6.push(*net),
            }
        }
        let (mut v4, mut v6) = (Ipv4Net::aggregate(&v4), Ipv6Net::aggregate(&v6));
        v4.sort_unstable_by_key(Ipv4Net::network);
        v6.sort_unstable_by_key(Ipv6Net::network);
        Networks { v4, v6 }
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.contains_v4(ip),
            IpAddr::V6(ip) => self.contains_v6(ip),
        }
    }

    fn contains_v4(&self, ip: Ipv4Addr) -> bool {
        let after = self.v4.partition_point(|net| net.network() <= ip);
        self.v4[..after].last().is_some_and(|net| net.contains(&ip))
    }

    fn contains_v6(&self, ip: Ipv6Addr) -> bool {
        let after = self.v6.partition_point(|net| net.network() <= ip);
        self.v6[..after].last().is_some_and(|net| net.contains(&ip))
    }
}

impl Access {
    pub(crate) fn new(plan: &plan::Access) -> Access {
        Access {
            allow: (!plan.allow.is_empty()).then(|| Networks::new(&plan.allow)),
            deny: Networks::new(&plan.deny),
        }
    }

    /// `ip` is the client's as far as it is known, trusted proxies believed.
    pub(crate) fn check(&self, ip: Option<IpAddr>) -> Result<(), Refusal> {
        let allowed = |ip| self.allow.as_ref().is_none_or(|allow| allow.contains(ip));
        let passes = match ip {
            Some(ip) => allowed(ip) && !self.deny.contains(ip),
            // Somebody unknown may be the one who is denied.
            None => self.allow.is_none() && self.deny.is_empty(),
        };
        if passes {
            Ok(())
        } else {
            Err(Refusal::new(Reason::AddressDenied))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_network_that_holds_it_and_in_no_other() {
        let nets = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "192.168.1.7/32",
            "0.0.0.0/32",
            "255.255.255.255/32",
            "2001:db8::/32",
            "::1/128",
        ];
        let nets: Vec<IpNet> = nets.iter().map(|net| net.parse().unwrap()).collect();
        let networks = Networks::new(&nets);
        let table = [
            ("10.0.0.0", true),
            ("10.1.2.3", true),
            ("10.255.255.255", true),
            ("9.255.255.255", false),
            ("11.0.0.0", false),
            ("192.168.1.7", true),
            ("192.168.1.6", false),
            ("192.168.1.8", false),
            ("0.0.0.0", true),
            ("0.0.0.1", false),
            ("255.255.255.255", true),
            ("255.255.255.254", false),
            ("::ffff:10.9.9.9", true),
            ("::ffff:9.9.9.9", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
            ("::1", true),
            ("::2", false),
        ];
        for (ip, want) in table {
            assert_eq!(networks.contains(ip.parse().unwrap()), want, "{ip}");
        }
        assert!(!Networks::new(&[]).contains("10.0.0.1".parse().unwrap()));
    }
}
