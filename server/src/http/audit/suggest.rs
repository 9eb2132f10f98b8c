//! What the query box offers: keys, and values of the key that the cursor is in.
use super::super::visitor::Signed;
use crate::{audit::search::Reading, catalog, people, workloads};
use app::{
    audit::{
        action::Action,
        query::{Key, Part, part_at},
    },
    error::{Error, Refusal},
    policies::model::Tier,
};
use serde::Serialize;

/// How many are offered at once.
const MOST: usize = 12;

#[derive(Serialize)]
pub struct Offer {
    value: String,
    words: String,
}

#[derive(Serialize)]
pub struct Offers {
    start: usize,
    end: usize,
    offers: Vec<Offer>,
}

/// What fits what is typed so far. Only what this reader may see the trail of is named.
pub async fn offers(signed: &Signed, text: &str, cursor: usize) -> Result<Offers, Error> {
    let console = signed.console();
    let reading = Reading::of_events(console, &signed.caller).await?.ok_or(Error::Refused(Refusal::NoRule))?;
    let Part { start, end, key, typed } = part_at(text, cursor);
    let typed = typed.to_lowercase();
    let mut found = match key {
        None => {
            let keys = Key::ALL.iter().filter(|key| !typed.is_empty() && key.code().starts_with(&typed));
            keys.map(|key| (format!("{}:", key.code()), key.words().to_owned())).collect()
        }
        // Names are of now: whoever audits a period types them as its events have them.
        Some(key) if matches!(reading, Reading::Period { .. }) && of_names(key) => Vec::new(),
        Some(key) => values(signed, &reading, key).await?,
    };
    if key.is_some() {
        // What begins so comes before what only has it somewhere.
        let rank = |value: &str, words: &str| {
            let value = value.to_lowercase();
            if value.starts_with(&typed) {
                Some(0)
            } else if value.contains(&typed) || words.to_lowercase().contains(&typed) {
                Some(1)
            } else {
                None
            }
        };
        found.retain(|(value, words)| rank(value, words).is_some());
        found.sort_by_key(|(value, words)| rank(value, words));
    }
    let offers = found.into_iter().take(MOST).map(|(value, words)| Offer { value, words }).collect();
    Ok(Offers { start, end, offers })
}

/// Are its values names of things as they are now?
fn of_names(key: Key) -> bool {
    matches!(key, Key::Project | Key::Env | Key::Secret | Key::Workload | Key::Actor | Key::Person)
}

async fn values(signed: &Signed, reading: &Reading, key: Key) -> Result<Vec<(String, String)>, Error> {
    let console = signed.console();
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect::<Vec<_>>()
    };
    let mut db = console.read().await?;
    let people = |people: Vec<people::store::Person>| people.into_iter().map(|person| (person.login, person.name));
    Ok(match key {
        Key::Action => Action::ALL.iter().map(|action| (action.code().to_owned(), action.words().to_owned())).collect(),
        Key::Outcome => pairs(&[("allowed", ""), ("refused", "not allowed"), ("failed", "it did not work")]),
        Key::ActorType => pairs(&[
            ("person", ""),
            ("workload", ""),
            ("system", "the service itself"),
            ("anonymous", "nobody signed in"),
        ]),
        Key::Reason => Refusal::ALL.iter().map(|refusal| (refusal.code().to_owned(), refusal.to_string())).collect(),
        Key::Created => pairs(&[
            ("today", ""),
            ("yesterday", ""),
            ("24h", "the last 24 hours"),
            ("7d", "the last 7 days"),
            ("30d", "the last 30 days"),
            ("90d", "the last 90 days"),
        ]),
        Key::Project => catalog::store::projects(&mut db)
            .await?
            .into_iter()
            .filter(|project| reading.covers(Some(&project.id)))
            .map(|project| (project.slug, project.name))
            .collect(),
        Key::Env => {
            let mut slugs: Vec<(String, String)> =
                Tier::ALL.iter().map(|tier| (tier.code().to_owned(), "protection level".to_owned())).collect();
            let all = catalog::store::all_environments(&mut db, console.seal_key()).await?;
            let seen = all.into_iter().filter(|row| reading.covers(Some(&row.project_id)));
            slugs.extend(seen.filter(|row| row.slug != row.tier().code()).map(|row| {
                let tier = row.tier.text();
                (row.slug, tier)
            }));
            slugs.sort();
            slugs.dedup_by(|one, other| one.0 == other.0);
            slugs
        }
        Key::Actor => {
            let mut all =
                pairs(&[("me", "yourself"), ("system", "the service itself"), ("anonymous", "nobody signed in")]);
            all.extend(people(people::store::list(&mut db).await?));
            let machines = workloads::store::list(&mut db, console.seal_key()).await?;
            let machines = machines.into_iter().filter(|row| reading.covers(Some(&row.project_id)));
            all.extend(machines.map(|row| (row.slug, "workload".to_owned())));
            all
        }
        Key::Person => people(people::store::list(&mut db).await?).collect(),
        Key::Workload => workloads::store::list(&mut db, console.seal_key())
            .await?
            .into_iter()
            .filter(|row| reading.covers(Some(&row.project_id)))
            .map(|row| (row.slug, "workload".to_owned()))
            .collect(),
        Key::Secret | Key::Ip | Key::Request | Key::Grant | Key::Policy | Key::Session | Key::Row | Key::Event => {
            Vec::new()
        }
    })
}
