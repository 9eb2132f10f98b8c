//! Calls to other services: the address is resolved once, checked and pinned; no redirect is followed, no proxy used, and
//! neither time nor answer is unbounded. What comes back never enters a log.
use crate::{config::Network, held};
use reqwest::{
    Client, Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The longest that a call takes, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MOST: usize = 64 * 1024;

/// Where a call may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the operator of the host named the address.
    Anywhere,
    /// Somebody typed the address into a form: public addresses over TLS only, and the private networks that the operator
    /// allows. Without TLS loopback alone, where it is allowed.
    Typed(Vec<Network>),
}

impl Reach {
    fn permits(&self, scheme: &str, found: &[SocketAddr]) -> Result<(), Failure> {
        let Self::Typed(allowed) = self else { return Ok(()) };
        let is_allowed = |address: IpAddr| allowed.iter().any(|network| network.contains(address));
        if scheme != "https" && !found.iter().all(|at| at.ip().is_loopback() && is_allowed(at.ip())) {
            return Err(Failure::NotSecure);
        }
        let fits = |at: &SocketAddr| is_public(at.ip()) || is_allowed(at.ip());
        if found.iter().all(fits) { Ok(()) } else { Err(Failure::Private) }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Failure {
    #[error("the address is no http or https URL")]
    NoUrl,
    #[error("only https is called")]
    NotSecure,
    #[error("the name of the host was not found")]
    Unresolved,
    #[error("the host's address is private, and calls to private addresses are not allowed")]
    Private,
    #[error("no answer came in time")]
    Silent,
    #[error("no connection")]
    Unconnected,
    #[error("the connection broke before the answer")]
    Broken,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends a body and reads the answer.
pub async fn post(
    reach: &Reach,
    url: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<Answer, Failure> {
    send(reach, Method::POST, url, headers, body, (MOST, PATIENCE)).await
}

/// Calls by any method and reads an answer of at most so many bytes within a time.
pub async fn send(
    reach: &Reach,
    method: Method,
    url: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
    (most, patience): (usize, Duration),
) -> Result<Answer, Failure> {
    held::nothing_is_held("another service");
    let url = Url::parse(url).map_err(|_| Failure::NoUrl)?;
    let host = url.host_str().ok_or(Failure::NoUrl)?.trim_matches(['[', ']']).to_owned();
    match url.scheme() {
        "https" => {}
        "http" => {}
        _ => return Err(Failure::NoUrl),
    }
    let port = url.port_or_known_default().ok_or(Failure::NoUrl)?;
    let found = resolve(&host, port).await?;
    reach.permits(url.scheme(), &found)?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).map_err(|_| Failure::Broken)?);
    }
    let client = Client::builder()
        .tls_backend_preconfigured(trust().ok_or(Failure::Unconnected)?)
        .redirect(Policy::none())
        .no_proxy()
        .timeout(patience)
        .resolve_to_addrs(&host, &found)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| Failure::Broken)?;
    let mut response = client.request(method, url).headers(map).body(body).send().await.map_err(of)?;
    let mut read = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(of)? {
        if read.len() + chunk.len() > most {
            return Err(Failure::Broken);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status().as_u16(), body: read })
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(|_| Failure::Unresolved)?.collect();
    if found.is_empty() { Err(Failure::Unresolved) } else { Ok(found) }
}

/// May a host that somebody typed be connected to, by whatever means? Each address that it has must be public, or in a network that
/// the operator allows. What then connects resolves the name once more: over TLS the certificate tells whether it is the same host.
pub async fn may_connect(reach: &Reach, host: &str, port: u16) -> Result<(), Failure> {
    let Reach::Typed(_) = reach else { return Ok(()) };
    reach.permits("https", &resolve(host, port).await?)
}

/// How certificates are verified: by the system's roots, which are read once.
fn trust() -> Option<ClientConfig> {
    static TRUST: OnceLock<Option<ClientConfig>> = OnceLock::new();
    let read = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        Some(versions.with_platform_verifier().ok()?.with_no_client_auth())
    };
    TRUST.get_or_init(read).clone()
}

fn of(error: reqwest::Error) -> Failure {
    // Nothing was sent where no connection came about.
    match (error.is_connect(), error.is_timeout()) {
        (true, _) => Failure::Unconnected,
        (_, true) => Failure::Silent,
        _ => Failure::Broken,
    }
}

/// Is an address one of the public internet? (RFC 6890 and the ranges of clouds' metadata services.)
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && ip.octets()[2] == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => is_public(IpAddr::V4(mapped)),
            // `::a.b.c.d` (RFC 4291, 2.5.5.1) names an address of version 4 as well.
            None if ip.segments()[..6] == [0; 6] => {
                ip.to_ipv4().is_some_and(|ip| is_public(IpAddr::V4(ip))) && !ip.is_loopback()
            }
            None => {
                let [first, second, ..] = ip.segments();
                !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || (first & 0xfe00) == 0xfc00
                    || (first & 0xffc0) == 0xfe80
                    // Site-local: deprecated, and private all the same (RFC 3879).
                    || (first & 0xffc0) == 0xfec0
                    || (first == 0x2001 && second == 0xdb8)
                    || (first == 0x64 && second == 0xff9b)
                    || first == 0x2002)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_ranges_are_known() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "224.0.0.1",
            "::1",
            "::",
            "::10.1.2.3",
            "::169.254.169.254",
            "fec0::1",
            "feff::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "ff02::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "100.128.0.1", "172.32.0.1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_reached() {
        let at = |address: &str| vec![SocketAddr::new(address.parse().unwrap(), 443)];
        let reach = Reach::Typed(vec!["10.1.0.0/16".parse().unwrap(), "127.0.0.1/32".parse().unwrap()]);
        assert_eq!(reach.permits("https", &at("10.1.2.3")), Ok(()));
        assert_eq!(reach.permits("https", &at("10.2.2.3")), Err(Failure::Private));
        assert_eq!(reach.permits("http", &at("10.1.2.3")), Err(Failure::NotSecure), "beyond this host over TLS only");
        assert_eq!(reach.permits("http", &at("127.0.0.1")), Ok(()));
        assert_eq!(reach.permits("http", &at("127.0.0.2")), Err(Failure::NotSecure));
        let mixed = [at("1.1.1.1"), at("192.168.1.1")].concat();
        assert_eq!(reach.permits("https", &mixed), Err(Failure::Private), "one bad address is enough");
    }

    #[tokio::test]
    async fn typed_addresses_reach_nothing_private() {
        for (url, failure) in [
            ("https://127.0.0.1:9/", Failure::Private),
            ("https://[::1]/", Failure::Private),
            ("https://169.254.169.254/latest/meta-data", Failure::Private),
            ("https://2130706433/", Failure::Private),
            ("https://localhost/", Failure::Private),
            ("http://127.0.0.1:9/", Failure::NotSecure),
            ("file:///etc/passwd", Failure::NoUrl),
            ("nonsense", Failure::NoUrl),
        ] {
            assert_eq!(post(&Reach::Typed(Vec::new()), url, &[], Vec::new()).await.err(), Some(failure), "{url}");
        }
    }
}
