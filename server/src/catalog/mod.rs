//! The catalog: projects, environments, secrets as metadata. States and invariants are in `app/src/catalog`.
mod imports;
mod projects;
mod secrets;
mod sight;
pub mod store;

pub use imports::*;
pub use projects::*;
pub use secrets::*;
pub use sight::Sight;

use crate::{
    audit::row_seal::SealKey,
    console::Console,
    db::Sql,
    grants::{self, Holder},
    people::Caller,
    policies::Situation,
};
use app::{
    audit::{action::Action, leaf::Subject},
    catalog::model,
    error::Error,
    id::SecretId,
    policies::model::{Right, Role},
};
use store::{Environment, Project, Secret};

/// A secret with the place where it lies.
#[derive(Clone, Debug)]
pub struct Located {
    pub project: Project,
    pub environment: Environment,
    pub secret: Secret,
}

impl Located {
    pub async fn find(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Option<Self>, Error> {
        let Some(secret) = store::find(db, secret, key).await? else { return Ok(None) };
        let project = store::find_project(db, &secret.project_id).await?;
        let environment = store::find_environment(db, &secret.environment_id, key).await?;
        Ok(project.zip(environment).map(|(project, environment)| Self { project, environment, secret }))
    }

    /// The secret, if this caller may know that it exists.
    pub async fn visible(console: &Console, db: &mut impl Sql, caller: &Caller, secret: &str) -> Result<Self, Error> {
        let located = Self::find(db, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
        let seen = is_visible(console, db, caller, &located.project).await?;
        if seen { Ok(located) } else { Err(Error::NotFound) }
    }

    /// The secret at `project/environment/path`, or by its id, if this caller may know that it exists.
    pub async fn named(console: &Console, db: &mut impl Sql, caller: &Caller, name: &str) -> Result<Self, Error> {
        if name.parse::<SecretId>().is_ok() {
            return Self::visible(console, db, caller, name).await;
        }
        let mut parts = name.splitn(3, '/');
        let (Some(project), Some(environment), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::invalid("secret", "Name it by its id, or as project/environment/path."));
        };
        let project = visible_project(console, db, caller, project).await?;
        let key = console.seal_key();
        let environments = store::environments(db, &project.id, key).await?;
        let environment = environments.into_iter().find(|row| row.slug == environment).ok_or(Error::NotFound)?;
        let path = model::path(path).map_err(|_| Error::NotFound)?;
        let secret = store::find_at(db, &environment.id, &model::folded(&path), key).await?;
        let secret = secret.filter(|secret| secret.path == path).ok_or(Error::NotFound)?;
        Ok(Self { project, environment, secret })
    }

    pub fn subject(&self) -> Subject {
        Subject {
            project: Some(self.project.id.clone()),
            environment: Some(self.environment.id.clone()),
            secret: Some(self.secret.id.clone()),
            ..Subject::default()
        }
    }
}

/// May this caller see the names in a project, grants aside?
pub fn sees(console: &Console, caller: &Caller, project: &Project) -> bool {
    let situation = Situation { open: project.is_open, ..Situation::default() };
    console.would(caller, Action::ViewCatalog, Some(&project.id), situation).is_none()
}

/// May this caller know that a project exists: by its openness, a role, or a grant in it?
async fn is_visible(console: &Console, db: &mut impl Sql, caller: &Caller, project: &Project) -> Result<bool, Error> {
    let holder = Holder::Person(caller.id());
    Ok(sees(console, caller, project)
        || grants::holds_any_in(db, holder, &project.id, console.now(), console.seal_key()).await?)
}

/// The project, if this caller may know that it exists.
pub async fn visible_project(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    slug: &str,
) -> Result<Project, Error> {
    let slug = app::people::model::slug(slug).map_err(|_| Error::NotFound)?;
    let project = store::find_project_by_slug(db, &slug).await?.ok_or(Error::NotFound)?;
    let seen = is_visible(console, db, caller, &project).await?;
    if seen { Ok(project) } else { Err(Error::NotFound) }
}

/// Every project that this caller may know of.
pub async fn visible_projects(console: &Console, db: &mut impl Sql, caller: &Caller) -> Result<Vec<Project>, Error> {
    let mut visible = Vec::new();
    for project in store::projects(db).await? {
        if is_visible(console, db, caller, &project).await? {
            visible.push(project);
        }
    }
    Ok(visible)
}

/// The part of a situation that an environment decides.
pub fn environment_situation(environment: &Environment) -> Situation {
    Situation { tier: Some(environment.tier()), ..Situation::default() }
}

/// The part of a situation that a secret and its place decide.
pub fn secret_situation(located: &Located) -> Situation {
    Situation {
        open: located.project.is_open,
        tier: Some(located.environment.tier()),
        class: Some(located.secret.class()),
        ..Situation::default()
    }
}

/// The whole situation of a caller before a secret, for an action that needs `right`.
pub async fn situation(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    located: &Located,
    right: Option<Right>,
) -> Result<Situation, Error> {
    let mut situation = secret_situation(located);
    situation.team = caller.teams.contains(&located.secret.team_id);
    if let Some(right) = right {
        let holder = Holder::Person(caller.id());
        let grant = grants::effective(db, holder, &located.secret.id, right, console.now(), console.seal_key()).await?;
        situation.grant = grant.is_some();
    }
    Ok(situation)
}

/// Who is told when a secret needs somebody: the project's leads and the team that owns it, as far as they may see it.
pub async fn owners(console: &Console, db: &mut impl Sql, project: &str, secret: &str) -> Result<Vec<String>, Error> {
    let mut owners = leads(console, db, project).await?;
    if let Some(row) = store::find(db, secret, console.seal_key()).await? {
        let members = crate::people::store::memberships(db, None, console.now(), console.seal_key()).await?;
        let roles = crate::people::store::roles(db, console.now(), console.seal_key()).await?;
        let open = store::find_project(db, project).await?.is_some_and(|project| project.is_open);
        let sees = |person: &str| {
            let here = |of: Option<&str>| of.is_none_or(|theirs| theirs == project);
            open || roles.iter().any(|role| role.person_id == person && here(role.project_id.as_deref()))
        };
        let members = members.into_iter().filter(|member| member.team_id == row.team_id && sees(&member.person_id));
        owners.extend(members.map(|member| member.person_id));
    }
    owners.sort_unstable();
    owners.dedup();
    Ok(owners)
}

/// Who leads a project: its own leads and those of the organisation.
pub async fn leads(console: &Console, db: &mut impl Sql, project: &str) -> Result<Vec<String>, Error> {
    let roles = crate::people::store::roles(db, console.now(), console.seal_key()).await?;
    let mut leads: Vec<String> = roles
        .into_iter()
        .filter(|row| row.role == Role::Lead.code() && row.project_id.as_deref().is_none_or(|theirs| theirs == project))
        .map(|row| row.person_id)
        .collect();
    leads.sort_unstable();
    leads.dedup();
    Ok(leads)
}
