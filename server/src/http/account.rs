//! One's own account and sessions.
use super::{
    Problem,
    controls::submitted,
    visitor::{Fields, Signed, done, mistaken, shown},
};
use crate::{
    console::Console,
    db::Sql,
    people::{self, providers::store, store as people_store, tokens::store as token_store},
};
use app::{
    audit::action::Action,
    error::Error,
    people::{
        page::{self, DelegationLine, IdentityLine, SessionLine, TokenLine, Way},
        tokens::Scope,
    },
    ui::Form,
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

pub async fn account(signed: Signed) -> Answer {
    Ok(shown(account_page(&signed, &Form::default()).await?))
}

async fn account_page(signed: &Signed, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/account").await?;
    let me = signed.caller.id();
    let mut db = console.read().await?;
    let current = signed.caller.session().map(|session| session.id.as_str());
    let identities = identities(console, &mut db, me).await?;
    let linked: Vec<&str> = identities.iter().map(|line| line.provider.as_str()).collect();
    let ways = store::providers(&mut db, console.seal_key()).await?.into_iter();
    let view = page::Account {
        delegations: delegations(console, &mut db, me, true).await?,
        decides: signed.caller.roles.iter().any(|row| people::delegation::decides(&row.role)),
        login: signed.caller.person.login.clone(),
        sessions: sessions(console, &mut db, me, current).await?,
        tokens: tokens(console, &mut db, me).await?,
        factors: super::factors::factors(console, &mut db, me).await?,
        passkeys: signed.site().passkeys.is_some(),
        linkable: ways
            .filter(|row| !linked.contains(&row.name.as_str()))
            .map(|row| Way { href: format!("/account/identities/link/{}", row.provider_id), name: row.name })
            .collect(),
        password: signed.caller.person.password_hash.is_some()
            && people::providers::takes_password(console, &mut db, me).await?,
        identities,
    };
    Ok(page::account(&shell, view, form))
}

/// Who decides in whose place, now or later, as it is said to the person or of them.
pub(super) async fn delegations(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    own: bool,
) -> Result<Vec<DelegationLine>, Error> {
    let mut lines = Vec::new();
    for row in people::delegation::open_of(console, db, person).await? {
        let away = row.person_id == person;
        let other = if away { &row.delegate_id } else { &row.person_id };
        let other = people_store::find(db, other, console.seal_key()).await?.map_or_else(String::new, |row| row.name);
        let words = match (away, own) {
            (true, true) => format!("{other} decides in your place"),
            (true, false) => format!("{other} decides in their place"),
            (false, true) => format!("You decide in the place of {other}"),
            (false, false) => format!("They decide in the place of {other}"),
        };
        lines.push(DelegationLine { id: row.id, words, starts_at: row.starts_at, ends_at: row.ends_at });
    }
    Ok(lines)
}

/// Proposes somebody to decide in one's place.
pub async fn delegate(signed: Signed, fields: Fields) -> Answer {
    let proposed = async {
        let console = signed.console();
        let day = |name: &'static str| {
            let day = fields.get(name).parse::<chrono::NaiveDate>();
            day.map_err(|_| Error::invalid(name, "Choose a day."))
        };
        let login = app::people::model::login(fields.get("delegate")).unwrap_or_default();
        let found = people_store::find_by_login(&mut console.read().await?, &login, console.seal_key()).await?;
        let midnight = |day: chrono::NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
        let (from, until) = (midnight(day("from")?), day("until")?);
        let until = until.succ_opt().map(midnight).ok_or_else(|| Error::invalid("until", "Choose a day."))?;
        let found = found.ok_or_else(|| Error::invalid("delegate", "Nobody here is called so."))?;
        people::delegation::delegate(console, &signed.caller, &found.id, from, until).await
    };
    match proposed.await {
        Ok(outcome) => Ok(submitted("/account", Action::Delegate, outcome)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(account_page(&signed, &form).await?))
        }
    }
}

pub async fn end_delegation(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = people::delegation::end(signed.console(), &signed.caller, &id).await?;
    Ok(done("/account", Action::EndDelegation, receipt))
}

/// The open sessions of a person.
pub(super) async fn sessions(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    current: Option<&str>,
) -> Result<Vec<SessionLine>, Error> {
    let mut lines = Vec::new();
    for session in people_store::sessions_of(db, person, console.now(), console.seal_key()).await?.into_iter().rev() {
        lines.push(SessionLine {
            seen_at: people_store::seen_at(db, &session.id).await?.unwrap_or(session.started_at),
            this: current == Some(session.id.as_str()),
            method: match session.method.as_str() {
                people::PASSWORD => "with a password".into(),
                "provider" => "through an identity provider".into(),
                "demo" => "as a persona of the demonstration".into(),
                other => other.to_owned(),
            },
            id: session.id,
            started_at: session.started_at,
            expires_at: session.expires_at,
            agent: session.agent.map_or_else(|| "unknown".into(), |agent| browser_words(&agent)),
            address: session.address.unwrap_or_else(|| "unknown".into()),
        });
    }
    Ok(lines)
}

/// The identities of providers that sign in as a person.
pub(super) async fn identities(console: &Console, db: &mut impl Sql, person: &str) -> Result<Vec<IdentityLine>, Error> {
    let providers = store::providers(db, console.seal_key()).await?;
    let mut lines = Vec::new();
    for row in store::identities_of(db, person, console.seal_key()).await? {
        let provider = providers.iter().find(|provider| provider.issuer == row.issuer);
        lines.push(IdentityLine {
            groups: row.groups().into_iter().collect(),
            provider: provider.map_or_else(|| row.issuer.clone(), |provider| provider.name.clone()),
            id: row.id,
            subject: row.subject,
            since: row.valid_from,
        });
    }
    Ok(lines)
}

/// The tokens of a person that work.
pub(super) async fn tokens(console: &Console, db: &mut impl Sql, person: &str) -> Result<Vec<TokenLine>, Error> {
    let mut lines = Vec::new();
    for token in token_store::of_person(db, person, console.now(), console.seal_key()).await? {
        lines.push(TokenLine {
            used_at: token_store::used_at(db, &token.id).await?,
            scopes: token.scopes(),
            id: token.id,
            name: token.name,
            created_at: token.created_at,
            expires_at: token.expires_at,
        });
    }
    Ok(lines)
}

/// "Firefox on Linux": enough to recognise one's own browser.
fn browser_words(agent: &str) -> String {
    let pick =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = pick(&[("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = pick(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        _ => agent.chars().take(60).collect(),
    }
}

pub async fn change_password(signed: Signed, fields: Fields) -> Answer {
    let (former, new) = (fields.secret("password"), fields.secret("new_password"));
    match people::change_password(signed.console(), &signed.caller, former, new).await {
        Ok(receipt) => Ok(done("/account", Action::ChangePassword, receipt)),
        Err(error) => {
            let form = fields.again(error, &["password", "new_password"])?;
            Ok(mistaken(account_page(&signed, &form).await?))
        }
    }
}

pub async fn create_token(signed: Signed, fields: Fields) -> Answer {
    let console = signed.console();
    let made = async {
        let life = chrono::TimeDelta::try_days(fields.number("days")?).unwrap_or_default();
        let scopes: Vec<Scope> = fields.all("scope").iter().filter_map(|code| Scope::from_code(code)).collect();
        people::create_access_token(console, &signed.caller, fields.get("name"), &scopes, life).await
    };
    match made.await {
        Ok((token, _)) => {
            let shell = signed.shell("/account").await?;
            Ok(shown(page::token_made(&shell, fields.get("name"), &token, &signed.site().base_url)))
        }
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(account_page(&signed, &form).await?))
        }
    }
}

/// One's own, or somebody else's from their page.
pub async fn end_token(signed: Signed, Path(id): Path<String>) -> Answer {
    let (owner, receipt) = people::end_access_token(signed.console(), &signed.caller, &id).await?;
    Ok(done(&page_of(&signed, &owner), Action::EndAccessToken, receipt))
}

/// The page that shows what is somebody's: one's own account, or their page.
fn page_of(signed: &Signed, person: &str) -> String {
    if person == signed.caller.id() { "/account".to_owned() } else { format!("/people/{person}") }
}

pub async fn end_session(signed: Signed, Path(id): Path<String>) -> Answer {
    let (owner, receipt) = people::end_session(signed.console(), &signed.caller, &id).await?;
    Ok(done(&page_of(&signed, &owner), Action::EndSession, receipt))
}

/// All of one's own but this one.
pub async fn end_own_sessions(signed: Signed) -> Answer {
    let receipt = people::end_sessions(signed.console(), &signed.caller, signed.caller.id()).await?;
    Ok(done("/account", Action::EndSession, receipt))
}

/// All of somebody's.
pub async fn end_sessions(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = people::end_sessions(signed.console(), &signed.caller, &id).await?;
    Ok(done(&page_of(&signed, &id), Action::EndSession, receipt))
}

pub async fn unlink(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let row =
        store::find_identity(&mut console.read().await?, &id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let receipt = people::providers::unlink_identity(console, &signed.caller, &id).await?;
    Ok(done(&page_of(&signed, &row.person_id), Action::UnlinkIdentity, receipt))
}

pub async fn sign_out(signed: Signed) -> Answer {
    let receipt = people::sign_out(signed.console(), &signed.caller).await?;
    if let Err(error) = signed.visitor.browser.flush().await {
        tracing::warn!(%error, "a browser's record stayed; its session is revoked all the same");
    }
    // The provider's own session goes on: the next page says so, and where it ends.
    let identity = signed.caller.session().and_then(|session| session.identity_id.clone());
    let provider = match identity {
        Some(identity) => people::providers::provider_of(signed.console(), &identity).await?,
        None => None,
    };
    let to = provider.map_or_else(|| "/sign-in".to_owned(), |provider| format!("/sign-in?out={provider}"));
    Ok(match receipt {
        Some(receipt) => done(&to, Action::SignOut, receipt),
        // The session had ended already.
        None => axum::response::IntoResponse::into_response(axum::response::Redirect::to(&to)),
    })
}
