//! Policies of the organisation: the list, one with its draft, comparison and what-if.
use super::{
    document::{Lint, Mistake, Side},
    model::Tier,
};
use crate::{
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

/// One that is in force, in the list.
pub struct Line {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub version: i32,
    pub rules: usize,
    pub by: String,
    pub since: Moment,
}

/// One that is being written.
pub struct DraftLine {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub by: String,
    pub at: Moment,
    /// Nothing of it is in force yet.
    pub is_new: bool,
}

pub fn list(shell: &Shell, in_force: Vec<Line>, drafts: Vec<DraftLine>, may: bool, built_in: &str) -> String {
    let built_in = built_in.to_owned();
    ui::page(shell, "Policies", None, || {
        let add = may.then(|| view! { <a class="button primary" href="/policies/new">"Write a policy"</a> }.into_any());
        let rows = in_force
            .into_iter()
            .map(|line| {
                vec![
                    ui::link(format!("/policies/{}", line.id), line.name),
                    view! { <code>{line.slug}</code> }.into_any(),
                    ui::text(format!("{}", line.version)),
                    ui::text(format!("{}", line.rules)),
                    ui::text(line.by),
                    ui::when(line.since),
                ]
            })
            .collect::<Vec<_>>();
        let none = rows.is_empty();
        let drafts = drafts
            .into_iter()
            .map(|line| {
                vec![
                    ui::link(format!("/policies/{}", line.id), line.name),
                    view! { <code>{line.slug}</code> }.into_any(),
                    if line.is_new { ui::badge("wait", "new") } else { ui::badge("attention", "changes one in force") },
                    ui::text(line.by),
                    ui::when_about(line.at, shell.now),
                ]
            })
            .collect::<Vec<_>>();
        let no_drafts = drafts.is_empty();
        view! {
            {ui::head("Policies", "What your organisation allows and forbids beside the built-in rules. A no always wins; each change takes two people.", add)}
            {ui::clause("h-force", "In force", "Asked at every decision that policies govern.", if none {
                ui::empty("No policy of your own", "The built-in rules below decide alone.", may.then(|| ("/policies/new".to_owned(), "Write the first one")))
            } else {
                ui::table("Policies in force, by short name", &["Name", "Short name", "Version", "Rules", "Proposed by", "Since"], rows)
            })}
            {(!no_drafts).then(|| ui::clause("h-drafts", "Drafts", "Without effect until one is proposed and somebody else confirms it.",
                ui::table("Drafts, by short name", &["Name", "Short name", "", "Saved by", "Saved"], drafts)))}
            {ui::clause("h-built-in", "Built in", "They come with Countersign and cannot be switched off.", view! { <details><summary>"Show the rules"</summary><pre class="code">{built_in}</pre></details> }.into_any())}
        }
        .into_any()
    })
}

/// What a draft would have changed.
#[derive(Clone, Default)]
pub struct WhatIf {
    pub days: i64,
    pub asked: usize,
    pub lost: usize,
    pub cut: bool,
    pub refused: Vec<Shifted>,
    pub allowed: Vec<Shifted>,
}

/// Decisions of one actor that would have gone the other way.
#[derive(Clone)]
pub struct Shifted {
    pub who: String,
    pub what: &'static str,
    pub rule: String,
    pub count: usize,
    pub events: Vec<u64>,
}

/// What a proposal to change a policy shows: lines that differ, and the comparison with what was decided, while it waits.
pub struct Proposed {
    pub diff: Vec<(Side, String)>,
    pub what_if: Option<WhatIf>,
}

/// The comparison with what was decided, for whoever writes and whoever confirms.
pub fn what_if(view: WhatIf) -> AnyView {
    let WhatIf { days, asked, lost, cut, refused, allowed } = view;
    let total = |list: &[Shifted]| list.iter().map(|shifted| shifted.count).sum::<usize>();
    let (no, yes) = (total(&refused), total(&allowed));
    let people = refused.iter().chain(&allowed).map(|shifted| shifted.who.clone());
    let people = people.collect::<std::collections::BTreeSet<_>>().len();
    let table = |caption: &'static str, list: Vec<Shifted>| {
        let rows = list
            .into_iter()
            .take(50)
            .map(|shifted| {
                let events = shifted
                    .events
                    .iter()
                    .map(|seq| view! { <a href=format!("/audit/{seq}")>{*seq}</a>" " })
                    .collect_view();
                vec![
                    ui::text(shifted.who),
                    ui::text(shifted.what),
                    view! { <code>{shifted.rule}</code> }.into_any(),
                    ui::text(shifted.count.to_string()),
                    events.into_any(),
                ]
            })
            .collect();
        ui::table(caption, &["Who", "What", "Decided by", "Times", "Newest events"], rows)
    };
    let (has_no, has_yes) = (!refused.is_empty(), !allowed.is_empty());
    let limits = [
        cut.then(|| "There were more: the newest were looked at.".to_owned()),
        (lost > 0).then(|| format!("{lost} were left out: what they were made from is not kept any more.")),
    ];
    view! {
        <div class="tried">
        <p class="lead">{format!("Of {asked} decisions of the last {days} days: {no} would have been refused, {yes} would have been allowed, {people} affected.")}</p>
        {limits.into_iter().flatten().map(|line| view! { <p class="soft">{line}</p> }).collect_view()}
        {has_no.then(|| view! { <h3>"Newly refused"</h3>{table("Decisions that would have been refused", refused)} })}
        {has_yes.then(|| view! { <h3>"Newly allowed"</h3>{table("Decisions that would have been allowed", allowed)} })}
        </div>
    }
    .into_any()
}

/// Lines that differ, with a few around them.
pub fn diff(lines: &[(Side, String)]) -> AnyView {
    let lines = lines
        .iter()
        .map(|(side, text)| {
            let text = text.clone();
            match side {
                Side::Both => view! { <span>"  "{text}"\n"</span> }.into_any(),
                Side::Before => view! { <del><span class="vh">"removed: "</span>"- "{text}"\n"</del> }.into_any(),
                Side::After => view! { <ins><span class="vh">"added: "</span>"+ "{text}"\n"</ins> }.into_any(),
            }
        })
        .collect_view();
    view! { <pre class="code diff">{lines}</pre> }.into_any()
}

/// A version of a document, in its history.
pub struct Past {
    pub row: String,
    pub version: i32,
    pub by: String,
    pub from: Moment,
    pub to: Option<Moment>,
    /// Against the version before.
    pub diff: Vec<(Side, String)>,
}

pub struct Editor {
    /// Absent: a new one.
    pub id: Option<String>,
    pub slug: String,
    pub name: String,
    pub text: String,
    /// The draft's revision; 0: there is none yet.
    pub seen: i32,
    /// A draft is kept that differs from what is in force.
    pub draft: bool,
    pub in_force: Option<i32>,
    pub mistakes: Vec<Mistake>,
    pub lints: Vec<Lint>,
    pub diff: Vec<(Side, String)>,
    pub what_if: Option<WhatIf>,
    /// Proposals for it that wait for somebody else.
    pub waiting: Vec<String>,
    pub history: Vec<Past>,
    pub may: bool,
    pub schema: &'static str,
    pub governed: String,
}

pub fn editor(shell: &Shell, view: Editor, form: &Form) -> String {
    let title = if view.id.is_some() { view.name.clone() } else { "Write a policy".to_owned() };
    let action = view.id.as_ref().map_or_else(|| "/policies".to_owned(), |id| format!("/policies/{id}"));
    ui::page(shell, &title.clone(), None, move || {
        let typed = |name: &str, kept: &str| {
            if form.values.iter().any(|(known, _)| known == name) { form.value(name) } else { kept.to_owned() }
        };
        let filled = Form {
            values: vec![
                ("name".into(), typed("name", &view.name)),
                ("slug".into(), typed("slug", &view.slug)),
                ("text".into(), typed("text", &view.text)),
            ],
            errors: form.errors.clone(),
        };
        let new = view.id.is_none();
        let sound = view.mistakes.is_empty();
        let mistakes = (!sound).then(|| {
            let items = view.mistakes.iter().map(|mistake| view! {
                <li><b>{format!("Line {}, column {}", mistake.line, mistake.column)}</b>": "{mistake.message.clone()}</li>
            }).collect_view();
            view! { <div class="callout danger" role="alert"><div><b>"It cannot be proposed like this"</b><ul class="plain">{items}</ul></div></div> }
        });
        let waiting = view.waiting.iter().map(|id| view! {
            <p class="callout note"><span>"Proposed: it waits for somebody else. "<a href=format!("/controls/{id}")>"See the change of control"</a></span></p>
        }).collect_view();
        let lints = (!view.lints.is_empty()).then(|| {
            let items = view.lints.iter().map(|lint| view! { <li><code>{lint.rule.clone()}</code>" "{lint.kind.words()}"."</li> }).collect_view();
            view! { <div class="callout attention"><div><b>"Probably not meant"</b><ul class="plain">{items}</ul></div></div> }
        });
        let templates = new.then(|| {
            let links = Tier::ALL.iter().map(|tier| view! { <li><a href=format!("/policies/new?template={}", tier.code())>{tier.to_string()}</a></li> }).collect_view();
            ui::clause("h-templates", "Begin from", "One example for each protection level.", view! { <ul class="plain">{links}</ul> }.into_any())
        });
        let propose = (view.draft && sound).then(|| view! { <button class="button primary" type="submit" name="answer" value="propose">"Propose it"</button> });
        let discard = view.draft.then(|| view! { <button class="button danger" type="submit" name="answer" value="discard">"Discard the draft"</button> });
        let save = if view.draft { "button" } else { "button primary" };
        let write = if view.may {
            let text = view! {
                <textarea class="input editor" id="text" name="text" rows="16" spellcheck="false" autocomplete="off" autocapitalize="off"
                    aria-describedby=if filled.error("text").is_some() { "text-hint text-wrong" } else { "text-hint" }>{ui::typed(&filled.value("text"))}</textarea>
            };
            view! {
                <form class="sheet broad" method="post" action=action>
                    <input type="hidden" name="seen" value=view.seen.to_string() />
                    {ui::input(&filled, "name", "Name", "text", "What it is for, in words.")}
                    {if new { ui::input(&filled, "slug", "Short name", "text", "The trail names its rules by this: lower-case letters, digits and hyphens. It never changes.") } else { ().into_any() }}
                    {ui::field(&filled, "text", "Rules", "Cedar: any number of permit and forbid rules, each with an @id of its own.", text.into_any())}
                    <div class="actions"><button class=save type="submit" name="answer" value="save">"Save the draft"</button>{propose}{discard}</div>
                </form>
            }
            .into_any()
        } else {
            view! { <pre class="code">{view.text.clone()}</pre> }.into_any()
        };
        let id = view.id.clone().unwrap_or_default();
        let tried = view.what_if.is_some();
        let days = (!new && sound).then(|| {
            let options = [7, 30, 90].map(|days| view! { <button class="button" type="submit" name="days" value=days.to_string()>{format!("{days} days")}</button> }).collect_view();
            view! { <form method="get" action=format!("/policies/{id}")><div class="actions"><span class="label">"Try it on the decisions of the last"</span>{options}</div></form> }
        });
        let what_if = (!new).then(|| {
            ui::clause(
                "h-what-if",
                "What if",
                "The same decisions, asked again with this text. Nothing is changed.",
                view! {
                    {days}
                    {view.what_if.map(what_if)}
                    {(!tried && sound).then(|| view! { <p class="soft">"Not tried yet."</p> })}
                    {(!sound).then(|| view! { <p class="soft">"A text with mistakes cannot be tried."</p> })}
                }
                .into_any(),
            )
        });
        let changed = view.diff.iter().any(|(side, _)| *side != Side::Both);
        let compare = (view.draft && changed && view.in_force.is_some()).then(|| {
            ui::clause(
                "h-diff",
                "What it changes",
                format!("Against version {}, which is in force.", view.in_force.unwrap_or_default()),
                diff(&view.diff),
            )
        });
        let may = view.may;
        let history = (!view.history.is_empty()).then(|| {
            let items = view.history.into_iter().map(|past| {
                let row = past.row;
                let until = past.to.map(|to| view! { " until "{ui::when(to)} });
                let current = past.to.is_none();
                let back = (may && !current).then(|| view! { <a class="button" href=format!("/policies/{id}?from={row}")>"Bring back as a draft"</a> });
                view! {
                    <details><summary>{format!("Version {}", past.version)}" by "{past.by}", since "{ui::when(past.from)}{until}" "{current.then(|| ui::badge("good", "in force"))}</summary>
                        {diff(&past.diff)}<div class="actions">{back}</div></details>
                }
            }).collect_view();
            ui::clause("h-history", "History", "Each version against the one before.", items.into_any())
        });
        let remove = (view.in_force.is_some() && view.may).then(|| {
            ui::clause(
                "h-remove",
                "Take it out of force",
                "Somebody else confirms it. What it says stays in the history.",
                ui::act(format!("/policies/{id}/remove"), "Propose to take it out of force", vec![]),
            )
        });
        let purpose = match view.in_force {
            Some(version) if view.draft => format!("Version {version} is in force; below is a draft."),
            Some(version) => format!("Version {version} is in force."),
            None if new => "It has no effect until somebody else confirms it.".into(),
            None => "A draft: nothing of it is in force.".into(),
        };
        view! {
            {ui::crumbs(vec![("Policies".into(), Some("/policies".into())), (title.clone(), None)])}
            {ui::head(title.clone(), purpose, None)}
            {waiting}{mistakes}{lints}
            {ui::clause("h-rules", "Rules", if new { String::new() } else { format!("The trail names them {}/…", view.slug) }, write)}
            {templates}{compare}{what_if}{history}{remove}
            {ui::clause("h-schema", "What rules may speak of", "The schema, and the actions that policies of an organisation govern.", view! {
                <details><summary>"Show the schema"</summary><pre class="code">{view.schema}</pre></details>
                <details><summary>"Show the actions"</summary><p class="soft">{view.governed}</p></details>
            }.into_any())}
        }
        .into_any()
    })
}
