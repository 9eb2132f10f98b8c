//! Calls to other services: the address is resolved once, checked and pinned; no redirect is followed, no proxy used, and
//! neither time nor answer is unbounded. What comes back never enters a log.
use reqwest::{
    Client, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The longest that a call takes, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MOST: usize = 64 * 1024;

/// Where a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the operator of the host named the address.
    Anywhere,
    /// Public addresses over TLS only: somebody typed the address into a form.
    Public,
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
    #[error("no answer came within {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("the connection failed")]
    Broken,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends a body and reads the answer.
pub async fn post(
    reach: Reach,
    url: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<Answer, Failure> {
    let url = Url::parse(url).map_err(|_| Failure::NoUrl)?;
    let host = url.host_str().ok_or(Failure::NoUrl)?.trim_matches(['[', ']']).to_owned();
    match url.scheme() {
        "https" => {}
        "http" if reach == Reach::Anywhere => {}
        "http" => return Err(Failure::NotSecure),
        _ => return Err(Failure::NoUrl),
    }
    let port = url.port_or_known_default().ok_or(Failure::NoUrl)?;
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((host.as_str(), port)).await.map_err(|_| Failure::Unresolved)?.collect();
    if found.is_empty() {
        return Err(Failure::Unresolved);
    }
    if reach == Reach::Public && !found.iter().all(|address| is_public(address.ip())) {
        return Err(Failure::Private);
    }
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).map_err(|_| Failure::Broken)?);
    }
    // A second installation is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .resolve_to_addrs(&host, &found)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| Failure::Broken)?;
    let mut response = client.post(url).headers(map).body(body).send().await.map_err(of)?;
    let mut read = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(of)? {
        if read.len() + chunk.len() > MOST {
            return Err(Failure::Broken);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status().as_u16(), body: read })
}

fn of(error: reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::Silent } else { Failure::Broken }
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
            None => {
                let [first, second, ..] = ip.segments();
                !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || (first & 0xfe00) == 0xfc00
                    || (first & 0xffc0) == 0xfe80
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

    #[tokio::test]
    async fn typed_addresses_reach_nothing_private() {
        for (url, failure) in [
            ("https://127.0.0.1:9/", Failure::Private),
            ("https://[::1]/", Failure::Private),
            ("https://169.254.169.254/latest/meta-data", Failure::Private),
            ("https://2130706433/", Failure::Private),
            ("https://localhost/", Failure::Private),
            ("http://example.org/", Failure::NotSecure),
            ("file:///etc/passwd", Failure::NoUrl),
            ("nonsense", Failure::NoUrl),
        ] {
            assert_eq!(post(Reach::Public, url, &[], Vec::new()).await.err(), Some(failure), "{url}");
        }
    }
}
