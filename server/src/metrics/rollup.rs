//! The projection behind the figures: events counted by the hour.
use super::store::{self, Added};
use crate::audit::{
    ledger::Housekeeping,
    projection::{Projection, Told},
};
use app::{
    error::Error,
    metrics::model::{Series, counted},
    time::Moment,
};
use std::collections::{BTreeMap, BTreeSet};

/// Hours since 1970.
pub fn hour(at: Moment) -> i64 {
    at.timestamp().div_euclid(3_600)
}

pub struct Rollup;

impl Projection for Rollup {
    const NAME: &'static str = "metrics";

    async fn fold(&self, tx: &mut Housekeeping, told: &[Told]) -> Result<(), Error> {
        let mut counts: BTreeMap<(i64, Series, String, String, String), i64> = BTreeMap::new();
        let mut actors = BTreeSet::new();
        for told in told {
            let leaf = &told.leaf;
            let Some((series, label, value)) = counted(leaf) else { continue };
            let hour = hour(leaf.at);
            let project = leaf.subject.project.clone().unwrap_or_default();
            let environment = leaf.subject.environment.clone().unwrap_or_default();
            if series == Series::Failed {
                // Whoever is not known is told apart by the address that the attempt came from.
                let actor = leaf.actor.id.clone().or_else(|| told.private.get("address").cloned());
                actors.insert((hour, actor.unwrap_or_default(), project.clone(), environment.clone()));
            }
            *counts.entry((hour, series, label, project, environment)).or_default() += value as i64;
        }
        for ((hour, series, label, project, environment), value) in counts {
            store::add(tx, &Added { hour, series: series.code(), label, project, environment, value }).await?;
        }
        for (hour, actor, project, environment) in actors {
            store::note_actor(tx, hour, &actor, &project, &environment).await?;
        }
        Ok(())
    }
}
