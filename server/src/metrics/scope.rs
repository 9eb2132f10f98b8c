//! What figures are of: the projects that somebody sees, one of them, one protection level.
use crate::{
    audit::search::Reading,
    catalog::{self, store::Project},
    console::Console,
    db::Sql,
    people::Caller,
};
use app::{
    error::{Error, Refusal},
    policies::model::Tier,
};
use std::collections::HashMap;

pub struct Scope {
    /// Those that a viewer may choose from.
    pub projects: Vec<Project>,
    pub reading: Reading,
    /// The chosen one's slug; empty: all.
    pub project: String,
    pub level: Option<Tier>,
    /// Environments that are looked at, with the project and level of each.
    environments: HashMap<String, (String, Tier)>,
}

impl Scope {
    pub async fn of(
        console: &Console,
        db: &mut impl Sql,
        caller: &Caller,
        project: &str,
        level: &str,
    ) -> Result<Self, Error> {
        let reading = Reading::of(console, caller).await?.ok_or(Error::Refused(Refusal::NoRule))?;
        let all = catalog::store::projects(db).await?;
        let projects: Vec<Project> = all.into_iter().filter(|row| reading.covers(Some(&row.id))).collect();
        if !project.is_empty() && !projects.iter().any(|row| row.slug == project) {
            return Err(Error::invalid("project", format!("There is no project {project} here.")));
        }
        let level = match level {
            "" => None,
            code => Some(Tier::from_code(code).ok_or_else(|| Error::invalid("level", "There is no such level."))?),
        };
        let mut environments = HashMap::new();
        for row in catalog::store::all_environments(db, console.seal_key()).await? {
            let owner = projects.iter().find(|known| known.id == row.project_id);
            let chosen = owner.is_some_and(|owner| project.is_empty() || owner.slug == project);
            if chosen && level.is_none_or(|level| row.tier() == level) {
                environments.insert(row.id.clone(), (row.project_id.clone(), row.tier()));
            }
        }
        Ok(Self { projects, reading, project: project.into(), level, environments })
    }

    /// Is everything looked at, also what belongs to no project?
    pub fn is_all(&self) -> bool {
        self.reading == Reading::All && self.project.is_empty() && self.level.is_none()
    }

    pub fn tier(&self, environment: &str) -> Option<Tier> {
        self.environments.get(environment).map(|(_, tier)| *tier)
    }

    /// The projects that are looked at.
    pub fn chosen(&self) -> impl Iterator<Item = &Project> {
        self.projects.iter().filter(|row| self.project.is_empty() || row.slug == self.project)
    }

    /// Does a count belong here? One without an environment does where no level is chosen.
    pub fn holds(&self, project: &str, environment: &str) -> bool {
        if !environment.is_empty() {
            return self.environments.contains_key(environment);
        }
        if project.is_empty() {
            return self.is_all();
        }
        self.level.is_none() && self.chosen().any(|row| row.id == project)
    }

    /// The same in the trail's language.
    pub fn query(&self) -> String {
        let mut terms = Vec::new();
        if !self.project.is_empty() {
            terms.push(format!(" project:{}", self.project));
        }
        if let Some(level) = self.level {
            terms.push(format!(" env:{}", level.code()));
        }
        terms.concat()
    }
}
