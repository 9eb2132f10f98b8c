//! The reference receiver of the webhook rotator: a service that takes credentials, and what stands beside it and changes
//! them when it is told by a signed call. The demonstration rotates against it, and so do the tests, which also let it fail.
use crate::{clock::Clock, rotations::webhook};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

/// How old a call may be (Standard Webhooks suggests five minutes).
const TOLERANCE: i64 = 300;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is done; the answer is an error of a gateway.
    AnswerLost,
    /// It is not done; the answer is an error of a gateway.
    Down,
    /// It is answered with an error, and done before the call after the next.
    Late,
    /// It is refused with a code.
    Refused,
    /// No answer comes, and it is not done.
    Silent,
    /// The answer is no JSON.
    Garbage,
}

#[derive(Default)]
struct Inner {
    secret: String,
    accepted: BTreeSet<String>,
    faults: HashMap<String, VecDeque<Fault>>,
    late: Vec<(u32, String, Value)>,
    calls: Vec<String>,
    clock: Option<Clock>,
    /// A new credential takes the place of the old one at once.
    replaces: bool,
}

/// A receiver that listens, and the service that it stands beside.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

impl Receiver {
    /// Listens on a free port of this host; it ends with the runtime.
    pub async fn start(secret: &str, clock: Clock) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let inner = Inner { secret: secret.to_owned(), clock: Some(clock), ..Inner::default() };
        let receiver = Self { inner: Arc::new(Mutex::new(inner)), address: listener.local_addr()? };
        let router = Router::new().route("/rotate", post(receive)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(receiver)
    }

    pub fn url(&self) -> String {
        format!("http://{}/rotate", self.address)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it is as late as this clock says.
    pub fn follow(&self, clock: Clock) {
        self.lock().clock = Some(clock);
    }

    /// From now on a new credential takes the place of the old one at once, as with one account and one password.
    pub fn replace(&self, replaces: bool) {
        self.lock().replaces = replaces;
    }

    /// Lets a credential in, as its fields.
    pub fn accept(&self, fields: &Value) {
        self.lock().accepted.insert(fields.to_string());
    }

    /// Shuts a credential out.
    pub fn shut_out(&self, fields: &Value) {
        self.lock().accepted.remove(&fields.to_string());
    }

    pub fn accepts(&self, fields: &Value) -> bool {
        self.lock().accepted.contains(&fields.to_string())
    }

    /// How many credentials it takes now.
    pub fn count(&self) -> usize {
        self.lock().accepted.len()
    }

    /// Lets the next calls of a kind (`preflight`, `set`, `probe`, `disable`) fail, one after the other.
    pub fn fail(&self, what: &str, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.entry(what.to_owned()).or_default().extend(faults);
    }

    /// Nothing fails any more; what was to be done late is done.
    pub fn mend(&self) {
        let mut inner = self.lock();
        inner.faults.clear();
        for (_, what, data) in std::mem::take(&mut inner.late) {
            inner.carry_out(&what, &data);
        }
    }

    /// The ids of the calls that were properly signed, in order.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }
}

impl Inner {
    fn carry_out(&mut self, what: &str, data: &Value) -> Value {
        let knows = |fields: &Value| self.accepted.contains(&fields.to_string());
        match what {
            "preflight" if knows(&data["old"]) => json!({ "outcome": "done" }),
            "preflight" => json!({ "outcome": "refused", "code": "unknown_credential" }),
            "probe" if knows(&data["credential"]) => json!({ "standing": "accepted" }),
            "probe" => json!({ "standing": "refused", "code": "invalid_credential" }),
            "set" => {
                if self.replaces {
                    self.accepted.remove(&data["old"].to_string());
                }
                self.accepted.insert(data["new"].to_string());
                json!({ "outcome": "done" })
            }
            "disable" => {
                self.accepted.remove(&data["old"].to_string());
                json!({ "outcome": "done", "sessions": { "ended": 0, "left": 0 } })
            }
            _ => json!({ "outcome": "refused", "code": "unknown_call" }),
        }
    }

    fn catch_up(&mut self) {
        let late = std::mem::take(&mut self.late);
        for (calls, what, data) in late {
            if calls == 0 {
                self.carry_out(&what, &data);
            } else {
                self.late.push((calls - 1, what, data));
            }
        }
    }
}

/// Is a call signed with the secret, and recent?
fn is_signed(secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = header("webhook-id")?;
    let timestamp: i64 = header("webhook-timestamp")?.parse().ok()?;
    let wanted = webhook::sign(secret, id, timestamp, body)?;
    let given = header("webhook-signature")?;
    let fits = given.split(' ').any(|one| bool::from(one.as_bytes().ct_eq(wanted.as_bytes())));
    (fits && (now - timestamp).abs() <= TOLERANCE).then(|| id.to_owned())
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let (answer, wait) = {
        let mut inner = receiver.lock();
        let now = inner.clock.as_ref().map_or(0, |clock| clock.now().timestamp());
        let Some(id) = is_signed(&inner.secret, &headers, &body, now) else {
            return StatusCode::UNAUTHORIZED.into_response();
        };
        let Ok(message) = serde_json::from_slice::<Value>(&body) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        inner.calls.push(id);
        inner.catch_up();
        let kind = message["type"].as_str().unwrap_or_default();
        let what = kind.strip_prefix("rotation.").unwrap_or_default().to_owned();
        let data = message["data"].clone();
        let fault = inner.faults.get_mut(&what).and_then(VecDeque::pop_front);
        answer_with(&mut inner, fault, &what, &data)
    };
    if wait {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    answer
}

fn answer_with(inner: &mut Inner, fault: Option<Fault>, what: &str, data: &Value) -> (Response, bool) {
    let gateway = || StatusCode::BAD_GATEWAY.into_response();
    match fault {
        Some(Fault::Down) => (gateway(), false),
        Some(Fault::Silent) => (gateway(), true),
        Some(Fault::Garbage) => ((StatusCode::OK, "<html>not now</html>").into_response(), false),
        Some(Fault::Refused) => {
            (axum::Json(json!({ "outcome": "refused", "code": "not_today" })).into_response(), false)
        }
        Some(Fault::Late) => {
            inner.late.push((1, what.to_owned(), data.clone()));
            (gateway(), false)
        }
        Some(Fault::AnswerLost) => {
            inner.carry_out(what, data);
            (gateway(), false)
        }
        // Each change can be made again and comes to the same: an answer need not be remembered.
        None => (axum::Json(inner.carry_out(what, data)).into_response(), false),
    }
}
