//! What every outgoing connection shares.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

/// What every outgoing connection shares.
#[derive(Debug, Default)]
pub struct Outbound {
    /// PEM file of further CAs to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// The way out, where there is only one.
    pub proxy: Option<EgressProxy>,
}

/// A forward proxy that requests and engine sockets go through.
#[derive(Clone, Debug)]
pub struct EgressProxy {
    /// `http://host[:port]`, without path.
    pub url: Url,
    /// Who we are to it.
    pub login: Option<EgressLogin>,
    /// What is reached directly, besides this very machine.
    pub except: Vec<DirectHost>,
}

/// `Proxy-Authorization: Basic`.
#[derive(Clone, Debug)]
pub struct EgressLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// A host that is reached directly.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DirectHost {
    /// This host.
    Is(String),
    /// Every host below a domain, which begins with a dot.
    EndsWith(String),
}

impl EgressProxy {
    /// Whether the way to a URL leads through it.
    #[must_use]
    pub fn leads_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let direct = |except: &DirectHost| match except {
            DirectHost::Is(name) => name == host,
            DirectHost::EndsWith(domain) => host.ends_with(domain.as_str()),
        };
        !is_loopback(url) && !self.except.iter().any(direct)
    }
}

/// Whether a URL is of this very machine.
#[must_use]
pub(in crate::config) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_through_the_proxy_unless_it_is_excepted() {
        let proxy = EgressProxy {
            url: Url::parse("http://egress.example:3128").unwrap(),
            login: None,
            except: vec![
                DirectHost::Is("core".to_owned()),
                DirectHost::EndsWith(".svc".to_owned()),
            ],
        };
        for (url, through) in [
            ("https://tenant.eu.qlikcloud.com", true),
            ("https://core", false),
            ("https://core.example", true),
            ("https://engine.qlik.svc:9076", false),
            ("https://svc", true),
            ("http://127.0.0.1:9076", false),
            ("http://localhost:9076", false),
            ("http://[::1]:9076", false),
        ] {
            assert_eq!(proxy.leads_to(&Url::parse(url).unwrap()), through, "{url}");
        }
    }
}
