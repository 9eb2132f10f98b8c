//! Settings: flags, then environment, then a TOML file, in that order. Unknown keys are errors.
use crate::audit::anchor::{Anchor, Anchors};
use app::audit::checkpoint::CosignerKey;
use clap::Args;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("settings file {path}: {why}")]
    File { path: PathBuf, why: String },
    #[error("{0}")]
    Unfit(String),
}

/// As given: every setting may be missing.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// TOML file with the same settings, for what neither flag nor environment says
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Folder of the embedded database
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder of the key files; keep it outside the data folder [default: the data folder's name with ".keys"]
    #[arg(long, env = "COUNTERSIGN_KEYS", value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8400]
    #[arg(long, env = "COUNTERSIGN_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// postgres://… instead of the embedded SQLite database
    #[arg(long, env = "COUNTERSIGN_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Where browsers reach this server [default: http://ADDR]
    #[arg(long, env = "COUNTERSIGN_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// Certificate chain (PEM), with --tls-key
    #[arg(long, env = "COUNTERSIGN_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM), with --tls-cert
    #[arg(long, env = "COUNTERSIGN_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Proxy whose X-Forwarded-For header is believed, as ADDRESS/PREFIX
    #[arg(long, env = "COUNTERSIGN_TRUSTED_PROXY", value_name = "CIDR")]
    pub trusted_proxy: Option<String>,
    /// Private network that calls to typed addresses (webhooks) may reach, as ADDRESS/PREFIX; may be given more than once
    #[arg(long = "allow-private", env = "COUNTERSIGN_ALLOW_PRIVATE", value_delimiter = ',', value_name = "CIDR")]
    pub allow_private: Vec<String>,
    /// Where each new checkpoint is also kept: a folder (best on another volume), "stdout", or a URL that it is posted to; may be given more than once
    #[arg(long = "anchor", env = "COUNTERSIGN_ANCHOR", value_delimiter = ',', value_name = "WHERE")]
    pub anchor: Vec<String>,
    /// Verifier key of a witness whose cosignatures are kept, as `countersign witness` prints it; may be given more than once
    #[arg(long = "witness", env = "COUNTERSIGN_WITNESS", value_delimiter = ',', value_name = "KEY")]
    pub witness: Vec<String>,
    /// Where a live copy of the trail goes, as JSON Lines: "stdout", a file, or a URL that it is posted to; may be given more than once
    #[arg(long = "audit-stream", env = "COUNTERSIGN_AUDIT_STREAM", value_delimiter = ',', value_name = "WHERE")]
    pub audit_stream: Vec<String>,
}

/// Settings that fit together.
#[derive(Clone, Debug)]
pub struct Config {
    pub data: PathBuf,
    pub keys: PathBuf,
    pub listen: SocketAddr,
    pub database: Option<String>,
    pub base_url: String,
    pub tls: Option<(PathBuf, PathBuf)>,
    pub trusted_proxy: Option<Network>,
    pub allow_private: Vec<Network>,
    pub anchors: Vec<Anchor>,
    pub witnesses: Vec<CosignerKey>,
    pub streams: Vec<Anchor>,
}

impl Settings {
    pub fn resolve(self) -> Result<Config, Error> {
        let merged = match &self.config {
            Some(path) => self.clone().or(read(path)?),
            None => self,
        };
        merged.check()
    }

    fn or(self, file: Self) -> Self {
        Self {
            config: self.config,
            data: self.data.or(file.data),
            keys: self.keys.or(file.keys),
            listen: self.listen.or(file.listen),
            database: self.database.or(file.database),
            base_url: self.base_url.or(file.base_url),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            trusted_proxy: self.trusted_proxy.or(file.trusted_proxy),
            allow_private: if self.allow_private.is_empty() { file.allow_private } else { self.allow_private },
            anchor: if self.anchor.is_empty() { file.anchor } else { self.anchor },
            witness: if self.witness.is_empty() { file.witness } else { self.witness },
            audit_stream: if self.audit_stream.is_empty() { file.audit_stream } else { self.audit_stream },
        }
    }

    fn check(self) -> Result<Config, Error> {
        let unfit = |why: &str| Error::Unfit(why.into());
        let data = self.data.ok_or_else(|| unfit("--data DIR is missing: the folder of this installation's data"))?;
        let listen = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8400)));
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(unfit("--tls-cert and --tls-key belong together")),
        };
        let trusted_proxy = self.trusted_proxy.as_deref().map(str::parse).transpose()?;
        if !listen.ip().is_loopback() && tls.is_none() && trusted_proxy.is_none() {
            return Err(unfit(
                "beyond loopback Countersign listens only with --tls-cert and --tls-key, or behind --trusted-proxy CIDR",
            ));
        }
        let allow_private = self.allow_private.iter().map(|network| network.parse()).collect::<Result<_, _>>()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let base_url = self.base_url.unwrap_or_else(|| format!("{scheme}://{listen}"));
        if !base_url.starts_with("http://") && !base_url.starts_with("https://") || base_url.ends_with('/') {
            return Err(unfit("--base-url is http:// or https://, a host, and no slash at the end"));
        }
        if let Some(url) = &self.database {
            check_database(url)?;
        }
        let keys = self.keys.unwrap_or_else(|| sibling(&data, ".keys"));
        let anchors = self.anchor.iter().filter_map(|anchor| anchor.parse().ok()).collect();
        let witnesses: Option<Vec<CosignerKey>> = self.witness.iter().map(|key| CosignerKey::parse(key)).collect();
        let witnesses = witnesses.ok_or_else(|| unfit("--witness takes the key that `countersign witness` prints"))?;
        let streams = self.audit_stream.iter().filter_map(|place| place.parse().ok()).collect();
        Ok(Config {
            streams,
            witnesses,
            data,
            keys,
            listen,
            database: self.database,
            base_url,
            tls,
            trusted_proxy,
            allow_private,
            anchors,
        })
    }
}

fn read(path: &Path) -> Result<Settings, Error> {
    let failed = |why: String| Error::File { path: path.into(), why };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    toml::from_str(&text).map_err(|error| failed(error.to_string()))
}

/// `folder` with something appended to its name.
fn sibling(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn check_database(url: &str) -> Result<(), Error> {
    let unfit = |why: &str| Error::Unfit(why.into());
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or_else(|| unfit("--database is a postgres:// URL; without it the embedded SQLite database is used"))?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let local = host.is_empty()
        || host.to_ascii_lowercase().starts_with("%2f")
        || host.starts_with("localhost")
        || host.starts_with("127.")
        || host.starts_with("[::1]");
    if !local && !url.contains("sslmode=verify-full") {
        return Err(unfit("a PostgreSQL over the network needs sslmode=verify-full in --database"));
    }
    Ok(())
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl std::str::FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Unfit(format!("{text:?} is not ADDRESS/PREFIX, such as 10.0.0.0/8"));
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= if address.is_ipv4() { 32 } else { 128 });
        Ok(Self { address, prefix: prefix.ok_or_else(wrong)? })
    }
}

impl Config {
    /// Where heads are kept outside the database: beside the keys, and wherever the operator named.
    pub fn heads(&self) -> Anchors {
        Anchors::new(std::iter::once(Anchor::Keys(self.keys.clone())).chain(self.anchors.clone()).collect())
    }
}

impl Network {
    pub fn contains(&self, other: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 4),
            IpAddr::V6(v6) => (u128::from(v6), 6),
        };
        let ((ours, family), (theirs, other_family)) = (bits(self.address), bits(other.to_canonical()));
        let shift = 128 - u32::from(self.prefix);
        family == other_family && (shift == 128 || ours >> shift == theirs >> shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { data: Some("data".into()), ..Settings::default() }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let public = settings();
        let public = Settings { listen: "0.0.0.0:8400".parse().ok(), ..public };
        assert!(public.clone().resolve().is_err_and(|error| error.to_string().contains("--tls-cert")));
        let proxied = Settings { trusted_proxy: Some("10.0.0.0/8".into()), ..public.clone() };
        assert!(proxied.resolve().is_ok());
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert!(Settings { trusted_proxy: Some(bad.into()), ..public.clone() }.resolve().is_err());
        }
        let remote = Settings { database: Some("postgres://u@db.example/x".into()), ..settings() };
        assert!(remote.resolve().is_err_and(|error| error.to_string().contains("verify-full")));
        assert!(Settings::default().resolve().is_err());
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(toml::from_str::<Settings>("listen = \"127.0.0.1:1\"").is_ok());
        assert!(toml::from_str::<Settings>("lisen = \"127.0.0.1:1\"").is_err());
    }

    #[test]
    fn networks_contain_their_addresses() {
        let network: Network =
            "10.1.0.0/16".parse().unwrap_or(Network { address: IpAddr::from([0, 0, 0, 0]), prefix: 32 });
        for (address, inside) in [("10.1.2.3", true), ("10.2.0.1", false), ("::ffff:10.1.0.9", true), ("::1", false)] {
            assert_eq!(address.parse().map(|address| network.contains(address)), Ok(inside), "{address}");
        }
    }
}
