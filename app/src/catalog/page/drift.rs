//! What a project's environments do not have in common.
use super::Column;
use crate::{
    catalog::drift::{Difference, What},
    nav::address,
    session::Shell,
    ui,
};
use leptos::prelude::*;

/// One path with its differences; the secret of each environment, where it is there.
pub struct Drifting {
    pub path: String,
    pub secrets: Vec<Option<String>>,
    pub differences: Vec<Difference>,
}

pub struct Drift {
    pub slug: String,
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Drifting>,
    /// What the list is narrowed to.
    pub only: Option<What>,
    /// How many differences of each kind there are, whatever it is narrowed to.
    pub counts: Vec<(What, usize)>,
    pub paths: usize,
}

/// Differences on one page.
const MOST: usize = 500;

pub fn drift(shell: &Shell, view: Drift) -> String {
    let title = format!("Drift in {}", view.name);
    ui::page(shell, &title, None, || {
        let base = format!("/projects/{}/drift", view.slug);
        let all: usize = view.counts.iter().map(|(_, count)| count).sum();
        let chip = |href: String, words: String, pressed: bool| {
            let current = pressed.then_some("true");
            view! { <a class="chip add" href=href aria-current=current>{words}</a> }
        };
        let chips = view
            .counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| {
                let href = address(&base, &[("what", what.code())]);
                chip(href, format!("{what} · {count}"), view.only == Some(*what))
            })
            .collect_view();
        let heads = view
            .columns
            .iter()
            .map(|column| view! { <th scope="col"><span class=format!("env {}", column.tier.code())>{column.slug.clone()}</span></th> })
            .collect_view();
        let mut shown = 0;
        let rows = view
            .rows
            .iter()
            .flat_map(|row| row.differences.iter().map(move |difference| (row, difference)))
            .filter(|(_, difference)| view.only.is_none_or(|only| only == difference.what))
            .take(MOST)
            .map(|(row, difference)| {
                shown += 1;
                let first = row.secrets.iter().flatten().next().cloned().unwrap_or_default();
                let kind = if difference.what.is_grave() { "danger" } else { "attention" };
                let cells = difference
                    .cells
                    .iter()
                    .zip(&row.secrets)
                    .zip(&view.columns)
                    .map(|((cell, secret), column)| {
                        let inside = match secret {
                            Some(secret) => ui::link(format!("/secrets/{secret}"), cell.clone()),
                            None => view! { <span class="muted">{cell.clone()}</span> }.into_any(),
                        };
                        view! { <td data-l=column.slug.clone()>{inside}</td> }
                    })
                    .collect_view();
                view! { <tr><th scope="row">{ui::middle(format!("/secrets/{first}"), &row.path)}</th><td data-l="Differs">{ui::badge(kind, difference.what.words())}</td>{cells}</tr> }
            })
            .collect_view();
        let of = view
            .only
            .map_or(all, |only| view.counts.iter().filter(|(what, _)| *what == only).map(|(_, count)| *count).sum());
        let table = if of == 0 && all > 0 {
            ui::empty(
                "None of this kind",
                "The environments differ in other things.",
                Some((base.clone(), "Everything that differs")),
            )
        } else if all == 0 {
            ui::empty(
                "No drift",
                format!("{} secrets are the same in every environment, but for their values.", view.paths),
                Some((format!("/projects/{}", view.slug), "Back to the matrix")),
            )
        } else {
            view! {
                <table class="table cards"><caption class="vh">"Differences between environments"</caption>
                    <thead><tr><th scope="col">"Secret"</th><th scope="col">"Differs"</th>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            }
            .into_any()
        };
        let download = (all > 0).then(|| {
            view! { <a class="button" href=address(&base, &[("format", "csv"), ("what", view.only.map_or("", What::code))])>"CSV"</a> }.into_any()
        });
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (view.name.clone(), Some(format!("/projects/{}", view.slug))), ("Drift".into(), None)])}
            {ui::head(title.clone(), "What the environments do not have in common, but for their values. Nothing here reads one.", download)}
            {(all > 0).then(|| view! { <div class="chips pad">{chip(base.clone(), format!("everything · {all}"), view.only.is_none())}{chips}</div> })}
            {table}
            {(of > shown).then(|| view! { <p class="small muted pad">{format!("The first {shown} of {of}. The CSV has all of them.")}</p> })}
        }
        .into_any()
    })
}
