//! The figures of cases, and what the time of rotations went into, over what a caller sees.
use super::{
    rotations,
    store::{self, Case},
};
use crate::{
    catalog::{self, store::Project},
    console::Console,
    db::Sql,
    people::Caller,
};
use app::{
    error::Error,
    policies::model::Tier,
    rotations::{
        cases::{Case as Known, Figures, figures},
        model::Trigger,
        parts::{Parts, Run, parts},
    },
    time::Moment,
};
use std::collections::HashMap;

/// The environments that figures are of, with their protection levels.
pub struct Seen {
    pub projects: Vec<Project>,
    tiers: HashMap<String, Tier>,
}

impl Seen {
    /// What a caller sees of the whole organisation, or of one project by its slug.
    pub async fn by(
        console: &Console,
        db: &mut impl Sql,
        caller: &Caller,
        project: Option<&str>,
    ) -> Result<Self, Error> {
        let (mut projects, mut tiers) = (Vec::new(), HashMap::new());
        for row in catalog::visible_projects(console, db, caller).await? {
            if project.is_none_or(|slug| slug == row.slug) {
                for environment in catalog::store::environments(db, &row.id, console.seal_key()).await? {
                    tiers.insert(environment.id.clone(), environment.tier());
                }
            }
            projects.push(row);
        }
        Ok(Self { projects, tiers })
    }

    pub fn holds(&self, case: &Case) -> bool {
        self.tiers.contains_key(&case.environment_id)
    }

    /// What the time of rotations went into, for each trigger over `[from, to)`.
    pub async fn parts(
        &self,
        console: &Console,
        db: &mut impl Sql,
        from: Moment,
        to: Moment,
    ) -> Result<Vec<(Trigger, Parts)>, Error> {
        let key = console.seal_key();
        let mut closed: HashMap<(String, Moment), usize> = HashMap::new();
        for case in store::since(db, from, key).await? {
            if let Some(dead) = case.dead_at {
                *closed.entry((case.secret_id, dead)).or_default() += 1;
            }
        }
        let rows = rotations::since(db, from, key).await?;
        let seen = rows.into_iter().filter(|row| self.tiers.contains_key(&row.environment_id));
        let runs: Vec<Run> = seen
            .map(|row| Run {
                trigger: row.trigger(),
                due_at: row.due_at,
                started_at: row.started_at,
                made_at: row.made_at,
                promoted_at: row.promoted_at,
                dead_at: row.dead_at,
                ended_at: row.ended_at,
                failures: u32::try_from(row.failures).unwrap_or(0),
                cases: row.dead_at.and_then(|dead| closed.get(&(row.secret_id, dead)).copied()).unwrap_or(0),
            })
            .collect();
        Ok(Trigger::ALL.iter().map(|trigger| (*trigger, parts(&runs, *trigger, from, to))).collect())
    }

    /// The figures of each trigger over `[from, to)`.
    pub async fn figures(
        &self,
        console: &Console,
        db: &mut impl Sql,
        from: Moment,
        to: Moment,
    ) -> Result<Vec<(Trigger, Figures)>, Error> {
        let now = console.now();
        let rows = store::since(db, from, console.seal_key()).await?;
        let known: Vec<Known> = rows
            .iter()
            .filter_map(|row| {
                Some(Known {
                    trigger: row.trigger(),
                    began_at: row.began_at,
                    dead_at: row.dead_at,
                    ended_at: row.ended_at,
                    end: row.end(),
                    target: console.level_at(*self.tiers.get(&row.environment_id)?, row.began_at).dead_within(),
                })
            })
            .collect();
        Ok(Trigger::ALL.iter().map(|trigger| (*trigger, figures(&known, *trigger, from, to, now))).collect())
    }
}
