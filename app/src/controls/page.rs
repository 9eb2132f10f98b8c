//! Changes of control: the list, and one with exactly what it loosens.
use super::model::Outcome;
use crate::{
    error::Refusal,
    policies::page::{self as policies, Proposed},
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

/// A proposal in a list.
pub struct Line {
    pub id: String,
    /// "Give Jonas Weidmann the role Lead of payments".
    pub words: String,
    pub proposer: String,
    pub proposed_at: Moment,
    pub expires_at: Moment,
    /// `None` while it waits.
    pub outcome: Option<Outcome>,
}

/// One thing that changes: what it is, how it stands, how it would stand.
pub struct Shift {
    pub what: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
}

pub struct Proposal {
    pub line: Line,
    pub digest: String,
    /// Of a policy: the lines that differ, and what it would have changed lately.
    pub policy: Option<Proposed>,
    pub shifts: Vec<Shift>,
    /// What follows from it, in sentences.
    pub means: Vec<String>,
    /// Everybody with a role that confirms, and why not where they may not.
    pub seconds: Vec<(String, Option<Refusal>)>,
    pub own: bool,
    /// Why the viewer may not confirm; absent: they may.
    pub may_not: Option<Refusal>,
    pub decided_by: Option<String>,
    pub ended_at: Option<Moment>,
    pub comment: String,
}

pub fn state_badge(outcome: Option<Outcome>) -> AnyView {
    match outcome {
        None => ui::badge("wait", "Waits for somebody else"),
        Some(outcome) => {
            let kind = match outcome {
                Outcome::Confirmed => "good",
                Outcome::Declined => "danger",
                Outcome::Withdrawn | Outcome::Expired | Outcome::Overtaken => "ended",
            };
            ui::badge(kind, outcome.words())
        }
    }
}

/// Those that the viewer can confirm now, for the inbox.
pub fn queue(lines: Vec<Line>) -> AnyView {
    let entries = lines
        .into_iter()
        .map(|line| {
            let href = format!("/controls/{}", line.id);
            view! {
                <li>
                    <div><h3><a href=href.clone()>{line.words.clone()}</a></h3><p class="why">{format!("Proposed by {}", line.proposer)}</p></div>
                    <div class="where">{ui::badge("attention", "loosens")}</div>
                    <div class="need"><small>"until "{ui::when(line.expires_at)}</small></div>
                    <div class="act"><a class="button" href=href>"Review"<span class="vh">": "{line.words}</span></a></div>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="queue">{entries}</ul> }.into_any()
}

pub fn list(shell: &Shell, open: Vec<Line>, ended: Vec<Line>) -> String {
    ui::page(shell, "Changes of control", None, || {
        let now = shell.now;
        let row = |line: Line| {
            vec![
                ui::link(format!("/controls/{}", line.id), line.words),
                ui::text(line.proposer),
                ui::when_about(line.proposed_at, now),
                state_badge(line.outcome),
            ]
        };
        let columns = ["What", "Proposed by", "When", "State"];
        let (waiting, over) = (open.len(), ended.len());
        view! {
            {ui::head("Changes of control", "What would loosen who may do what waits here for a second person. What tightens acts at once and stands in the trail.", None)}
            {ui::group("Waiting", waiting, "first to expire first")}
            {if waiting == 0 {
                ui::empty("Nothing waits", "A role that is given, a provider that is set, an account that is opened again: each appears here until somebody else confirms it.", Some(("/people".into(), "People and teams")))
            } else {
                ui::table("Waiting", &columns, open.into_iter().map(row).collect())
            }}
            {ui::group("Ended", over, "newest first; the last hundred")}
            {if over == 0 {
                ui::empty("None yet", "What was confirmed, declined, withdrawn or overtaken is kept here.", None)
            } else {
                ui::table("Ended, newest first", &columns, ended.into_iter().map(row).collect())
            }}
        }
        .into_any()
    })
}

pub fn one(shell: &Shell, view: Proposal, form: &Form) -> String {
    let title = view.line.words.clone();
    ui::page(shell, &title, None, move || {
        let base = format!("/controls/{}", view.line.id);
        let none = || ui::text("—");
        let shifts = view
            .shifts
            .into_iter()
            .map(|shift| {
                let before =
                    shift.before.map_or_else(none, |text| view! { <span class="was">{text}</span> }.into_any());
                let after = shift.after.map_or_else(none, |text| view! { <ins class="plus">{text}</ins> }.into_any());
                vec![ui::text(shift.what), before, after]
            })
            .collect();
        let means = view.means.into_iter().map(|means| view! { <li>{means}</li> }).collect_view();
        let able = view.seconds.iter().filter(|(_, why)| why.is_none()).count();
        let seconds = view
            .seconds
            .into_iter()
            .map(|(name, why)| match why {
                None => view! { <li><b>{name}</b></li> }.into_any(),
                Some(why) => {
                    let why = match why {
                        Refusal::OwnChange => "proposed it, or gains by it",
                        Refusal::LinkedAccounts => "counts as one person with the proposer for a week",
                        Refusal::NoFactor => "has no second factor here",
                        Refusal::NewcomerDecides => "has the account or role for less than a day",
                        _ => "may not confirm it",
                    };
                    view! { <li class="muted">{name}": "{why}</li> }.into_any()
                }
            })
            .collect_view();
        let digest = view.digest.clone();
        let waits = view.line.outcome.is_none();
        let decide = if !waits {
            let by = view.decided_by.map(|by| format!("By {by}. "));
            let comment = (!view.comment.is_empty()).then(|| view! { <blockquote>{view.comment.clone()}</blockquote> });
            view! { <p>{by}{view.ended_at.map(ui::when)}</p>{comment} }.into_any()
        } else if view.own {
            view! {
                <p>"You proposed this. Somebody else confirms it; until then it has no effect."</p>
                <div class="actions">{ui::act(format!("{base}/withdraw"), "Withdraw it", vec![])}</div>
            }
            .into_any()
        } else if let Some(why) = view.may_not {
            view! { <p class="muted">{why.to_string()}</p> }.into_any()
        } else {
            view! {
                <form class="sheet" method="post" action=format!("{base}/decide")>
                    <input type="hidden" name="digest" value=digest.clone() />
                    {ui::text_area(form, "comment", "Comment", "Needed for a no; the proposer reads it.")}
                    <div class="actions">
                        <button class="button" type="submit" name="answer" value="confirm">"Confirm: it acts now"</button>
                        <button class="button danger" type="submit" name="answer" value="decline">"Decline"</button>
                    </div>
                </form>
            }
            .into_any()
        };
        let policy = view.policy.map(|proposed| view! {
            {ui::clause("h-text", "Its text", "Lines that differ from what is in force.", policies::diff(&proposed.diff))}
            {proposed.what_if.map(|tried| ui::clause("h-what-if", "What if", "Decisions of the last thirty days, asked again with it.", policies::what_if(tried)))}
        });
        view! {
            {ui::crumbs(vec![("Changes of control".into(), Some("/controls".into())), (view.line.words.clone(), None)])}
            {ui::head(view.line.words.clone(), "It loosens: two people agree before it acts.", None)}
            {ui::facts([
                Some(("State", state_badge(view.line.outcome))),
                Some(("Proposed by", ui::text(view.line.proposer))),
                Some(("Proposed", ui::when(view.line.proposed_at))),
                waits.then(|| ("Waits until", ui::when(view.line.expires_at))),
            ].into_iter().flatten().collect())}
            {ui::clause("h-loosens", "What it loosens", "How it stands, and how it would.", view! {
                {ui::table("What changes", &["What", "Now", "Then"], shifts)}
                <ul class="plain">{means}</ul>
            }.into_any())}
            {waits.then(|| ui::clause("h-seconds", "Who can confirm", "Administrators and security of the organisation.", view! {
                {(able == 0).then(|| ui::callout("attention", "Locked for now", "Nobody can confirm it at present. It stays closed until somebody can."))}
                <ul class="plain">{seconds}</ul>
            }.into_any()))}
            {policy}
            {ui::clause("h-decide", if waits { "Answer" } else { "How it ended" }, "", decide)}
            <details><summary>"Technical details"</summary>{ui::facts(vec![
                ("Id", ui::id(&view.line.id)),
                ("Digest", ui::id(&digest)),
            ])}</details>
        }
        .into_any()
    })
}
