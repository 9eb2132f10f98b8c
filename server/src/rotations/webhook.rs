//! Everything else as a target: a receiver that its owner runs, told by signed calls what to do.
//!
//! # Contract
//!
//! Each call is a `POST` of JSON, signed as [Standard Webhooks](https://www.standardwebhooks.com) says: `webhook-id`,
//! `webhook-timestamp` (seconds) and `webhook-signature: v1,BASE64(HMAC-SHA256(key, "{id}.{timestamp}.{body}"))`. A receiver
//! refuses what is not signed or older than five minutes. Each call has an id of its own, so that no answer is one of the past;
//! `data.rotation` names the change: asked for again, after an answer that was lost, it has to come to the same.
//!
//! ```text
//! { "type": "rotation.preflight", "timestamp": RFC 3339, "data": { "rotation": ID, "old": FIELDS } }
//!     ─▶ { "outcome": "done" }
//! { "type": "rotation.set", … "data": { "rotation": ID, "old": FIELDS, "new": FIELDS } }
//!     ─▶ { "outcome": "done" }: the target takes the new credential; the old one may go on working
//! { "type": "rotation.probe", … "data": { "rotation": ID, "endpoint": NAME, "credential": FIELDS } }
//!     ─▶ { "standing": "accepted" | "refused" | "unclear", "code": WORD }: what that endpoint said when it was *used*
//! { "type": "rotation.disable", … "data": { "rotation": ID, "old": FIELDS, "new": FIELDS } }
//!     ─▶ { "outcome": "done", "sessions": { "ended": N, "left": N } }
//! ```
//!
//! `FIELDS` are the value's fields as strings. A receiver that will not do it answers `{ "outcome": "refused", "code": WORD }`:
//! the line stops and a person is asked. Codes are words of `a-z 0-9 _ . -`, at most 64 long; anything else, and anything
//! that holds a part of a value, is not kept. Status 2xx is an answer, 408, 425 and 429 mean *later*, another 4xx *no*,
//! anything else leaves it unknown: the next call is a probe.
use super::rotator::{Mistake, Rotator, Sessions, Surroundings, Trouble, text, with};
use crate::{
    clock::Clock,
    keys,
    outbound::{self, Answer, Failure, Reach},
    vault::envelope::Payload,
};
use app::{
    error::Error,
    rotations::model::{Standing, ValueRules},
    time::{Moment, rfc3339},
};
use async_trait::async_trait;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The shortest signing key, in bytes (Standard Webhooks: 24 to 64).
const SHORTEST_KEY: usize = 24;

/// How a plan names its receiver. Never a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub url: String,
    /// What the receiver can ask about a credential, by name; none: the receiver's host stands for it.
    pub endpoints: Vec<String>,
    /// The secret of the same environment that calls are signed with.
    pub signing: String,
}

impl Settings {
    pub fn check(&self) -> Result<(), Mistake> {
        let url = reqwest::Url::parse(&self.url).ok().filter(|url| url.has_host() && url.username().is_empty());
        // Calls are signed: a token in the address would only be one more secret, on every page that names the receiver.
        let is_bare =
            |url: &reqwest::Url| url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let Some(url) = url.filter(|url| is_bare(url) && self.url.len() <= 500) else {
            return Err(("url", "An https:// address without user name and query, at most 500 characters."));
        };
        if !matches!(url.scheme(), "https" | "http") {
            return Err(("url", "An https:// address."));
        }
        let fits = |name: &String| !name.is_empty() && name.len() <= 200 && !name.contains(char::is_control);
        if self.endpoints.len() > 8 || !self.endpoints.iter().all(fits) {
            return Err(("places", "At most eight names, one in a line."));
        }
        if self.signing.is_empty() {
            return Err(("signing", "Choose the secret that calls are signed with."));
        }
        Ok(())
    }

    /// The receiver, as pages name it.
    pub fn host(&self) -> String {
        let host = reqwest::Url::parse(&self.url).ok();
        host.and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default()
    }
}

pub struct Webhook {
    settings: Settings,
    rotation: String,
    key: Option<Payload>,
    clock: Clock,
    reach: Reach,
}

/// The signature of a message, with its version.
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => Zeroizing::new(STANDARD.decode(encoded).ok()?),
        None => Zeroizing::new(secret.as_bytes().to_vec()),
    };
    if key.len() < SHORTEST_KEY {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    outcome: String,
    standing: String,
    code: String,
    sessions: Counted,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counted {
    ended: u32,
    left: u32,
}

impl Webhook {
    pub fn new(settings: Settings, around: Surroundings) -> Self {
        let Surroundings { rotation, helper, clock, reach } = around;
        Self { settings, rotation, key: helper, clock, reach }
    }

    /// One signed call.
    async fn call(&self, what: &str, mut data: Value) -> Result<Said, Trouble> {
        let secret = self.key.as_ref().and_then(sole);
        let now = self.clock.now();
        data["rotation"] = json!(self.rotation);
        let body = json!({ "type": format!("rotation.{what}"), "timestamp": rfc3339(now), "data": data });
        let body = Zeroizing::new(serde_json::to_vec(&body).unwrap_or_default());
        let random = keys::random::<12>().map_err(|_| Trouble::Later("no random numbers".into()))?;
        let id = format!("{}.{what}.{}", self.rotation, URL_SAFE_NO_PAD.encode(random));
        let signature = secret.and_then(|secret| sign(secret, &id, now.timestamp(), &body)).ok_or_else(|| {
            Trouble::No("the signing secret is no whsec_ key and no single value of at least 24 characters".into())
        })?;
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", now.timestamp().to_string()),
            ("webhook-signature", signature),
        ];
        let answer = outbound::post(&self.reach, &self.settings.url, &headers, body.to_vec()).await;
        heard(answer)
    }

    async fn change(&self, what: &str, old: &Payload, new: &Payload) -> Result<Counted, Trouble> {
        let said = self.call(what, json!({ "old": fields(old), "new": fields(new) })).await?;
        match said.outcome.as_str() {
            "done" => Ok(said.sessions),
            "refused" => Err(Trouble::No(format!("the receiver refused it: {}", code(&said.code, &[old, new])))),
            _ => Err(Trouble::Unknown("the receiver's answer says neither done nor refused".into())),
        }
    }
}

/// What an answer, or none, amounts to.
fn heard(answer: Result<Answer, Failure>) -> Result<Said, Trouble> {
    match answer {
        Ok(Answer { status: 200..=299, body }) => serde_json::from_slice(&body)
            .map_err(|_| Trouble::Unknown("the receiver's answer is no JSON object".into())),
        Ok(Answer { status: status @ (408 | 425 | 429), .. }) => {
            Err(Trouble::Later(format!("the receiver answered {status}")))
        }
        Ok(Answer { status: status @ 400..=499, .. }) => Err(Trouble::No(format!("the receiver answered {status}"))),
        Ok(Answer { status, .. }) => Err(Trouble::Unknown(format!("the receiver answered {status}"))),
        Err(failure @ (Failure::NoUrl | Failure::NotSecure | Failure::Private)) => {
            Err(Trouble::No(failure.to_string()))
        }
        Err(failure @ (Failure::Unresolved | Failure::Unconnected)) => Err(Trouble::Later(failure.to_string())),
        Err(failure @ (Failure::Silent | Failure::Broken)) => Err(Trouble::Unknown(failure.to_string())),
    }
}

/// The text of a payload with one field.
fn sole(payload: &Payload) -> Option<&str> {
    match payload.names().as_slice() {
        [only] => text(payload, only),
        _ => None,
    }
}

fn fields(payload: &Payload) -> Value {
    let pairs = payload.fields().map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    json!(pairs.collect::<std::collections::BTreeMap<_, _>>())
}

/// A receiver's code, if it is a word that repeats no part of a value: it goes into the trail.
fn code(said: &str, values: &[&Payload]) -> String {
    let is_word = !said.is_empty()
        && said.len() <= 64
        && said.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte));
    let repeats = values.iter().flat_map(|payload| payload.fields()).any(|(_, value)| {
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        value.len() >= 4 && (said.contains(&value) || (said.len() >= 8 && value.contains(said)))
    });
    if is_word && !repeats { said.to_owned() } else { "no code".to_owned() }
}

/// The field that is made anew: the only one, or the password.
fn renewed(payload: &Payload) -> Option<String> {
    match payload.names().as_slice() {
        [only] => Some(only.clone()),
        names => names.iter().find(|name| *name == "password").cloned(),
    }
}

#[async_trait]
impl Rotator for Webhook {
    async fn preflight(&self, old: &Payload) -> Result<String, Trouble> {
        let Some(field) = renewed(old) else {
            return Err(Trouble::No("the value needs one field, or one called password".into()));
        };
        if old.fields().any(|(_, value)| std::str::from_utf8(value).is_err()) {
            return Err(Trouble::No("the value is no text: it cannot be sent as JSON".into()));
        }
        let said = self.call("preflight", json!({ "old": fields(old) })).await?;
        match said.outcome.as_str() {
            "done" => Ok(format!("The receiver at {} is ready for a new {field}.", self.settings.host())),
            "refused" => Err(Trouble::No(format!("the receiver refused it: {}", code(&said.code, &[old])))),
            _ => Err(Trouble::Later("the receiver's answer says neither done nor refused".into())),
        }
    }

    fn create(&self, old: &Payload, rules: &ValueRules) -> Result<Payload, Error> {
        let field = renewed(old).ok_or(Error::Unavailable)?;
        with(old, &[(field.as_str(), crate::vault::generate_by(rules)?)])
    }

    async fn set(&self, old: &Payload, new: &Payload) -> Result<(), Trouble> {
        self.change("set", old, new).await.map(|_| ())
    }

    fn endpoints(&self) -> Vec<String> {
        match self.settings.endpoints.as_slice() {
            [] => vec![self.settings.host()],
            named => named.to_vec(),
        }
    }

    async fn probe(&self, endpoint: &str, payload: &Payload) -> Standing {
        let data = json!({ "endpoint": endpoint, "credential": fields(payload) });
        match self.call("probe", data).await {
            Ok(said) => match said.standing.as_str() {
                "accepted" => Standing::Accepted,
                "refused" => Standing::Refused(code(&said.code, &[payload])),
                _ => Standing::Unclear(code(&said.code, &[payload])),
            },
            Err(Trouble::No(why) | Trouble::Later(why) | Trouble::Unknown(why)) => Standing::Unclear(why),
        }
    }

    async fn disable_old(&self, old: &Payload, new: &Payload, _: Moment) -> Result<Sessions, Trouble> {
        let Counted { ended, left } = self.change("disable", old, new).await?;
        Ok(Sessions { ended, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(fields: &[(&str, &str)]) -> Payload {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new(value.as_bytes().to_vec()));
        Payload::new(fields.iter().map(owned).collect()).unwrap()
    }

    #[test]
    fn signatures_are_those_of_the_published_vector() {
        let signed = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(sign("too-short", "id", 0, b""), None);
        assert_eq!(sign("whsec_!!!", "id", 0, b""), None);
    }

    #[test]
    fn codes_are_words_and_repeat_no_value() {
        let value = payload(&[("password", "s3cret-value-of-old")]);
        for (said, kept) in [
            ("invalid_api_key", "invalid_api_key"),
            ("401", "401"),
            ("", "no code"),
            ("Wrong Key!", "no code"),
            ("s3cret-value-of-old", "no code"),
            ("got.s3cret-value-of-old", "no code"),
            ("value-of-old", "no code"),
        ] {
            assert_eq!(code(said, &[&value]), kept, "{said}");
        }
        assert_eq!(code(&"x".repeat(65), &[&value]), "no code");
    }

    #[test]
    fn only_an_answer_is_an_answer() {
        let status = |status| heard(Ok(Answer { status, body: b"{\"outcome\":\"done\"}".to_vec() })).err();
        assert_eq!(status(200), None);
        assert!(matches!(status(429), Some(Trouble::Later(_))));
        assert!(matches!(status(401), Some(Trouble::No(_))));
        assert!(matches!(status(302), Some(Trouble::Unknown(_))));
        assert!(matches!(status(503), Some(Trouble::Unknown(_))));
        assert!(matches!(heard(Err(Failure::Unconnected)).err(), Some(Trouble::Later(_))));
        assert!(matches!(heard(Err(Failure::Silent)).err(), Some(Trouble::Unknown(_))));
        assert!(matches!(heard(Err(Failure::Private)).err(), Some(Trouble::No(_))));
        let garbage = Answer { status: 200, body: b"<html>".to_vec() };
        assert!(matches!(heard(Ok(garbage)).err(), Some(Trouble::Unknown(_))));
    }

    #[test]
    fn settings_that_cannot_work_are_named_at_their_field() {
        let settings =
            || Settings { url: "https://ops.example/rotate".into(), endpoints: vec![], signing: "sec_1".into() };
        assert_eq!(settings().check(), Ok(()));
        for url in
            ["", "ops.example", "ftp://ops.example", "https://user:word@ops.example/", "https://ops.example/?token=1"]
        {
            let wrong = Settings { url: url.into(), ..settings() };
            assert_eq!(wrong.check().map_err(|(field, _)| field), Err("url"), "{url}");
        }
        let wrong = Settings { endpoints: vec!["x".into(); 9], ..settings() };
        assert_eq!(wrong.check().map_err(|(field, _)| field), Err("places"));
        assert_eq!(
            Settings { signing: String::new(), ..settings() }.check().map_err(|(field, _)| field),
            Err("signing")
        );
    }

    #[test]
    fn the_only_field_or_the_password_is_renewed() {
        assert_eq!(renewed(&payload(&[("key", "x")])).as_deref(), Some("key"));
        assert_eq!(renewed(&payload(&[("username", "x"), ("password", "y")])).as_deref(), Some("password"));
        assert_eq!(renewed(&payload(&[("a", "x"), ("b", "y")])), None);
    }
}
