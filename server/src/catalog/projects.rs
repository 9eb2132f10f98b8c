//! Making projects and environments.
use super::store::{self, Environment, Project};
use crate::{
    audit::ledger::Receipt,
    console::Console,
    people::{self, Caller},
    policies::Situation,
    vault,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error},
    id::{EnvironmentId, ProjectId},
    people::model,
    policies::model::Tier,
};

/// What a new project is.
pub struct NewProject<'a> {
    pub slug: &'a str,
    pub name: &'a str,
    pub description: &'a str,
    pub open: bool,
    pub team: &'a str,
}

/// A project with the four usual environments, each with its own key.
pub async fn create_project(
    console: &Console,
    caller: &Caller,
    new: NewProject<'_>,
) -> Result<(String, Receipt), Error> {
    let now = console.now();
    let project = Project {
        id: console.id::<ProjectId>()?.to_string(),
        slug: model::slug(new.slug).map_err(|why| Error::invalid("slug", why))?,
        name: vault::name(console, "name", new.name).await?,
        description: vault::line(console, "description", new.description, 500).await?,
        is_open: new.open,
        team_id: new.team.into(),
        created_at: now,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let subject = Subject { project: Some(project.id.clone()), team: Some(new.team.into()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::CreateProject, subject, Situation::default()).await?;
    if people::store::find_team(&mut tx, new.team).await?.is_none() {
        return Err(Error::invalid("team", "Choose the team that owns it."));
    }
    if store::insert_project(&mut tx, &project).await? == 0 {
        return Err(Error::invalid("slug", "That name is taken."));
    }
    tx.seal(&project)?;
    let mut events = vec![event.private("name", project.name.clone()).private("slug", project.slug.clone())];
    for (position, tier) in (0..).zip(Tier::ALL) {
        let environment = row(console, &project.id, tier.code(), *tier, position)?;
        events.push(put(console, &mut tx, &environment).await?);
    }
    let receipt = tx.commit(events).await?;
    Ok((project.id, receipt))
}

/// One more environment, at a protection level.
pub async fn create_environment(
    console: &Console,
    caller: &Caller,
    project: &Project,
    slug: &str,
    tier: Tier,
) -> Result<(String, Receipt), Error> {
    let slug = model::slug(slug).map_err(|why| Error::invalid("slug", why))?;
    let position = store::environments(&mut console.read().await?, &project.id, console.seal_key()).await?.len();
    let environment = row(console, &project.id, &slug, tier, position as i32)?;
    let subject =
        Subject { project: Some(project.id.clone()), environment: Some(environment.id.clone()), ..Subject::default() };
    let situation = super::environment_situation(&environment);
    let (mut tx, event) = console.begin(caller, Action::CreateEnvironment, subject, situation).await?;
    let made = put(console, &mut tx, &environment).await?;
    let event = crate::audit::event::Event { policy: event.policy, ..made };
    Ok((environment.id, tx.commit(vec![event]).await?))
}

fn row(console: &Console, project: &str, slug: &str, tier: Tier, position: i32) -> Result<Environment, Error> {
    Ok(Environment {
        id: console.id::<EnvironmentId>()?.to_string(),
        project_id: project.into(),
        slug: slug.into(),
        tier: tier.into(),
        position,
        created_at: console.now(),
        event_seq: 0,
        row_mac: Vec::new(),
    })
}

async fn put(
    console: &Console,
    tx: &mut crate::audit::ledger::Tx,
    environment: &Environment,
) -> Result<crate::audit::event::Event, Error> {
    if store::insert_environment(tx, environment).await? == 0 {
        return Err(Error::Conflict(Conflict::Taken));
    }
    tx.seal(environment)?;
    vault::make_key(console, tx, &environment.id, 1).await?;
    let subject = Subject {
        project: Some(environment.project_id.clone()),
        environment: Some(environment.id.clone()),
        ..Subject::default()
    };
    let event = crate::audit::event::Event::new(Action::CreateEnvironment).on(subject);
    Ok(event.detail("tier", environment.tier().code()).private("slug", environment.slug.clone()))
}
