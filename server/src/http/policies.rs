//! Policies of the organisation: list, editor, what-if.
use super::{
    Problem,
    controls::submitted,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    console::Console,
    db::Sql,
    policies::{
        Situation, check,
        documents::{self, Typed, document},
        organisation::GOVERNED,
        replay::{self, Replayed, Shift},
        store::{self, PolicyRow},
    },
};
use app::{
    audit::action::Action,
    controls::model::Change,
    error::Error,
    policies::{
        document::{Side, template},
        model::Tier,
        page::{self, DraftLine, Editor, Line, Past, Proposed, Shifted, WhatIf},
    },
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;
use similar::{ChangeTag, TextDiff};

type Answer = Result<Response, Problem>;

/// How many days a what-if may look back.
const LONGEST: i64 = 400;

fn may(signed: &Signed, action: Action) -> bool {
    signed.console().would(&signed.caller, action, None, Situation::default()).is_none()
}

/// Leads read them too: their people are governed by them.
fn may_read(signed: &Signed) -> Result<(), Error> {
    let leads = signed.caller.roles.iter().any(|row| row.role == app::policies::model::Role::Lead.code());
    if leads || may(signed, Action::ViewPolicies) { Ok(()) } else { Err(Error::Refused(app::error::Refusal::NoRule)) }
}

pub async fn list(signed: Signed) -> Answer {
    may_read(&signed)?;
    let console = signed.console();
    let shell = signed.shell("/policies").await?;
    let mut db = console.read().await?;
    let mut names = Names::default();
    let rows = store::in_force(&mut db, console.seal_key()).await?;
    let mut in_force = Vec::new();
    for row in &rows {
        in_force.push(Line {
            id: row.policy_id.clone(),
            slug: row.slug.clone(),
            name: row.name.clone(),
            version: row.version,
            rules: row.document().rules(),
            by: names.person(&mut db, signed.site(), &row.set_by).await?,
            since: row.valid_from,
        });
    }
    let mut drafts = Vec::new();
    for draft in store::drafts(&mut db).await? {
        drafts.push(DraftLine {
            is_new: !rows.iter().any(|row| row.policy_id == draft.policy_id),
            by: names.person(&mut db, signed.site(), &draft.edited_by).await?,
            id: draft.policy_id,
            slug: draft.slug,
            name: draft.name,
            at: draft.edited_at,
        });
    }
    Ok(shown(page::list(&shell, in_force, drafts, may(&signed, Action::SaveDraft), crate::policies::BUILT_IN)))
}

#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    template: String,
    /// A version whose text is to be the draft's.
    #[serde(default)]
    from: String,
    #[serde(default)]
    days: i64,
}

pub async fn new(signed: Signed, Query(asked): Query<Asked>) -> Answer {
    if !may(&signed, Action::SaveDraft) {
        return Err(Error::Refused(app::error::Refusal::NoRule).into());
    }
    Ok(shown(new_page(&signed, &asked.template, &Form::default()).await?))
}

async fn new_page(signed: &Signed, wanted: &str, form: &Form) -> Result<String, Error> {
    let shell = signed.shell("/policies").await?;
    let text = Tier::from_code(wanted).map(template).unwrap_or_default();
    let editor = Editor { text: text.into(), ..empty(true) };
    Ok(page::editor(&shell, editor, form))
}

fn empty(may: bool) -> Editor {
    Editor {
        id: None,
        slug: String::new(),
        name: String::new(),
        text: String::new(),
        seen: 0,
        draft: false,
        in_force: None,
        mistakes: Vec::new(),
        lints: Vec::new(),
        diff: Vec::new(),
        what_if: None,
        waiting: Vec::new(),
        history: Vec::new(),
        may,
        schema: crate::policies::SCHEMA,
        governed: GOVERNED.iter().map(|action| action.name()).collect::<Vec<_>>().join(", "),
    }
}

pub async fn create(signed: Signed, fields: Fields) -> Answer {
    let typed = Typed { slug: fields.get("slug"), name: fields.get("name"), text: fields.get("text"), seen: 0 };
    match documents::save_draft(signed.console(), &signed.caller, None, typed).await {
        Ok((id, receipt)) => Ok(done(&format!("/policies/{id}"), Action::SaveDraft, receipt)),
        Err(error) => Ok(mistaken(new_page(&signed, "", &fields.again(error, &[])?).await?)),
    }
}

pub async fn one(signed: Signed, Path(id): Path<String>, Query(asked): Query<Asked>) -> Answer {
    may_read(&signed)?;
    Ok(shown(one_page(&signed, &id, &asked, &Form::default()).await?))
}

async fn one_page(signed: &Signed, id: &str, asked: &Asked, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/policies").await?;
    let mut db = console.read().await?;
    let versions = store::versions(&mut db, id, console.seal_key()).await?;
    let draft = store::find_draft(&mut db, id).await?;
    let present = versions.first().filter(|row| row.valid_to.is_none());
    let (slug, name, kept) = match (&draft, versions.first()) {
        (Some(draft), _) => (draft.slug.clone(), draft.name.clone(), draft.text.clone()),
        (None, Some(row)) => (row.slug.clone(), row.name.clone(), row.text.clone()),
        (None, None) => return Err(Error::NotFound),
    };
    let back = versions.iter().find(|row| row.id == asked.from).map(|row| row.text.clone());
    let text = back.unwrap_or(kept);
    let mut names = Names::default();
    let mut history = Vec::new();
    for (number, row) in versions.iter().enumerate() {
        let before = versions.get(number + 1).map_or("", |row| row.text.as_str());
        history.push(Past {
            row: row.id.clone(),
            version: row.version,
            by: names.person(&mut db, signed.site(), &row.set_by).await?,
            from: row.valid_from,
            to: row.valid_to,
            diff: compare(before, &row.text),
        });
    }
    let proposals = crate::controls::store::open(&mut db, console.now(), console.seal_key()).await?;
    let concerns = |row: &crate::controls::store::Proposal| match row.change() {
        Some(Change::SetPolicy { policy, .. } | Change::RemovePolicy { policy }) => policy == id,
        _ => false,
    };
    let waiting = proposals.into_iter().filter(concerns).map(|row| row.id).collect();
    drop(db);
    let mistakes = check::mistakes_aside(&console.engine, &text).await?;
    let drafted = document(id, &slug, versions.first().map_or(1, |row| row.version + 1), &text);
    let organisation = console.engine.organisation();
    let lints = if mistakes.is_empty() && may(signed, Action::SaveDraft) {
        let (engine, now) = (console.engine.clone(), console.now());
        let drafted = drafted.clone();
        let _turn = console.engine.turn().await?;
        tokio::task::spawn_blocking(move || check::lints(&engine, &organisation, &drafted, now))
            .await
            .map_err(|_| Error::Unavailable)?
    } else {
        Vec::new()
    };
    let what_if = if asked.days > 0 && mistakes.is_empty() && may(signed, Action::SaveDraft) {
        let days = asked.days.min(LONGEST);
        Some(tried(signed, &mut names, id, Some(drafted), days).await?)
    } else {
        None
    };
    let editor = Editor {
        id: Some(id.into()),
        slug,
        name,
        diff: compare(present.map_or("", |row| row.text.as_str()), &text),
        text,
        seen: draft.as_ref().map_or(0, |draft| draft.revision),
        draft: draft.is_some(),
        in_force: present.map(|row| row.version),
        mistakes,
        lints,
        what_if,
        waiting,
        history,
        ..empty(may(signed, Action::SaveDraft))
    };
    Ok(page::editor(&shell, editor, form))
}

/// Lines that differ, with three around them.
pub(super) fn compare(before: &str, after: &str) -> Vec<(Side, String)> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(3) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let side = match change.tag() {
                ChangeTag::Equal => Side::Both,
                ChangeTag::Delete => Side::Before,
                ChangeTag::Insert => Side::After,
            };
            lines.push((side, change.value().trim_end_matches('\n').to_owned()));
        }
    }
    lines
}

/// A what-if with a text, or without the policy, in words for whoever reads the trail.
pub(super) async fn tried(
    signed: &Signed,
    names: &mut Names,
    id: &str,
    wanted: Option<crate::policies::organisation::Document>,
    days: i64,
) -> Result<WhatIf, Error> {
    let console = signed.console();
    let with = console.engine.organisation().with(id, wanted).map_err(|error| {
        tracing::error!(%error, "a policy that was checked cannot be read");
        Error::Unavailable
    })?;
    let Replayed { days, asked, lost, cut, newly_refused, newly_allowed } = replay::replay(console, with, days).await?;
    let mut db = console.read().await?;
    let refused = words(signed, &mut db, names, newly_refused).await?;
    let allowed = words(signed, &mut db, names, newly_allowed).await?;
    Ok(WhatIf { days, asked, lost, cut, refused, allowed })
}

async fn words(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    shifts: Vec<Shift>,
) -> Result<Vec<Shifted>, Error> {
    let mut found = Vec::new();
    for shift in shifts {
        let who = if shift.workload {
            names.workload(db, signed.site(), &shift.actor).await?
        } else {
            names.person(db, signed.site(), &shift.actor).await?
        };
        found.push(Shifted {
            who,
            what: shift.action.words(),
            rule: shift.rule,
            count: shift.count,
            events: shift.events,
        });
    }
    Ok(found)
}

pub async fn answer(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let (console, caller) = (signed.console(), &signed.caller);
    let here = format!("/policies/{id}");
    let answered = match fields.get("answer") {
        "discard" => {
            let receipt = documents::discard_draft(console, caller, &id).await?;
            let left = store::versions(&mut console.read().await?, &id, console.seal_key()).await?;
            let to = if left.is_empty() { "/policies" } else { here.as_str() };
            return Ok(done(to, Action::DiscardDraft, receipt));
        }
        "propose" => match keep(&signed, &id, &fields).await {
            Ok(revision) => {
                let outcome = documents::propose(console, caller, &id, revision).await;
                outcome.map(|outcome| submitted(&here, Action::SetPolicy, outcome))
            }
            Err(error) => Err(error),
        },
        _ => {
            let seen = fields.version("seen")?;
            let typed = Typed { slug: "", name: fields.get("name"), text: fields.get("text"), seen };
            let saved = documents::save_draft(console, caller, Some(&id), typed).await;
            saved.map(|(_, receipt)| done(&here, Action::SaveDraft, receipt))
        }
    };
    match answered {
        Ok(response) => Ok(response),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(one_page(&signed, &id, &Asked::default(), &form).await?))
        }
    }
}

/// What is proposed is what stands in the form: a change that was not saved is saved first. The revision that is proposed.
async fn keep(signed: &Signed, id: &str, fields: &Fields) -> Result<i32, Error> {
    let console = signed.console();
    let seen = fields.version("seen")?;
    let kept = store::find_draft(&mut console.read().await?, id).await?;
    let text = fields.get("text").replace("\r\n", "\n");
    let name = fields.get("name").trim();
    // Sent again after a question for a second factor it was saved already.
    let same =
        kept.filter(|draft| draft.text == text && draft.name == name && (seen..=seen + 1).contains(&draft.revision));
    if let Some(draft) = same {
        return Ok(draft.revision);
    }
    let typed = Typed { slug: "", name, text: &text, seen };
    documents::save_draft(console, &signed.caller, Some(id), typed).await?;
    Ok(seen + 1)
}

pub async fn remove(signed: Signed, Path(id): Path<String>) -> Answer {
    let outcome = documents::remove(signed.console(), &signed.caller, &id).await?;
    Ok(submitted(&format!("/policies/{id}"), Action::RemovePolicy, outcome))
}

/// What a proposal to change a policy shows to whoever confirms it: the lines that differ, and the last thirty days with it.
pub(super) async fn proposed(
    signed: &Signed,
    names: &mut Names,
    id: &str,
    former: &str,
    wanted: Option<(&str, &str)>,
    waits: bool,
) -> Result<Proposed, Error> {
    let diff = compare(former, wanted.map_or("", |(_, text)| text));
    let drafted = wanted.map(|(slug, text)| document(id, slug, 0, text));
    let what_if = if waits { Some(tried(signed, names, id, drafted, 30).await?) } else { None };
    Ok(Proposed { diff, what_if })
}

/// The newest version of a policy, for its name.
pub(super) async fn name_of(db: &mut impl Sql, console: &Console, id: &str) -> Result<String, Error> {
    let versions = store::versions(db, id, console.seal_key()).await?;
    Ok(versions.first().map_or_else(|| "a policy that is gone".into(), |row: &PolicyRow| row.name.clone()))
}
