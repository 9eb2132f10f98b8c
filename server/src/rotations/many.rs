//! Many at once: what fits a selection, who will notice, and beginning what was chosen.
use super::{consumers, is_confirmed, start_for, store, take_up_leaver};
use crate::{
    catalog::{self, Located, sees},
    console::Console,
    db::Sql,
    people::{self, Caller},
    vault,
};
use app::{
    error::{Conflict, Error},
    rotations::model::Trigger,
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// How many are shown and begun at once.
pub const MOST: usize = 100;

/// Which secrets are meant: all conditions that are set have to fit.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Named one by one.
    pub secrets: Vec<String>,
    /// The value is older than so many days.
    pub older: Option<i64>,
    /// Known to this person; somebody who left counts.
    pub person: Option<String>,
    /// Fetched by this workload.
    pub workload: Option<String>,
    /// In this project, by its slug.
    pub project: Option<String>,
    /// The path begins so.
    pub path: Option<String>,
}

impl Selection {
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
            && self.older.is_none()
            && self.person.is_none()
            && self.workload.is_none()
            && self.project.is_none()
            && self.path.is_none()
    }
}

/// A secret that fits, and what would happen.
pub struct Fit {
    pub located: Located,
    pub age: TimeDelta,
    pub known_to: usize,
    /// Ids of the workloads that fetched it of late.
    pub consumers: Vec<String>,
    /// How it rotates; or why it cannot begin now.
    pub how: Result<String, String>,
}

/// What fits a selection, as far as this caller sees it, the strictest level first; and how many more there are.
pub async fn fitting(console: &Console, caller: &Caller, selection: &Selection) -> Result<(Vec<Fit>, usize), Error> {
    if selection.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let known: Option<BTreeSet<String>> = match &selection.person {
        Some(person) => Some(vault::store::known_to(&mut db, person).await?.into_iter().collect()),
        None => None,
    };
    let fetched: Option<BTreeSet<String>> = match &selection.workload {
        Some(workload) => Some(consumers::fetched_by(&mut db, workload, now).await?),
        None => None,
    };
    let mut fits = Vec::new();
    for project in catalog::store::projects(&mut db).await? {
        let meant = selection.project.as_ref().is_none_or(|slug| *slug == project.slug);
        if !meant || !sees(console, caller, &project) {
            continue;
        }
        let environments = catalog::store::environments(&mut db, &project.id, key).await?;
        let current = vault::store::current_of(&mut db, &project.id).await?;
        for secret in catalog::store::secrets_of(&mut db, &project.id, key).await? {
            let Some(version) = current.iter().find(|version| version.secret_id == secret.id) else { continue };
            let age = now - version.created_at;
            let fit = secret.archived_at.is_none()
                && (selection.secrets.is_empty() || selection.secrets.contains(&secret.id))
                && selection.older.is_none_or(|days| age > TimeDelta::try_days(days).unwrap_or(TimeDelta::MAX))
                && known.as_ref().is_none_or(|known| known.contains(&secret.id))
                && fetched.as_ref().is_none_or(|fetched| fetched.contains(&secret.id))
                && selection.path.as_ref().is_none_or(|path| secret.path.starts_with(path.as_str()));
            let environment = environments.iter().find(|row| row.id == secret.environment_id);
            if let Some(environment) = environment.filter(|_| fit) {
                let located = Located { project: project.clone(), environment: environment.clone(), secret };
                fits.push((located, age));
            }
        }
    }
    fits.sort_by_key(|(located, age)| (std::cmp::Reverse(located.environment.tier()), std::cmp::Reverse(*age)));
    let more = fits.len().saturating_sub(MOST);
    fits.truncate(MOST);
    let mut lines = Vec::new();
    for (located, age) in fits {
        let knowing = vault::store::knowing(&mut db, &located.secret.id).await?;
        let current = located.secret.current_version;
        let people: BTreeSet<&str> =
            knowing.iter().filter(|row| Some(row.version) == current).map(|row| row.person_id.as_str()).collect();
        let consumers = consumers(&mut db, &located.secret.id, now).await?;
        let how = outlook(console, &mut db, caller, &located).await?;
        lines.push(Fit {
            age,
            known_to: people.len(),
            consumers: consumers.into_iter().map(|consumer| consumer.workload).collect(),
            how,
            located,
        });
    }
    // What can begin comes first.
    lines.sort_by_key(|line| line.how.is_err());
    Ok((lines, more))
}

/// What would happen if this caller began a rotation now.
async fn outlook(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    located: &Located,
) -> Result<Result<String, String>, Error> {
    let key = console.seal_key();
    let situation = catalog::secret_situation(located);
    let project = Some(located.project.id.as_str());
    if let Some(refusal) = console.would(caller, app::audit::action::Action::StartRotation, project, situation) {
        return Ok(Err(refusal.to_string()));
    }
    let Some(plan) = store::find_plan(db, &located.secret.id, key).await? else {
        return Ok(Err("Nothing says how it rotates.".into()));
    };
    if !is_confirmed(console, &plan, located) {
        return Ok(Err("Its plan waits for security.".into()));
    }
    let open = store::open_of(db, &located.secret.id, key).await?;
    if open.is_some_and(|row| !row.only_looks()) {
        return Ok(Err("A rotation is under way.".into()));
    }
    let words = plan.target().map_or("", |target| target.kind().words());
    let overlap = match plan.overlap_minutes {
        0 => "the old value is disabled at once".to_owned(),
        minutes => format!("both values work for up to {}", app::time::span(TimeDelta::minutes(minutes))),
    };
    Ok(Ok(format!("{words}; {overlap}.")))
}

/// What came of one of many: a rotation or, where there is no plan, a case; or why nothing did.
pub enum Came {
    Rotation(String),
    Case(String),
    Not(Error),
}

/// Begins a rotation of each. After a leaver each also has a case that counts from when they left; with `cut_off` the old values
/// are disabled as soon as the new ones work.
pub async fn begin_many(
    console: &Console,
    caller: &Caller,
    secrets: &[String],
    leaver: Option<&str>,
    cut_off: bool,
) -> Result<Vec<(Located, Came)>, Error> {
    let left = match leaver {
        Some(person) => {
            let row = people::store::find(&mut console.read().await?, person, console.seal_key()).await?;
            let row = row.ok_or(Error::NotFound)?;
            let at = row.disabled_at.ok_or_else(|| Error::invalid("leaver", "This person can still sign in."))?;
            Some((row.id, at))
        }
        None => None,
    };
    let mut lines = Vec::new();
    for secret in secrets.iter().take(MOST) {
        let located = Located::visible(console, &mut console.read().await?, caller, secret).await;
        let located = match located {
            Ok(located) => located,
            Err(Error::NotFound) => continue,
            Err(error) => return Err(error),
        };
        let came = begin_one(console, caller, &located, left.as_ref(), cut_off).await;
        lines.push((located, came.unwrap_or_else(Came::Not)));
    }
    Ok(lines)
}

async fn begin_one(
    console: &Console,
    caller: &Caller,
    located: &Located,
    left: Option<&(String, app::time::Moment)>,
    cut_off: bool,
) -> Result<Came, Error> {
    let secret = &located.secret.id;
    let Some((person, at)) = left else {
        return Ok(Came::Rotation(start_for(console, caller, secret, Trigger::Manual, false).await?.0));
    };
    let version = located.secret.current_version.ok_or(Error::NotFound)?;
    let known = vault::store::known_to(&mut console.read().await?, person).await?;
    if !known.contains(secret) {
        return Err(Error::invalid("leaver", "This person does not know the value in use."));
    }
    let case = match take_up_leaver(console, caller, secret, version, (person, *at), cut_off).await {
        Ok((case, _)) => Some(case),
        // Chosen twice: the case is there, the rotation may not be.
        Err(Error::Conflict(Conflict::AlreadyDone)) => None,
        Err(error) => return Err(error),
    };
    match (start_for(console, caller, secret, Trigger::Leaver, cut_off).await, case) {
        (Ok((rotation, _)), _) => Ok(Came::Rotation(rotation)),
        (Err(Error::Invalid(_) | Error::Refused(_) | Error::Conflict(_)), Some(case)) => Ok(Came::Case(case)),
        (Err(error), _) => Err(error),
    }
}
