//! What one caller may know of, for lists: each project is asked about once, not once for every row.
use super::{
    Located,
    store::{self, Environment, Project},
    visible_projects,
};
use crate::{console::Console, db::Sql, people::Caller};
use app::error::Error;
use std::collections::HashMap;

pub struct Sight {
    projects: HashMap<String, Project>,
    environments: HashMap<String, Environment>,
}

impl Sight {
    pub async fn of(console: &Console, db: &mut impl Sql, caller: &Caller) -> Result<Self, Error> {
        let projects = visible_projects(console, db, caller).await?;
        let environments = store::all_environments(db, console.seal_key()).await?;
        Ok(Self {
            projects: projects.into_iter().map(|row| (row.id.clone(), row)).collect(),
            environments: environments.into_iter().map(|row| (row.id.clone(), row)).collect(),
        })
    }

    /// Those of some secrets that the caller may know of, by their ids.
    pub async fn locate(
        &self,
        console: &Console,
        db: &mut impl Sql,
        ids: &[String],
    ) -> Result<HashMap<String, Located>, Error> {
        let mut located = HashMap::new();
        for secret in store::some(db, ids, console.seal_key()).await? {
            let place = self.projects.get(&secret.project_id).zip(self.environments.get(&secret.environment_id));
            if let Some((project, environment)) = place {
                let (project, environment) = (project.clone(), environment.clone());
                located.insert(secret.id.clone(), Located { project, environment, secret });
            }
        }
        Ok(located)
    }
}
