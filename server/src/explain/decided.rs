//! A decision of the past: what it was made from, the rule as it was written then, and what would be said today.
use super::ask;
use crate::{
    audit::{search::Reading, store::Stored},
    catalog::Located,
    console::Console,
    policies::{documents, organisation::Organisation, replay::Kept, store, written},
};
use app::{
    audit::{
        action::Action,
        leaf::{Leaf, Outcome},
    },
    error::{Error, Refusal},
    explain::model::{Decided, Rule, Verdict, help},
    policies::model::Role,
};

/// `None`: the event was no decision of a policy, but an effect of another act or the service's own.
///
/// What a provider says of somebody is told to whoever reads everything; what holds today to nobody who audits a period alone.
pub async fn decided(console: &Console, row: &Stored, reading: &Reading) -> Result<Option<Decided>, Error> {
    let Ok(leaf) = Leaf::decode(&row.leaf) else { return Ok(None) };
    let (Some(policy), Some(action)) = (leaf.policy.clone(), Action::from_code(&row.action)) else { return Ok(None) };
    let mut db = console.read().await?;
    documents::follow(&console.engine, &mut db, console.seal_key()).await?;
    documents::learn_names(&console.engine, &mut db, &leaf.subject).await?;
    let present = console.engine.organisation();
    let rule = rule_then(console, &mut db, &present, &policy.id, policy.version).await?;
    let kept = match &policy.input {
        Some(digest) => store::inputs(&mut db, std::slice::from_ref(digest)).await?.remove(digest),
        None => None,
    };
    let kept = kept.and_then(|input| Kept::read(&input));
    let located = match &leaf.subject.secret {
        Some(id) => Located::find(&mut db, id, console.seal_key()).await?,
        None => None,
    };
    let fixed = leaf.outcome == Outcome::Refused && rule.as_ref().is_some_and(|rule| rule.permits);
    let (mut now, mut now_rule) = (None, None);
    // Where a fixed rule refused, policies say nothing of today; nor where they look at what was not kept.
    let back = matches!(reading, Reading::Period { .. });
    let told = kept
        .as_ref()
        .filter(|kept| !back && !fixed && !console.engine.needs_more(&present, action, &leaf, &kept.moment));
    if let Some(kept) = told {
        let principal = kept.principal(&leaf);
        let name = |id: &Option<String>| id.as_ref().and_then(|id| console.engine.short_name(id));
        let (project, environment) = (name(&leaf.subject.project), name(&leaf.subject.environment));
        let bytes = leaf.encode().unwrap_or_default();
        let disclosed = crate::audit::store::told(&mut db, [(leaf.seq as i64, bytes.as_slice())]).await?;
        let address = disclosed.into_iter().find(|(_, field, ..)| field == "address").map(|(.., value)| value);
        // A proposal bears the name of its own act, and was decided as what it proposes.
        let asked = Action::ALL.iter().copied().find(|known| known.name() == kept.action).unwrap_or(action);
        let place = (project.as_deref(), environment.as_deref());
        let question = kept.question(&principal, asked, place, address.as_deref(), leaf.at);
        let decision = console.engine.decide_with(&present, &question);
        now = Some(match decision.refusal {
            None => Verdict::Yes,
            Some(Refusal::FactorNeeded) => Verdict::WithFactor,
            Some(refusal) => Verdict::No(refusal),
        });
        now_rule = written::rule(&present, &decision.deciding.id);
    }
    let refusal =
        row.reason.as_deref().and_then(|code| Refusal::ALL.iter().copied().find(|known| known.code() == code));
    let actor = leaf.actor.id.clone().unwrap_or_default();
    let whom = match refusal {
        Some(refusal) if !back => Some(ask(console, &mut db, located.as_ref(), help(refusal), &actor).await?),
        _ => None,
    };
    Ok(Some(Decided {
        seq: row.seq as u64,
        at: leaf.at,
        action,
        allowed: leaf.outcome == Outcome::Allowed,
        refusal,
        rule_id: policy.id,
        version: policy.version,
        rule,
        fixed,
        facts: kept.as_ref().map(|kept| facts(kept, *reading == Reading::All)),
        now,
        now_rule,
        ask: whom,
    }))
}

/// The rule as it was in that version. Of the built-in ones only the version of this program is at hand.
async fn rule_then(
    console: &Console,
    db: &mut impl crate::db::Sql,
    present: &Organisation,
    id: &str,
    version: u32,
) -> Result<Option<Rule>, Error> {
    let Some((slug, _)) = id.split_once('/') else {
        return Ok(written::rule(present, id).filter(|rule| rule.version == version));
    };
    let row = store::find_version(db, slug, version, console.seal_key()).await?;
    Ok(row.and_then(|row| written::rule_in(&row.document(), id)))
}

/// What was known, in words. Where somebody came from stands in the event itself, as long as it is kept there.
fn facts(kept: &Kept, whole: bool) -> Vec<(String, String)> {
    let roles = |codes: &std::collections::BTreeSet<String>| {
        let word = |code: &str| match code {
            crate::people::PAST_AUDITOR => Some("Auditor of a period"),
            code => Role::from_code(code).map(Role::words),
        };
        let words: Vec<&str> = codes.iter().filter_map(|code| word(code)).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let yes = |flag: bool| if flag { "yes".to_owned() } else { "no".to_owned() };
    let situation = &kept.situation;
    let mut facts = Vec::new();
    let mut add = |word: &str, what: String| facts.push((word.to_owned(), what));
    if !kept.principal.workload {
        add("Roles in the organisation", roles(&kept.principal.org));
        add("Roles in the project", roles(&kept.principal.here));
        add("Second factor enrolled", yes(kept.principal.factor));
        add("Second factor shown for this act", yes(kept.principal.proved));
        if kept.principal.new_factor {
            add("That factor is younger than 24 hours", yes(true));
        }
    }
    if let Some(scopes) = &kept.principal.scopes {
        let words: Vec<&str> = scopes.iter().map(|scope| scope.code()).collect();
        add("Scopes of the token", words.join(", "));
    }
    add("A grant in force", yes(situation.grant));
    add("Their own", yes(situation.own));
    add("Of a team of theirs", yes(situation.team));
    add("Project open to all", yes(situation.open));
    if let Some(tier) = situation.tier {
        add("Protection level", tier.words().into());
    }
    if let Some(class) = situation.class {
        add("Class", class.words().into());
    }
    if situation.loosens {
        add("Would loosen a control", yes(true));
    }
    let told = |name: &str| name != "address" && (whole || !["groups", "acr"].contains(&name));
    for (name, value) in kept.moment.iter().filter(|(name, _)| told(name)) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        add(&format!("{}{}", name[..1].to_uppercase(), &name[1..]), value);
    }
    facts
}
