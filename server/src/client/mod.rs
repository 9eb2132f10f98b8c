//! The command line as a client of a running console: the same API as any other program, with a personal access token.
pub mod explain;
pub mod rotations;
mod table;
pub mod trail;
pub mod witness;

use crate::outbound::{self, Answer, Failure as Unreached, Reach};
use clap::Args;
use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};
use std::{net::IpAddr, path::PathBuf, time::Duration};
use zeroize::Zeroizing;

/// The longest answer that is read, in bytes.
const MOST: usize = 8 * 1024 * 1024;
/// The longest file that is taken.
const MOST_FILE: usize = 1024 * 1024 * 1024;
/// How long an answer may take: the console may itself be waiting for several targets.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub struct Server {
    /// Where the console is
    #[arg(long, env = "COUNTERSIGN_URL", default_value = "http://127.0.0.1:8400", value_name = "URL", global = true)]
    url: String,
    /// A file with a personal access token; without it the variable COUNTERSIGN_TOKEN holds the token itself
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Print what the API answers, as JSON
    #[arg(long, global = true)]
    json: bool,
}

/// Why a command did nothing, or does not know what became of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Refused(String),
    #[error("{url}: {why}")]
    Unreached { url: String, why: Unreached },
    #[error(
        "no token: make one on the page “Your account”, and name its file with --token-file or set COUNTERSIGN_TOKEN"
    )]
    NoToken,
    #[error("{file}: {why}")]
    TokenFile { file: String, why: std::io::Error },
    #[error("a token is sent over TLS, or to this host alone: {0} is neither")]
    InTheClear(String),
    #[error("{0} answered with something that is not Countersign's API: status {1}")]
    Strange(String, u16),
}

pub struct Client {
    url: String,
    token: Zeroizing<String>,
    pub json: bool,
}

impl Client {
    pub fn new(server: &Server) -> Result<Self, Failure> {
        let url = server.url.trim_end_matches('/').to_owned();
        if !is_private(&url) {
            return Err(Failure::InTheClear(url));
        }
        let token = match &server.token_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|why| Failure::TokenFile { file: file.display().to_string(), why })?,
            None => std::env::var("COUNTERSIGN_TOKEN").unwrap_or_default(),
        };
        let token = Zeroizing::new(token);
        let token = Zeroizing::new(token.trim().to_owned());
        if token.is_empty() {
            return Err(Failure::NoToken);
        }
        Ok(Self { url, token, json: server.json })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, Failure> {
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        self.send(Method::GET, &path, Vec::new()).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.send(Method::POST, path, serde_json::to_vec(body).unwrap_or_default()).await
    }

    /// An answer that is no JSON: a file.
    pub async fn file(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.ask(Method::GET, path, Vec::new(), MOST_FILE).await?;
        if answer.status == 200 { Ok(answer.body) } else { Err(self.refused(&answer)) }
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Vec<u8>) -> Result<T, Failure> {
        let answer = self.ask(method, path, body, MOST).await?;
        if answer.status == 200 {
            return serde_json::from_slice(&answer.body).map_err(|_| self.strange(&answer));
        }
        Err(self.refused(&answer))
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>, most: usize) -> Result<Answer, Failure> {
        let url = format!("{}/api/v1{path}", self.url);
        let headers = [
            ("authorization", format!("Bearer {}", *self.token)),
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        // The person at this host named the address.
        let answer = outbound::send(&Reach::Anywhere, method, &url, &headers, body, (most, PATIENCE)).await;
        answer.map_err(|why| Failure::Unreached { url: self.url.clone(), why })
    }

    fn strange(&self, answer: &Answer) -> Failure {
        Failure::Strange(self.url.clone(), answer.status)
    }

    /// The sentence of a problem (RFC 9457).
    fn refused(&self, answer: &Answer) -> Failure {
        let Ok(problem) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
            return self.strange(answer);
        };
        let Some(detail) = problem["detail"].as_str() else { return self.strange(answer) };
        let fields = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fields: Vec<&str> = fields.iter().filter_map(|field| field["field"].as_str()).collect();
        Failure::Refused(match fields.as_slice() {
            [] | ["body" | "secret"] => detail.to_owned(),
            fields => format!("{}: {detail}", fields.join(", ")),
        })
    }
}

/// TLS, or the host itself.
fn is_private(url: &str) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else { return false };
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    parsed.scheme() == "https" || (parsed.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_travels_in_the_clear() {
        for good in ["https://secrets.example", "http://127.0.0.1:8400", "http://[::1]:8400", "http://localhost:1"] {
            assert!(is_private(good), "{good}");
        }
        let bad =
            ["http://secrets.example", "http://10.0.0.1", "http://localhost.example", "ftp://localhost", "secrets"];
        for bad in bad {
            assert!(!is_private(bad), "{bad}");
        }
    }
}
