//! One's own account and sessions.
use super::{
    Problem,
    visitor::{Fields, Signed, done, mistaken, shown},
};
use crate::{
    console::Console,
    db::Sql,
    people::{self, store, tokens::store as token_store},
};
use app::{
    audit::action::Action,
    error::Error,
    people::{
        page::{self, SessionLine, TokenLine},
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
    let mut db = console.read().await?;
    let current = signed.caller.session().map(|session| session.id.clone());
    let mut lines = Vec::new();
    for session in store::sessions_of(&mut db, signed.caller.id(), console.now(), console.seal_key()).await? {
        lines.push(SessionLine {
            seen_at: store::seen_at(&mut db, &session.id).await?.unwrap_or(session.started_at),
            this: current.as_ref() == Some(&session.id),
            id: session.id,
            started_at: session.started_at,
            expires_at: session.expires_at,
            agent: session.agent.map_or_else(|| "unknown".into(), |agent| browser_words(&agent)),
            address: session.address.unwrap_or_else(|| "unknown".into()),
        });
    }
    let tokens = tokens(console, &mut db, signed.caller.id()).await?;
    Ok(page::account(&shell, &signed.caller.person.login, lines, tokens, form))
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
    let back = if owner == signed.caller.id() { "/account".to_owned() } else { format!("/people/{owner}") };
    Ok(done(&back, Action::EndAccessToken, receipt))
}

pub async fn end_session(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = people::end_session(signed.console(), &signed.caller, &id).await?;
    Ok(done("/account", Action::EndSession, receipt))
}

pub async fn sign_out(signed: Signed) -> Answer {
    let receipt = people::sign_out(signed.console(), &signed.caller).await?;
    if let Err(error) = signed.visitor.browser.flush().await {
        tracing::warn!(%error, "a browser's record stayed; its session is revoked all the same");
    }
    Ok(done("/sign-in", Action::SignOut, receipt))
}
