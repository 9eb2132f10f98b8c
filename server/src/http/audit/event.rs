//! One event with its proof, for the panel beside the list and for its own page.
use super::super::{
    Site,
    visitor::{Names, Signed},
};
use super::lines::{actor, lines, sentence};
use crate::{
    audit::{
        search::Reading,
        store::{self, Stored},
        tiles,
    },
    catalog,
    db::Sql,
    people, workloads,
};
use app::{
    audit::{
        leaf::Leaf,
        page::{Change, EventView, Fact},
        query::Key,
        tree::{leaf_hash, verify_inclusion},
    },
    error::Error,
};
use chrono_tz::Tz;
use serde_json::Value;
use std::collections::BTreeMap;

pub async fn view(signed: &Signed, row: Stored, zone: Tz) -> Result<EventView, Error> {
    let (console, site) = (signed.console(), signed.site());
    let reading = Reading::of(console, &signed.caller).await?;
    let seq = row.seq as u64;
    let built = console.builder.build().await.unwrap_or_else(|_| console.builder.signed());
    let mut db = console.read().await?;
    let leaf = Leaf::decode(&row.leaf).ok();
    let hash = leaf_hash(&row.leaf);
    let signed_root = console.builder.verifier().open(&built.note).ok().map(|checkpoint| checkpoint.root);
    let proof =
        if seq < built.size { tiles::Prover::new(built.size).inclusion(&mut db, seq).await? } else { Vec::new() };
    let proven = signed_root.is_some_and(|root| verify_inclusion(&hash, seq, built.size, &proof, &root));
    use app::audit::tree::hex;
    let told: BTreeMap<String, String> =
        store::told(&mut db, [row.numbered()]).await?.into_iter().map(|(_, field, _, value)| (field, value)).collect();
    let withheld = leaf.as_ref().map(|leaf| {
        leaf.committed.keys().filter(|name| !told.contains_key(*name)).map(|name| name.replace('_', " ")).collect()
    });
    let json = Leaf::json(&row.leaf).ok().and_then(|json| serde_json::from_str::<Value>(json).ok());
    let of_now = !matches!(reading, Some(Reading::Period { .. }));
    let mut names = Names::default();
    let line =
        lines(site, &mut db, &mut names, std::slice::from_ref(&row), zone).await?.pop().ok_or(Error::NotFound)?;
    let found = match &leaf {
        Some(leaf) => facts(site, &mut db, &mut names, &row, leaf, &told, of_now).await?,
        None => Found::default(),
    };
    let detail = leaf.as_ref().map(|leaf| leaf.detail.clone()).unwrap_or_default();
    let (mut changes, details) = changes(&detail);
    if let (Some(before), Some(after)) = (told.get("path_before"), told.get("path")) {
        changes.push(Change { what: "path".into(), before: before.clone(), after: after.clone() });
    }
    let quoted = ["reason", "comment", "what", "purpose"];
    let shown = |name: &str| !quoted.contains(&name) && !["address", "agent", "path_before"].contains(&name);
    Ok(EventView {
        line,
        place: found.place,
        facts: found.facts,
        changes,
        details,
        reason: row.reason.as_deref().map(sentence).unwrap_or_default(),
        quote: quoted.iter().find_map(|name| told.get(*name).cloned()).filter(|quote| !quote.is_empty()),
        policy: leaf.as_ref().and_then(|leaf| leaf.policy.clone()).map(|policy| (policy.id, policy.version)),
        withheld: withheld.unwrap_or_default(),
        disclosed: told
            .iter()
            .filter(|(name, _)| shown(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        suppressed: leaf.as_ref().and_then(|leaf| leaf.suppressed),
        json: json.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_default(),
        leaf: hex(&hash),
        root: signed_root.map(|root| hex(&root)).unwrap_or_default(),
        size: built.size,
        proof: proof.iter().map(|hash| hex(hash)).collect(),
        proven,
        checked_at: console.now(),
        actor: found.actor,
    })
}

#[derive(Default)]
struct Found {
    facts: Vec<Fact>,
    place: Option<(String, Option<(String, app::policies::model::Tier)>)>,
    actor: Option<String>,
}

/// Every value of an event that leads somewhere or that events are found by.
async fn facts(
    site: &Site,
    db: &mut impl Sql,
    names: &mut Names,
    row: &Stored,
    leaf: &Leaf,
    told: &BTreeMap<String, String>,
    of_now: bool,
) -> Result<Found, Error> {
    let key = site.console.seal_key();
    let mut found = Found::default();
    let facts = &mut found.facts;
    let mut add = |label, shown: String, id: Option<&str>, href: Option<String>, find: Option<(Key, &str)>| {
        let find = find.map(|(key, value)| (key, value.to_owned()));
        facts.push(Fact { label, shown, id: id.map(ToOwned::to_owned), href, find });
    };
    let (kind, id) = (row.actor_kind.as_str(), row.actor_id.as_deref());
    let href = match (kind, id) {
        ("person", Some(id)) => Some(format!("/people/{id}")),
        ("workload", Some(id)) => Some(format!("/workloads/{id}")),
        _ => None,
    };
    let called = match (kind, id) {
        ("person", Some(id)) => people::store::find(db, id, key).await?.map(|person| person.login),
        ("workload", Some(id)) => workloads::store::find(db, id, key).await?.map(|workload| workload.slug),
        (kind, None) => Some(kind.to_owned()),
        (_, Some(job)) => Some(job.to_owned()),
    };
    let called = called.or_else(|| id.map(ToOwned::to_owned)).unwrap_or_default();
    let by = leaf.actor.method.as_deref().map_or(String::new(), |method| format!(", by {method}"));
    let name = actor(site, db, names, row).await?;
    let shown = if id.is_some() && kind != "system" { format!("{name}, {kind}{by}") } else { name };
    // Two workloads of different projects may have one name: an id is one alone.
    let find = if kind == "workload" { id.unwrap_or(&called).to_owned() } else { called };
    add("Actor", shown, id, href, Some((Key::Actor, &find)));
    found.actor = Some(find.clone()).filter(|find| !find.is_empty());
    if let Some(address) = told.get("address") {
        add("From", address.clone(), None, None, Some((Key::Ip, address)));
    }
    if let Some(agent) = told.get("agent") {
        add("Agent", agent.clone(), None, None, None);
    }
    if let Some(session) = &leaf.actor.session {
        add("Session", session.clone(), None, None, Some((Key::Session, session)));
    }
    let subject = &leaf.subject;
    let environment = match &subject.environment {
        Some(id) => catalog::store::find_environment(db, id, key).await?,
        None => None,
    };
    if let Some(id) = &subject.project {
        let project = catalog::store::find_project(db, id).await?;
        let (name, slug) = project.map_or_else(|| (id.clone(), id.clone()), |project| (project.name, project.slug));
        add("Project", name.clone(), None, Some(format!("/projects/{slug}")), Some((Key::Project, &slug)));
        found.place = Some((name, environment.as_ref().map(|row| (row.slug.clone(), row.tier()))));
    }
    if let Some(row) = &environment {
        add(
            "Environment",
            row.slug.clone(),
            None,
            Some(format!("/environments/{}", row.id)),
            Some((Key::Env, &row.id)),
        );
    }
    if let Some(id) = &subject.secret {
        // As the event tells it; what it is called today is not for whoever reads the events of a period.
        let path = match (told.get("path"), of_now) {
            (Some(path), _) => path.clone(),
            (None, true) => catalog::store::find(db, id, key).await?.map_or_else(|| id.clone(), |secret| secret.path),
            (None, false) => id.clone(),
        };
        let version = subject.version.map_or(String::new(), |version| format!(", version {version}"));
        add("Secret", format!("{path}{version}"), Some(id), Some(format!("/secrets/{id}")), Some((Key::Secret, id)));
    }
    if let Some(id) = &subject.request {
        add("Request", id.clone(), None, Some(format!("/requests/{id}")), Some((Key::Request, id)));
    }
    if let Some(id) = &subject.grant {
        add("Grant", id.clone(), None, None, Some((Key::Grant, id)));
    }
    if let Some(id) = &subject.person {
        let login = people::store::find(db, id, key).await?.map_or_else(|| id.clone(), |person| person.login);
        let name = names.person(db, site, id).await?;
        add("Person", name, Some(id), Some(format!("/people/{id}")), Some((Key::Person, &login)));
    }
    if let Some(id) = &subject.team {
        add("Team", names.team(db, id).await?, Some(id), None, None);
    }
    if let Some(id) = &subject.workload {
        let name = names.workload(db, site, id).await?;
        add("Workload", name, Some(id), Some(format!("/workloads/{id}")), Some((Key::Workload, id)));
    }
    if let Some(id) = &subject.row {
        let href = match id.split_once('_') {
            Some(("rot", _)) => Some(format!("/rotations/{id}")),
            Some(("cas", _)) => Some(format!("/cases/{id}")),
            _ => None,
        };
        add("Thing", id.clone(), None, href, Some((Key::Row, id)));
    }
    if let Some(id) = &leaf.correlation {
        add("Request id", id.clone(), None, None, None);
    }
    Ok(found)
}

/// Pairs of what was and what is, and everything else that an event says.
fn changes(detail: &BTreeMap<String, Value>) -> (Vec<Change>, Vec<(String, String)>) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let before = |name: &str| match name {
        "began_at" => Some("from".to_owned()),
        _ => Some(format!("{name}_before")),
    };
    let (mut changes, mut used) = (Vec::new(), Vec::new());
    for (name, after) in detail {
        let Some((from, was)) = before(name).and_then(|from| detail.get_key_value(&from)) else { continue };
        used.extend([name.clone(), from.clone()]);
        if was != after {
            changes.push(Change { what: name.replace('_', " "), before: text(was), after: text(after) });
        }
    }
    let rest = detail.iter().filter(|(name, _)| !used.contains(name));
    (changes, rest.map(|(name, value)| (name.clone(), text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_from_what_is_said() {
        let detail: BTreeMap<String, Value> = [
            ("class", Value::from("high")),
            ("class_before", Value::from("low")),
            ("kind", Value::from("opaque")),
            ("began_at", Value::from("b")),
            ("from", Value::from("a")),
            ("tier", Value::from("x")),
            ("tier_before", Value::from("x")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let (changes, rest) = changes(&detail);
        let pairs: Vec<_> =
            changes.iter().map(|one| (one.what.as_str(), one.before.as_str(), one.after.as_str())).collect();
        assert_eq!(pairs, [("began at", "a", "b"), ("class", "low", "high")]);
        assert_eq!(rest, [("kind".to_owned(), "opaque".to_owned())]);
    }
}
