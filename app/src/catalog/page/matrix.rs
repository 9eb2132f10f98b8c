//! A project as a matrix: each path in each environment.
use crate::{
    catalog::model::{self, Kind},
    error::Refusal,
    levels::model::{Level, Levels},
    policies::model::{Class, Tier},
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

/// One environment as a column.
#[derive(Clone)]
pub struct Column {
    pub id: String,
    pub slug: String,
    pub tier: Tier,
}

/// One value in the matrix.
pub struct Slot {
    pub secret: String,
    pub class: Class,
    pub version: Option<i32>,
    pub written_at: Option<Moment>,
    pub known_to: Vec<String>,
}

pub struct Row {
    pub path: String,
    pub kind: Kind,
    /// One for each column.
    pub slots: Vec<Option<Slot>>,
}

pub struct Matrix {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub team: String,
    pub leads: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub query: String,
    pub all: usize,
    /// Why this viewer may not add secrets.
    pub add: Option<Refusal>,
}

/// One more environment, at a protection level.
fn add_environment(base: &str, form: &Form) -> AnyView {
    let open = form.error("slug").is_some();
    let tiers = Tier::ALL.iter().map(|tier| (tier.code().to_owned(), tier.words().to_owned())).collect();
    view! {
        <details class="technical" open=open><summary>"Add an environment"</summary>
            <form class="row" method="post" action=format!("{base}/environments")>
                {ui::input(form, "slug", "Short name", "text", "")}
                {ui::pick(form, "tier", "Protection level", "", tiers)}
                <button class="button" type="submit">"Add"</button>
            </form>
        </details>
    }
    .into_any()
}

pub fn matrix(shell: &Shell, view: Matrix, form: &Form) -> String {
    let title = view.name.clone();
    ui::page(shell, &title, None, || {
        let base = format!("/projects/{}", view.slug);
        let may_add = view.add.is_none();
        let add = may_add.then(|| {
            view! {
                <a class="button" href=format!("{base}/import")>"Import"</a>
                <a class="button primary" href=format!("{base}/secrets/new")>"Add secret"</a>
            }
        });
        let actions = Some(view! { <a class="button" href=format!("{base}/drift")>"Drift"</a>{add} }.into_any());
        let led = if view.leads.is_empty() {
            "nobody leads it".to_owned()
        } else {
            format!("led by {}", view.leads.join(", "))
        };
        let purpose =
            format!("{} Owned by team {}, {led}. You see names and states, not values.", view.description, view.team);
        let now = shell.now;
        let counts = counts(&view, &shell.levels, now);
        let heads = view.columns.iter().map(|column| {
            let class = if column.tier == Tier::Production { "at-prod" } else { "" };
            let label = if column.slug == column.tier.code() { column.tier.words().to_owned() } else { column.slug.clone() };
            view! {
                <th scope="col" class=class><a class="bare" href=format!("/environments/{}", column.id)><span class=format!("env {}", column.tier.code())>{label}</span></a>" "<span class="limit">{format!("{} d", shell.levels.of(column.tier).rotate_days)}</span></th>
            }
        }).collect_view();
        let cols = view
            .columns
            .iter()
            .map(|column| view! { <col class=if column.tier == Tier::Production { "c-prod" } else { "" } /> })
            .collect_view();
        let rows = view.rows.iter().map(|row| matrix_row(row, &view.columns, &base, may_add, shell)).collect_view();
        let chip = |words: &'static str, query: &'static str| view! { <a class="chip add" href=format!("{base}?q={query}")>{words}</a> };
        let table = if view.rows.is_empty() && view.all == 0 {
            ui::empty(
                "No secrets yet",
                "A secret is a name at a path; its value can differ in each environment.",
                may_add.then(|| (format!("{base}/secrets/new"), "Add the first one")),
            )
        } else if view.rows.is_empty() {
            ui::empty(
                "Nothing matches",
                format!("{} secrets are here, none of them matches “{}”.", view.all, view.query),
                Some((base.clone(), "Clear the filter")),
            )
        } else {
            view! {
                <table class="table matrix cards fixed">
                    <caption class="vh">"Secrets by environment: version, age against the limit, and who knows the value"</caption>
                    <colgroup><col class="c-name" />{cols}</colgroup>
                    <thead class="stick"><tr><th scope="col">"Secret"</th>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
                <div class="pages"><span>"The bar under each value shows its age against the limit of its protection level."</span><span>{format!("All {} shown", view.rows.len())}</span></div>
            }
            .into_any()
        };
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (view.name.clone(), None)])}
            {ui::head(view.name.clone(), purpose, actions)}
            <form class="filter" role="search" method="get" action=base.clone()>
                <div class="query"><div><span class="ic find" aria-hidden="true"></span><input class="input" type="text" name="q" value=view.query.clone() aria-label="Filter secrets by words of their path" /><kbd>"/"</kbd></div><button class="button" type="submit">"Filter"</button></div>
                <div class="chips">{chip("+ missing", "is:missing")}{chip("+ past age", "is:old")}{chip("+ known to people", "is:known")}</div>
            </form>
            <p class="window"><span><b>{format!("{} secrets", view.rows.len())}</b>{format!(", {} values", counts.values)}</span>
                <span>{format!("{} missing", counts.missing)}</span>
                {(counts.old > 0).then(|| view! { <span>{ui::badge("danger", format!("{} past their age", counts.old))}</span> })}
                <span>{format!("{} known to somebody", counts.known)}</span><span>"as of "{ui::when(now)}</span></p>
            {table}
            {may_add.then(|| add_environment(&base, form))}
        }
        .into_any()
    })
}

struct Counts {
    values: usize,
    missing: usize,
    old: usize,
    known: usize,
}

/// Is a value past the age of its level?
pub fn is_old(slot: &Slot, level: &Level, now: Moment) -> bool {
    slot.written_at.is_some_and(|written| {
        let (age, limit) = model::age(written, now, level);
        age > limit
    })
}

fn counts(view: &Matrix, levels: &Levels, now: Moment) -> Counts {
    let mut counts = Counts { values: 0, missing: 0, old: 0, known: 0 };
    for row in &view.rows {
        for (slot, column) in row.slots.iter().zip(&view.columns) {
            match slot {
                Some(slot) if slot.version.is_some() => {
                    counts.values += 1;
                    counts.old += usize::from(is_old(slot, levels.of(column.tier), now));
                    counts.known += usize::from(!slot.known_to.is_empty());
                }
                _ => counts.missing += 1,
            }
        }
    }
    counts
}

fn matrix_row(row: &Row, columns: &[Column], base: &str, may_add: bool, shell: &Shell) -> AnyView {
    let class = row.slots.iter().flatten().map(|slot| slot.class).max();
    let first = row.slots.iter().flatten().next().map(|slot| slot.secret.clone()).unwrap_or_default();
    let cells = row.slots.iter().zip(columns).map(|(slot, column)| {
        let at_prod = column.tier == Tier::Production;
        let name = view! { <span class=format!("env {} only-narrow", column.tier.code())>{column.slug.clone()}</span> };
        match slot {
            Some(slot) => {
                let inside = filled(slot, shell.levels.of(column.tier), shell.now);
                view! { <td class:at-prod=at_prod data-l=column.tier.words()>{name}{inside}</td> }.into_any()
            }
            None => {
                let add = may_add.then(|| view! {
                    <a href=format!("{base}/secrets/new?path={}&environment={}", row.path, column.id) aria-label=format!("Add {} in {}", row.path, column.slug)>"add"</a>
                });
                view! { <td class="missing" class:at-prod=at_prod data-l=column.tier.words()>{name}<span class="gap">{ui::badge("ended", "missing")}" "{add}</span></td> }.into_any()
            }
        }
    }).collect_view();
    view! {
        <tr><th scope="row">{ui::middle(format!("/secrets/{first}"), &row.path)}<small class="muted block">{row.kind.words()}{class.map(|class| format!(" · {}", class.code()))}</small></th>{cells}</tr>
    }
    .into_any()
}

fn filled(slot: &Slot, level: &Level, now: Moment) -> AnyView {
    let href = format!("/secrets/{}", slot.secret);
    let Some((version, written)) = slot.version.zip(slot.written_at) else {
        return view! { <a class="slot" href=href><span class="v">"empty"</span><span class="flag"></span><span class="who">"no value yet"</span></a> }.into_any();
    };
    let (age, limit) = model::age(written, now, level);
    let over = age > limit;
    let share = (age.max(0) as f64 / limit as f64 * 100.0).min(100.0);
    let bar = if over {
        "g-over"
    } else if share > 85.0 {
        "g-warn"
    } else {
        "g-ink"
    };
    let known = match slot.known_to.as_slice() {
        [] => "known to nobody".to_owned(),
        [one] => format!("known to {}", one.split(' ').next().unwrap_or(one)),
        many => format!("known to {} people", many.len()),
    };
    let who = if slot.known_to.is_empty() { "who" } else { "who known" };
    view! {
        <a class="slot" href=href><span class="v">{format!("{age} d")}</span><span class="flag">{over.then(|| ui::badge("danger", format!("{} d over", age - limit)))}</span>
            <span class=who><code>{format!("v{version}")}</code>" · "{known}</span>
            <svg class="gauge" aria-hidden="true"><rect class="g-bed" x="0" y="0" width="100%" height="2" /><rect class=bar x="0" y="0" width=format!("{share:.1}%") height="2" /></svg></a>
    }
    .into_any()
}
