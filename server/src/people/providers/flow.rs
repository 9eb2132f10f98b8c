//! One sign-in at a provider: code with PKCE S256 (RFC 7636), state, nonce, and the issuer of the answer (RFC 9207).
use super::{
    super::{
        about,
        sign_in::{Strength, open_in, use_up_link},
        store::{self as people, Person, Session},
    },
    about_row,
    claims::{Flaw, Token, Told, Vouched, read},
    discovery::{Calls, Metadata},
    groups, open_secret,
    store::{self, Identity, Provider},
};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Basis, Receipt, Tx},
    },
    console::Console,
    notifications,
};
use app::{
    audit::action::Action,
    error::{Conflict, Error, Refusal},
    id::{IdentityId, PersonId},
    people::provider::free_login,
    time::Moment,
};
use chrono::TimeDelta;
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    IdTokenFields, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};

/// How long somebody may take at the provider.
pub const LIFE: TimeDelta = TimeDelta::minutes(10);

/// What a browser's record carries between leaving and coming back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flow {
    pub state: String,
    nonce: String,
    verifier: String,
    provider: String,
    pub purpose: Purpose,
    pub next: String,
    begun_at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    SignIn,
    /// A link to join was opened in this browser.
    Join {
        link: String,
    },
    /// Somebody signed in adds an identity to their account.
    Link {
        person: String,
    },
}

/// What came back in the address.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

type Fields = IdTokenFields<
    Told,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type OpenIdClient = Client<
    Told,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

fn client(console: &Console, metadata: &Metadata, provider: &Provider, base_url: &str) -> Result<OpenIdClient, Error> {
    let secret = ClientSecret::new(open_secret(console, provider)?.to_string());
    let back = RedirectUrl::new(format!("{base_url}/sign-in/return")).map_err(|_| Error::Unavailable)?;
    let client =
        OpenIdClient::from_provider_metadata(metadata.clone(), ClientId::new(provider.client_id.clone()), Some(secret))
            .set_redirect_uri(back);
    // The default of the specification, unless the provider takes the secret in the body alone.
    let methods = metadata.token_endpoint_auth_methods_supported();
    let body_alone = methods.is_some_and(|methods| {
        !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
            && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
    });
    Ok(if body_alone { client.set_auth_type(openidconnect::AuthType::RequestBody) } else { client })
}

fn attempted(provider: &Provider) -> Event {
    Event::new(Action::SignIn).detail("provider", provider.provider_id.clone())
}

async fn refuse(console: &Console, who: &Who, provider: &Provider, flaw: Flaw) -> Error {
    let why = if flaw == Flaw::Silent { Refusal::ProviderSilent } else { Refusal::ProviderAnswer };
    console.ledger.refuse(who, attempted(provider).detail("why", flaw.code()), why).await
}

/// Where the browser goes, and what it carries.
pub async fn begin(
    console: &Console,
    who: &Who,
    base_url: &str,
    provider: &str,
    purpose: Purpose,
    next: &str,
) -> Result<(Flow, String), Error> {
    let row = store::find(&mut console.read().await?, provider, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let metadata = match console.providers.of(&console.reach, &row.issuer, console.now()).await {
        Ok(metadata) => metadata,
        Err(_) => return Err(refuse(console, who, &row, Flaw::Silent).await),
    };
    let client = client(console, &metadata, &row, base_url)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let mut request = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("profile".into()))
        .set_pkce_challenge(challenge);
    // Groups are a scope of their own at some providers; asked for where the provider names it.
    let groups = metadata.scopes_supported().is_some_and(|known| known.iter().any(|scope| **scope == row.groups_claim));
    if groups {
        request = request.add_scope(Scope::new(row.groups_claim.clone()));
    }
    let settings = row.settings();
    if let Some(seconds) = settings.max_age {
        request = request.set_max_age(std::time::Duration::from_secs(seconds.into()));
    }
    if let Some(acr) = settings.acr {
        request = request.add_auth_context_value(openidconnect::AuthenticationContextClass::new(acr));
    }
    let (url, state, nonce) = request.url();
    let flow = Flow {
        state: state.secret().clone(),
        nonce: nonce.secret().clone(),
        verifier: verifier.secret().clone(),
        provider: provider.into(),
        purpose,
        next: next.into(),
        begun_at: console.now(),
    };
    Ok((flow, url.to_string()))
}

/// Who came back, proved. The flow was taken out of the browser's record before, so that it counts once.
pub async fn finish(
    console: &Console,
    who: &Who,
    base_url: &str,
    flow: &Flow,
    answer: Answer,
) -> Result<(Provider, Vouched), Error> {
    let now = console.now();
    let row = store::find(&mut console.read().await?, &flow.provider, console.seal_key()).await?;
    let Some(row) = row.filter(|_| now - flow.begun_at < LIFE) else {
        return Err(console.ledger.refuse(who, Event::new(Action::SignIn), Refusal::SignInStale).await);
    };
    let Ok(metadata) = console.providers.of(&console.reach, &row.issuer, now).await else {
        return Err(refuse(console, who, &row, Flaw::Silent).await);
    };
    // Against a mix-up of two providers (RFC 9700, 4.4): the answer names who gave it. Where there are several, each has to.
    let several = store::providers(&mut console.read().await?, console.seal_key()).await?.len() > 1;
    let names_itself = several || metadata.additional_metadata().authorization_response_iss_parameter_supported;
    if answer.iss.as_ref().is_some_and(|iss| *iss != row.issuer) || names_itself && answer.iss.is_none() {
        return Err(refuse(console, who, &row, Flaw::Issuer).await);
    }
    if let Some(error) = answer.error {
        let known: String = error.chars().filter(char::is_ascii_graphic).take(40).collect();
        let event = attempted(&row).private("error", known);
        return Err(console.ledger.refuse(who, event, Refusal::ProviderDeclined).await);
    }
    let Some(code) = answer.code else { return Err(refuse(console, who, &row, Flaw::Code).await) };
    let tokens = match exchange(console, &metadata, &row, base_url, flow, code).await? {
        Ok(tokens) => tokens,
        Err(flaw) => return Err(refuse(console, who, &row, flaw).await),
    };
    let nonce = Nonce::new(flow.nonce.clone());
    let Some(token) = tokens.id_token() else { return Err(refuse(console, who, &row, Flaw::Claims).await) };
    let proved =
        |metadata: &Metadata, token: &Token| read(metadata, &row.settings(), token, &nonce, tokens.access_token(), now);
    let vouched = match proved(&metadata, token) {
        // The provider may have changed its keys since they were read.
        Err(Flaw::Key) => match console.providers.anew(&console.reach, &row.issuer, now).await {
            Ok(metadata) => proved(&metadata, token),
            Err(_) => Err(Flaw::Silent),
        },
        other => other,
    };
    match vouched {
        Ok(vouched) => Ok((row, vouched)),
        Err(flaw) => Err(refuse(console, who, &row, flaw).await),
    }
}

async fn exchange(
    console: &Console,
    metadata: &Metadata,
    row: &Provider,
    base_url: &str,
    flow: &Flow,
    code: String,
) -> Result<Result<Tokens, Flaw>, Error> {
    let client = client(console, metadata, row, base_url)?;
    let calls = Calls(console.reach.clone());
    let Ok(request) = client.exchange_code(AuthorizationCode::new(code)) else { return Ok(Err(Flaw::Code)) };
    let asked = request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone())).request_async(&calls).await;
    Ok(asked.map_err(|error| match error {
        RequestTokenError::ServerResponse(_) => Flaw::Code,
        RequestTokenError::Request(_) => Flaw::Silent,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Flaw::Claims,
    }))
}

/// Opens a session for whom a provider vouches; with a rule-given role for each group, in one change.
pub async fn sign_in(
    console: &Console,
    origin: &Who,
    provider: &Provider,
    vouched: &Vouched,
    purpose: &Purpose,
    browser: Vec<u8>,
) -> Result<(Session, Receipt), Error> {
    console.may_open(Action::SignIn)?;
    let key = console.seal_key();
    let known = store::identity(&mut console.read().await?, &vouched.issuer, &vouched.subject, key).await?;
    let invited = match (purpose, &known) {
        (Purpose::Join { link }, None) => Some(people::find_link_by_id(&mut console.read().await?, link, key).await?),
        _ => None,
    };
    let invited = invited.flatten();
    // An identity that was taken from somebody makes no second account, and joins no other: whose it was links it again.
    let former = store::former_owner(&mut console.read().await?, &vouched.issuer, &vouched.subject).await?;
    if known.is_none() && former.is_some() {
        return Err(console.ledger.refuse(origin, attempted(provider), Refusal::IdentityTaken).await);
    }
    let id: PersonId = match (&known, &invited) {
        (Some(identity), _) => identity.person_id.parse().map_err(|_| Error::Unavailable)?,
        (None, Some(link)) => link.person_id.parse().map_err(|_| Error::Unavailable)?,
        (None, None) if provider.admits => console.id()?,
        (None, None) => {
            return Err(console.ledger.refuse(origin, attempted(provider), Refusal::NotAdmitted).await);
        }
    };
    let session_id = console.id()?;
    let (who, strength) = (
        Who::person(&id, "provider", Some(app::id::SessionId::as_str(&session_id))).from(origin),
        |identity: &Identity| Strength {
            identity: identity.id.clone(),
            sid: vouched.sid.clone(),
            acr: vouched.acr.clone(),
            auth_time: vouched.auth_time,
        },
    );
    let mut tx = console.ledger.begin(&who).await?;
    let mut events = Vec::new();
    // Between the answer and now the provider may have been removed or set anew, the identity unlinked.
    let current = store::lock(&mut tx, &provider.provider_id, key).await?;
    let known_now = store::identity(&mut tx, &vouched.issuer, &vouched.subject, key).await?;
    let same = known.as_ref().map(|row| &row.id) == known_now.as_ref().map(|row| &row.id);
    if !same || current.is_none_or(|row| row.id != provider.id) {
        return Err(tx.refuse(attempted(provider), Refusal::SignInStale).await);
    }
    let known = known_now;
    let person = match (&known, invited) {
        (Some(_), _) => people::lock(&mut tx, id.as_str(), key).await?.ok_or(Error::NotFound)?,
        (None, Some(link)) => {
            // A link for a new password is none for another identity: only who has not joined yet joins by it.
            let invitee = people::lock(&mut tx, id.as_str(), key).await?.ok_or(Error::NotFound)?;
            if invitee.joined_at.is_some() {
                return Err(tx.refuse(attempted(provider).on(about(&invitee)), Refusal::LinkUsed).await);
            }
            match use_up_link(console, &mut tx, link, None).await {
                Ok((person, joined)) => {
                    events.extend(joined);
                    person
                }
                Err(Error::Refused(why)) => return Err(tx.refuse(attempted(provider), why).await),
                Err(error) => return Err(error),
            }
        }
        (None, None) => {
            let (person, joined) = admit(console, &mut tx, &id, vouched).await?;
            events.push(joined);
            person
        }
    };
    if !person.is_active() {
        return Err(tx.refuse(attempted(provider).on(about(&person)), Refusal::Disabled).await);
    }
    if !person.row_mac.is_empty() {
        tx.rests_on([Basis::of(&person)]);
    }
    let identity = match known {
        Some(identity) => {
            tx.rests_on([Basis::of(&identity)]);
            identity
        }
        None => {
            let (identity, linked) = link(console, &mut tx, &person, vouched).await?;
            events.push(linked);
            identity
        }
    };
    events.extend(told(console, &mut tx, provider, &person, identity.clone(), vouched).await?);
    let (session, signed_in) =
        open_in(console, &mut tx, origin, &person, session_id, "provider", Some(strength(&identity)), browser).await?;
    // The act itself comes first: it is what the receipt names.
    events.insert(0, signed_in.detail("provider", provider.provider_id.clone()));
    let receipt = tx.commit(events).await?;
    Ok((session, receipt))
}

/// A new account for somebody whom nobody invited, where the provider's settings say so.
async fn admit(console: &Console, tx: &mut Tx, id: &PersonId, vouched: &Vouched) -> Result<(Person, Event), Error> {
    let now = console.now();
    let taken: std::collections::BTreeSet<String> =
        people::list(tx).await?.into_iter().map(|person| person.login).collect();
    let wished = vouched.wished_login.as_deref().unwrap_or_default();
    let login = free_login(wished, |login| taken.contains(login)).ok_or(Error::Unavailable)?;
    let person = Person {
        id: id.to_string(),
        name: vouched.name.clone().unwrap_or_else(|| login.clone()),
        login,
        password_hash: None,
        created_at: now,
        joined_at: Some(now),
        disabled_at: None,
        set_up_by: None,
        set_up_at: None,
        factor_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    if people::insert(tx, &person).await? == 0 {
        return Err(Error::Unavailable);
    }
    tx.seal(&person)?;
    let event = Event::new(Action::JoinOrganisation)
        .on(about(&person))
        .private("name", person.name.clone())
        .private("login", person.login.clone());
    Ok((person, event))
}

/// The identity is this person's from now on.
async fn link(console: &Console, tx: &mut Tx, person: &Person, vouched: &Vouched) -> Result<(Identity, Event), Error> {
    let now = console.now();
    let row = Identity {
        id: console.id::<IdentityId>()?.to_string(),
        issuer: vouched.issuer.clone(),
        subject: vouched.subject.clone(),
        person_id: person.id.clone(),
        groups_told: "[]".into(),
        groups_at: now,
        valid_from: now,
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let event = Event::new(Action::LinkIdentity)
        .on(about_row(person, &row.id))
        .private("issuer", row.issuer.clone())
        .private("subject", row.subject.clone());
    if store::insert_identity(tx, &row).await? == 0 {
        return Err(Error::Refused(Refusal::IdentityTaken));
    }
    tx.seal(&row)?;
    Ok((row, event))
}

/// What the provider says of groups now, and what follows from it.
async fn told(
    console: &Console,
    tx: &mut Tx,
    provider: &Provider,
    person: &Person,
    identity: Identity,
    vouched: &Vouched,
) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    if identity.groups() != vouched.groups {
        let groups_told = serde_json::to_string(&vouched.groups).map_err(|_| Error::Unavailable)?;
        let row = Identity { groups_told: groups_told.clone(), groups_at: console.now(), ..identity };
        if store::save_groups(tx, &row).await? == 0 {
            return Err(Error::Conflict(Conflict::EditedMeanwhile));
        }
        tx.seal(&row)?;
        let short: String = groups_told.chars().take(2000).collect();
        let event = Event::new(Action::ReadGroups).on(about_row(person, &row.id));
        events.push(event.detail("groups", vouched.groups.len() as u64).private("groups", short));
    }
    events.extend(groups::apply(console, tx, person, &provider.provider_id, &vouched.groups).await?);
    Ok(events)
}

/// Adds an identity to the account of whoever is signed in.
pub async fn link_identity(
    console: &Console,
    caller: &super::super::Caller,
    provider: &Provider,
    vouched: &Vouched,
) -> Result<Receipt, Error> {
    let key = console.seal_key();
    let subject = about(&caller.person);
    let (mut tx, event) = console.begin(caller, Action::LinkIdentity, subject, super::super::own(true)).await?;
    if store::lock(&mut tx, &provider.provider_id, key).await?.is_none_or(|row| row.id != provider.id) {
        return Err(tx.refuse(event, Refusal::SignInStale).await);
    }
    let known = store::identity(&mut tx, &vouched.issuer, &vouched.subject, key).await?;
    let former = store::former_owner(&mut tx, &vouched.issuer, &vouched.subject).await?;
    match (known, former) {
        (Some(known), _) if known.person_id == caller.id() => return Err(Error::Conflict(Conflict::AlreadyDone)),
        (Some(_), _) => return Err(tx.refuse(event, Refusal::IdentityTaken).await),
        (None, Some(former)) if former != caller.id() => {
            return Err(tx.refuse(event, Refusal::IdentityTaken).await);
        }
        (None, _) => {}
    }
    let person = people::lock(&mut tx, caller.id(), key).await?.ok_or(Error::NotFound)?;
    // A new way in decides nothing in production for a day, and its owner hears of it.
    let person = Person { factor_at: Some(console.now()), ..person };
    people::save(&mut tx, &person).await?;
    tx.seal(&person)?;
    notifications::tell(console, &mut tx, [caller.id()], "identity.linked", caller.id()).await?;
    let (identity, linked) = link(console, &mut tx, &person, vouched).await?;
    let mut events = vec![Event { subject: linked.subject, private: linked.private, ..event }];
    events.extend(told(console, &mut tx, provider, &person, identity, vouched).await?);
    tx.commit(events).await
}
