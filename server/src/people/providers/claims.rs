//! What a provider's answer has to prove before anybody is signed in by it, and what is read from it then.
use super::discovery::Metadata;
use app::{people::provider::Settings, time::Moment};
use chrono::TimeDelta;
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, ClaimsVerificationError, ClientId, ClientSecret, IdToken, Nonce,
    SignatureVerificationError,
    core::{CoreGenderClaim, CoreIdTokenVerifier, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How far two clocks may stand apart.
pub const SKEW: TimeDelta = TimeDelta::minutes(1);
/// The longest time between a token's making and its use here.
const NEWEST: TimeDelta = TimeDelta::minutes(10);
/// More groups than this are no longer a list that somebody could review.
const MOST_GROUPS: usize = 2000;

/// Signatures that are taken: asymmetric ones. `none` and those by a shared secret are not among them.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub fn algorithms() -> impl Iterator<Item = CoreJwsSigningAlgorithm> {
    ALGORITHMS.into_iter()
}

/// Claims beside those that the library reads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
impl AdditionalClaims for Told {}

pub type Token = IdToken<Told, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Whom the provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    pub issuer: String,
    pub subject: String,
    /// The provider's session, for its back-channel.
    pub sid: Option<String>,
    pub name: Option<String>,
    pub wished_login: Option<String>,
    pub groups: BTreeSet<String>,
    pub acr: Option<String>,
    pub auth_time: Option<Moment>,
}

/// What does not hold, as the trail says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing that is known signed it, or not by a taken algorithm.
    Key,
    Signature,
    Algorithm,
    Issuer,
    Audience,
    Nonce,
    Expired,
    Context,
    AuthTime,
    AccessToken,
    Claims,
    Code,
    Silent,
}

impl Flaw {
    pub fn code(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Algorithm => "algorithm",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Nonce => "nonce",
            Self::Expired => "expired",
            Self::Context => "acr",
            Self::AuthTime => "auth_time",
            Self::AccessToken => "access_token",
            Self::Claims => "claims",
            Self::Code => "code",
            Self::Silent => "silent",
        }
    }
}

fn flaw(error: ClaimsVerificationError) -> Flaw {
    use SignatureVerificationError as Signature;
    match error {
        ClaimsVerificationError::Expired(_) => Flaw::Expired,
        ClaimsVerificationError::InvalidAudience(_) => Flaw::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => Flaw::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => Flaw::Nonce,
        ClaimsVerificationError::InvalidAuthContext(_) => Flaw::Context,
        ClaimsVerificationError::InvalidAuthTime(_) => Flaw::AuthTime,
        ClaimsVerificationError::SignatureVerification(error) => match error {
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) | Signature::NoSignature => Flaw::Algorithm,
            Signature::NoMatchingKey | Signature::AmbiguousKeyId(_) => Flaw::Key,
            _ => Flaw::Signature,
        },
        _ => Flaw::Claims,
    }
}

/// Reads an ID token that a provider's token endpoint sent for this browser's nonce.
pub fn read(
    metadata: &Metadata,
    settings: &Settings,
    token: &Token,
    nonce: &Nonce,
    access_token: &AccessToken,
    now: Moment,
) -> Result<Vouched, Flaw> {
    let verifier = CoreIdTokenVerifier::new_confidential_client(
        ClientId::new(settings.client_id.clone()),
        // Signatures by a shared secret are not taken, so none is given.
        ClientSecret::new(String::new()),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(algorithms())
    // A clock that is a little ahead does not shut people out.
    .set_time_fn(move || now - SKEW)
    .set_issue_time_verifier_fn(move |at| {
        let fits = at <= now + SKEW && at >= now - NEWEST;
        if fits { Ok(()) } else { Err("made at another time".into()) }
    })
    .set_auth_context_verifier_fn(|acr| match &settings.acr {
        Some(wanted) if acr.is_none_or(|acr| acr.as_str() != wanted) => Err("another context".into()),
        _ => Ok(()),
    })
    .set_auth_time_verifier_fn(|at| match (settings.max_age, at) {
        (Some(_), None) => Err("missing".into()),
        (_, Some(at)) if at > now + SKEW => Err("in the future".into()),
        (Some(seconds), Some(at)) if at < now - TimeDelta::seconds(seconds.into()) - SKEW => Err("too long ago".into()),
        _ => Ok(()),
    });
    let claims = token.claims(&verifier, nonce).map_err(flaw)?;
    if claims.authorized_party().is_some_and(|party| party.as_str() != settings.client_id) {
        return Err(Flaw::Audience);
    }
    if let Some(hash) = claims.access_token_hash() {
        let (alg, key) = (token.signing_alg(), token.signing_key(&verifier));
        let computed =
            alg.ok().zip(key.ok()).and_then(|(alg, key)| AccessTokenHash::from_token(access_token, alg, key).ok());
        if computed.as_ref() != Some(hash) {
            return Err(Flaw::AccessToken);
        }
    }
    let subject = claims.subject().to_string();
    // OpenID Connect Core 1.0, 2: at most 255 ASCII characters.
    if subject.is_empty() || subject.len() > 255 || !subject.is_ascii() {
        return Err(Flaw::Claims);
    }
    let rest = &claims.additional_claims().rest;
    // Groups that are told elsewhere (OpenID Connect Core 1.0, 5.6.2) are not "no groups".
    if rest
        .get("_claim_names")
        .and_then(Value::as_object)
        .is_some_and(|names| names.contains_key(&settings.groups_claim))
    {
        return Err(Flaw::Claims);
    }
    let name = claims.name().and_then(|names| names.get(None)).map(|name| name.to_string());
    Ok(Vouched {
        issuer: claims.issuer().to_string(),
        subject,
        sid: text(rest, "sid")?,
        name: name.and_then(|name| app::people::model::display(&name).ok()),
        wished_login: claims.preferred_username().map(|name| name.to_string()),
        groups: groups(rest.get(&settings.groups_claim))?,
        acr: claims.auth_context_ref().map(|acr| acr.to_string()).filter(|acr| acr.len() <= 255),
        // Whole seconds, as both databases keep them.
        auth_time: claims.auth_time().and_then(|at| Moment::from_timestamp(at.timestamp(), 0)),
    })
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Flaw> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= 255 => Ok(Some(text.clone())),
        Some(_) => Err(Flaw::Claims),
    }
}

/// A list of texts, or nothing. Anything else is not read as "no groups": that would take roles away by mistake.
fn groups(claim: Option<&Value>) -> Result<BTreeSet<String>, Flaw> {
    let list = match claim {
        None | Some(Value::Null) => return Ok(BTreeSet::new()),
        Some(Value::Array(list)) if list.len() <= MOST_GROUPS => list,
        Some(_) => return Err(Flaw::Claims),
    };
    // A name that no rule could have is none that any rule is about.
    let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    let names = names.ok_or(Flaw::Claims)?;
    Ok(names
        .into_iter()
        .filter_map(|name| app::people::provider::group(name).ok().filter(|kept| kept == name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_are_a_list_of_texts_or_the_answer_does_not_count() {
        let read = |value: Value| groups(Some(&value));
        assert_eq!(read(json!(["a", "b", "a"])).map(|groups| groups.len()), Ok(2));
        assert_eq!(read(json!([])), Ok(BTreeSet::new()));
        assert_eq!(groups(None), Ok(BTreeSet::new()));
        for wrong in [json!("a,b"), json!({"a": true}), json!(["a", 1]), json!([["a"]]), json!(true), json!(7)] {
            assert_eq!(read(wrong.clone()), Err(Flaw::Claims), "{wrong}");
        }
        assert_eq!(read(Value::Array(vec![json!("a"); MOST_GROUPS + 1])), Err(Flaw::Claims));
        let odd = read(json!(["good", " good", "ad\u{202e}min", "", "a\u{0}"]));
        assert_eq!(odd, Ok(BTreeSet::from(["good".to_owned()])), "spaces and hidden characters make no other group");
    }
}
