//! How people sign in: identity providers, what groups give, emergency accounts.
use super::{
    Problem,
    controls::submitted,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    catalog,
    people::{
        self,
        providers::{self, discovery::Metadata, groups, store},
        store as people_store,
    },
};
use app::{
    audit::action::Action,
    error::Error,
    people::{
        page::{self, Checked, DryRun, Named, ProviderLine, RuleLine},
        provider::{Gives, Settings, group},
    },
    policies::model::Role,
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;
use std::collections::BTreeSet;

type Answer = Result<Response, Problem>;

/// Who may set up sign-in may see how it is set up.
fn managers_alone(signed: &Signed) -> Result<(), Error> {
    match signed.console().would(&signed.caller, Action::SetProvider, None, Default::default()) {
        Some(why) => Err(Error::Refused(why)),
        None => Ok(()),
    }
}

pub async fn list(signed: Signed) -> Answer {
    let fresh = Form::default().with("groups_claim", "groups");
    Ok(shown(list_page(&signed, &fresh, None).await?))
}

async fn list_page(signed: &Signed, form: &Form, checked: Option<Checked>) -> Result<String, Error> {
    managers_alone(signed)?;
    let console = signed.console();
    let shell = signed.shell("/providers").await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let mut lines = Vec::new();
    for row in store::providers(&mut db, key).await? {
        lines.push(ProviderLine {
            people: store::identities_at(&mut db, &row.issuer, key).await?.len(),
            rules: store::rules(&mut db, &row.provider_id, key).await?.len(),
            id: row.provider_id,
            name: row.name,
            issuer: row.issuer,
        });
    }
    let named: BTreeSet<String> =
        store::emergency_accounts(&mut db, key).await?.into_iter().map(|row| row.person_id).collect();
    let roles = people_store::roles(&mut db, now, key).await?;
    let (mut emergency, mut others) = (Vec::new(), Vec::new());
    for person in people_store::list(&mut db).await? {
        let held = roles.iter().filter(|row| row.person_id == person.id && row.project_id.is_none());
        let words: Vec<String> = held.filter_map(people_store::RoleRow::words).collect();
        if named.contains(&person.id) {
            let words = if words.is_empty() { "Member".to_owned() } else { words.join(", ") };
            emergency.push((Named { id: person.id, name: person.name }, words));
        } else if person.is_active() && person.password_hash.is_some() {
            let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
            others.push((person.id, format!("{}{words}", person.name)));
        }
    }
    let base_url = signed.site().base_url.clone();
    let view = page::SignInView { providers: lines, emergency, others, base_url, checked };
    Ok(page::sign_in_settings(&shell, view, form))
}

/// The settings as typed.
fn typed(fields: &Fields) -> Result<Settings, Error> {
    let max_age = match fields.get("max_age") {
        "" => None,
        _ => Some(u32::try_from(fields.number("max_age")?).map_err(|_| Error::invalid("max_age", "Choose one."))?),
    };
    Ok(Settings {
        name: fields.get("name").into(),
        issuer: fields.get("issuer").into(),
        client_id: fields.get("client_id").into(),
        groups_claim: fields.get("groups_claim").into(),
        admits: fields.get("admits") == "yes",
        acr: Some(fields.get("acr").to_owned()).filter(|acr| !acr.is_empty()),
        max_age,
    })
}

async fn asked(signed: &Signed, issuer: &str) -> Result<Checked, Error> {
    let issuer = issuer.trim();
    let said = providers::check_provider(signed.console(), &signed.caller, issuer).await?;
    Ok(Checked { issuer: issuer.into(), said: said.map(|metadata| facts(&metadata)).map_err(|why| why.to_string()) })
}

fn facts(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let extra = metadata.additional_metadata();
    let yes = |has: bool, without: &str| if has { "yes".to_owned() } else { without.to_owned() };
    let list = |names: Vec<String>| if names.is_empty() { "not said".to_owned() } else { names.join(", ") };
    let algorithms = metadata
        .id_token_signing_alg_values_supported()
        .iter()
        .filter_map(|alg| serde_json::to_value(alg).ok().and_then(|text| text.as_str().map(ToOwned::to_owned)));
    let texts = |values: Option<Vec<String>>| list(values.unwrap_or_default());
    vec![
        ("Keys", metadata.jwks().keys().len().to_string()),
        ("Signs with", list(algorithms.collect())),
        ("Scopes", texts(metadata.scopes_supported().map(|all| all.iter().map(|one| one.to_string()).collect()))),
        (
            "Contexts (acr)",
            texts(metadata.acr_values_supported().map(|all| all.iter().map(|one| one.to_string()).collect())),
        ),
        ("Names itself in answers (RFC 9207)", yes(extra.authorization_response_iss_parameter_supported, "no")),
        (
            "Back-channel logout",
            yes(extra.backchannel_logout_supported, "no: sessions here end by themselves after eight hours at most"),
        ),
        ("Sign-out there", yes(extra.end_session_endpoint.is_some(), "no")),
    ]
}

pub async fn add(signed: Signed, fields: Fields) -> Answer {
    if fields.get("do") == "check" {
        let checked = asked(&signed, fields.get("issuer")).await?;
        let form = fields.again(Error::Invalid(Vec::new()), &["client_secret"])?;
        return Ok(shown(list_page(&signed, &form, Some(checked)).await?));
    }
    let made = async {
        providers::add_provider(signed.console(), &signed.caller, typed(&fields)?, fields.secret("client_secret")).await
    };
    match made.await {
        Ok(outcome) => Ok(submitted("/providers", Action::SetProvider, outcome)),
        Err(error) => {
            let form = fields.again(error, &["client_secret"])?;
            Ok(mistaken(list_page(&signed, &form, None).await?))
        }
    }
}

pub async fn name_emergency(signed: Signed, fields: Fields) -> Answer {
    let outcome = providers::name_emergency_account(signed.console(), &signed.caller, fields.get("person")).await?;
    Ok(submitted("/providers", Action::NameEmergency, outcome))
}

pub async fn unname_emergency(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = providers::unname_emergency_account(signed.console(), &signed.caller, &id).await?;
    Ok(done("/providers", Action::UnnameEmergency, receipt))
}

#[derive(Default, Deserialize)]
pub struct OneQuery {
    #[serde(default)]
    remove: String,
}

/// What a page of one provider shows beside what is stored.
#[derive(Default)]
struct Beside {
    checked: Option<Checked>,
    dry_run: Option<DryRun>,
    asks_removal: bool,
    form: Option<Form>,
}

pub async fn one(signed: Signed, Path(id): Path<String>, Query(query): Query<OneQuery>) -> Answer {
    let beside = Beside { asks_removal: query.remove == "ask", ..Beside::default() };
    Ok(shown(one_page(&signed, &id, beside).await?))
}

async fn one_page(signed: &Signed, id: &str, beside: Beside) -> Result<String, Error> {
    managers_alone(signed)?;
    let console = signed.console();
    let shell = signed.shell("/providers").await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let row = store::find(&mut db, id, key).await?.ok_or(Error::NotFound)?;
    let mut names = Names::default();
    let mut rules = Vec::new();
    for rule in store::rules(&mut db, id, key).await? {
        let gives = match (&rule.role, &rule.team_id) {
            (Some(role), _) => {
                let role = Role::from_code(role).map_or("unknown role", Role::words);
                match &rule.project_id {
                    Some(project) => {
                        let project = catalog::store::find_project(&mut db, project).await?;
                        format!("{role} of {}", project.map_or_else(|| "a project that is gone".into(), |p| p.name))
                    }
                    None => format!("{role}, whole organisation"),
                }
            }
            (None, Some(team)) => format!("the team {}", names.team(&mut db, team).await?),
            (None, None) => "nothing".into(),
        };
        let mut holders = Vec::new();
        for person in groups::losers(console, &mut db, &rule.id).await? {
            holders.push(names.person(&mut db, signed.site(), &person).await?);
        }
        rules.push(RuleLine {
            gives,
            set_by: format!("by {}", names.person(&mut db, signed.site(), &rule.set_by).await?),
            since: rule.valid_from,
            holders,
            id: rule.id,
            group: rule.group_name,
        });
    }
    let identities = store::identities_at(&mut db, &row.issuer, key).await?;
    let ids: BTreeSet<&str> = identities.iter().map(|identity| identity.id.as_str()).collect();
    let open = people_store::open_sessions(&mut db, now, key).await?;
    let sessions = open.iter().filter(|session| session.identity_id.as_deref().is_some_and(|id| ids.contains(id)));
    let known: BTreeSet<String> = identities.iter().flat_map(|identity| identity.groups()).take(500).collect();
    let present = || Form { values: settings_values(&row.settings()), errors: Vec::new() };
    let form = beside.form.unwrap_or_else(present);
    let view = page::ProviderView {
        seen: row.id.clone(),
        id: id.into(),
        set_by: names.person(&mut db, signed.site(), &row.set_by).await?,
        name: row.name,
        issuer: row.issuer,
        since: row.valid_from,
        base_url: signed.site().base_url.clone(),
        rules,
        known_groups: known.into_iter().collect(),
        projects: catalog::store::projects(&mut db).await?.into_iter().map(|p| (p.id, p.name)).collect(),
        teams: people_store::teams(&mut db).await?.into_iter().map(|team| (team.id, team.name)).collect(),
        dry_run: beside.dry_run,
        checked: beside.checked,
        remove: beside.asks_removal.then(|| sessions.count()),
        manage: None,
    };
    Ok(page::provider(&shell, view, &form))
}

pub async fn change(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    if fields.get("do") == "check" {
        let checked = Some(asked(&signed, fields.get("issuer")).await?);
        let form = Some(fields.again(Error::Invalid(Vec::new()), &["client_secret"])?);
        return Ok(shown(one_page(&signed, &id, Beside { checked, form, ..Beside::default() }).await?));
    }
    let (console, caller) = (signed.console(), &signed.caller);
    let made = async {
        let secret = fields.secret("client_secret");
        providers::change_provider(console, caller, &id, fields.get("seen"), typed(&fields)?, secret).await
    };
    match made.await {
        Ok(outcome) => Ok(submitted(&format!("/providers/{id}"), Action::SetProvider, outcome)),
        Err(error) => {
            let form = Some(fields.again(error, &["client_secret"])?);
            Ok(mistaken(one_page(&signed, &id, Beside { form, ..Beside::default() }).await?))
        }
    }
}

/// `role:lead`, `role:lead:prj_…` or `team:tea_…`.
fn gives(text: &str) -> Result<Gives, Error> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let role = |code| Role::from_code(code).ok_or_else(|| Error::invalid("gives", "Choose what it gives."));
    match parts.as_slice() {
        ["role", code] => Ok(Gives::Role { role: role(code)?, project: None }),
        ["role", code, project] => Ok(Gives::Role { role: role(code)?, project: Some((*project).to_owned()) }),
        ["team", team] => Ok(Gives::Team { team: (*team).to_owned() }),
        _ => Err(Error::invalid("gives", "Choose what it gives.")),
    }
}

pub async fn set_rule(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let made = async {
        let name = group(fields.get("group")).map_err(|why| Error::invalid("group", why))?;
        let gives = gives(fields.get("gives"))?;
        if fields.get("do") == "set" {
            return Ok(Err(groups::set_group_rule(console, &signed.caller, &id, &name, gives).await?));
        }
        managers_alone(&signed)?;
        let mut db = console.read().await?;
        let row = store::find(&mut db, &id, console.seal_key()).await?.ok_or(Error::NotFound)?;
        Ok(Ok(groups::outlook(console, &mut db, &row.issuer, &name, &gives).await?))
    };
    match made.await {
        Ok(Err(outcome)) => Ok(submitted(&format!("/providers/{id}"), Action::SetGroupRule, outcome)),
        Ok(Ok(outlook)) => {
            let mut names = Names::default();
            let mut db = console.read().await?;
            let (mut gain, mut have) = (Vec::new(), Vec::new());
            for (list, people) in [(&mut gain, &outlook.gain), (&mut have, &outlook.have)] {
                for person in people {
                    list.push(names.person(&mut db, signed.site(), person).await?);
                }
            }
            drop(db);
            let dry_run = Some(DryRun { gain, have });
            let form = Some(with_settings(&signed, &id, fields, Vec::new()).await?);
            Ok(shown(one_page(&signed, &id, Beside { dry_run, form, ..Beside::default() }).await?))
        }
        Err(Error::Invalid(errors)) => {
            let form = Some(with_settings(&signed, &id, fields, errors).await?);
            Ok(mistaken(one_page(&signed, &id, Beside { form, ..Beside::default() }).await?))
        }
        Err(error) => Err(error.into()),
    }
}

/// The form of a rule as it was sent, beside the settings as they are.
async fn with_settings(
    signed: &Signed,
    id: &str,
    fields: Fields,
    errors: Vec<app::error::FieldError>,
) -> Result<Form, Error> {
    let console = signed.console();
    let row = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let sent = fields.again(Error::Invalid(errors), &[])?;
    Ok(Form { errors: sent.errors, values: [sent.values, settings_values(&row.settings())].concat() })
}

fn settings_values(settings: &Settings) -> Vec<(String, String)> {
    [
        ("name", settings.name.clone()),
        ("issuer", settings.issuer.clone()),
        ("client_id", settings.client_id.clone()),
        ("groups_claim", settings.groups_claim.clone()),
        ("admits", if settings.admits { "yes" } else { "no" }.to_owned()),
        ("acr", settings.acr.clone().unwrap_or_default()),
        ("max_age", settings.max_age.map(|seconds| seconds.to_string()).unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

pub async fn remove(signed: Signed, Path(id): Path<String>) -> Answer {
    let outcome = providers::remove_provider(signed.console(), &signed.caller, &id).await?;
    Ok(submitted("/providers", Action::RemoveProvider, outcome))
}

pub async fn remove_rule(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let row = store::find_rule(&mut console.read().await?, &id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let receipt = people::providers::groups::remove_group_rule(console, &signed.caller, &id).await?;
    Ok(done(&format!("/providers/{}", row.provider_id), Action::RemoveGroupRule, receipt))
}
