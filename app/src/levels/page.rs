//! Protection levels: the four side by side, one with its form and history.
use super::model::{Level, Reveal};
use crate::{
    error::Refusal,
    policies::model::{Class, Tier},
    session::Shell,
    time::{self, Moment},
    ui::{self, Form},
};
use leptos::prelude::*;

/// A setting of a level: its word and its value as people read it.
pub fn settings(level: &Level) -> Vec<(&'static str, String)> {
    let signers = |class| match level.seats(class) {
        [] => "given by rule".to_owned(),
        [_] => "one lead".to_owned(),
        _ => "one lead and one security".to_owned(),
    };
    let critical = if level.copies(Class::Critical) && level.reveal == Reveal::Shown {
        format!("{}; critical copied only", level.reveal)
    } else {
        level.reveal.words().to_owned()
    };
    vec![
        ("Longest grant of a person", time::span(level.longest_grant())),
        ("Signatures", signers(Class::Normal)),
        ("Signatures for critical secrets", signers(Class::Critical)),
        ("Values are", critical),
        ("A value is past its age after", format!("{} days", level.rotate_days)),
        ("An old credential is dead within", time::span(level.dead_within())),
        ("A workload’s token lives", time::span(level.token_life())),
    ]
}

pub fn list(shell: &Shell, environments: Vec<(Tier, usize)>, may: bool) -> String {
    ui::page(shell, "Protection levels", None, || {
        let all: Vec<&Level> = Tier::ALL.iter().map(|tier| shell.levels.of(*tier)).collect();
        let heads = all
            .iter()
            .map(|level| {
                let count = environments.iter().find(|(tier, _)| *tier == level.tier).map_or(0, |(_, count)| *count);
                let words = if count == 1 { "1 environment".to_owned() } else { format!("{count} environments") };
                view! { <th scope="col">{ui::env(level.tier)}<small class="block muted">{words}</small></th> }
            })
            .collect_view();
        let words: Vec<&'static str> = settings(all[0]).into_iter().map(|(word, _)| word).collect();
        let rows = words
            .into_iter()
            .enumerate()
            .map(|(at, word)| {
                let cells = all
                    .iter()
                    .map(|level| {
                        let value = settings(level)[at].1.clone();
                        let built_in = settings(&Level::built_in(level.tier))[at].1.clone();
                        let changed = (value != built_in)
                            .then(|| view! { <small class="block muted">{format!("built in: {built_in}")}</small> });
                        view! { <td data-l=level.tier.words()>{value}{changed}</td> }
                    })
                    .collect_view();
                view! { <tr><th scope="row">{word}</th>{cells}</tr> }
            })
            .collect_view();
        let links = all
            .iter()
            .map(|level| view! { <td data-l=level.tier.words()><a class="button" href=format!("/levels/{}", level.tier.code())>{if may { "Change" } else { "History" }}</a></td> })
            .collect_view();
        view! {
            {ui::head("Protection levels", "What holds in every environment of a level. Stricter acts at once; looser waits for somebody else.", None)}
            <table class="table cards levels"><caption class="vh">"Settings by protection level"</caption>
                <thead><tr><th scope="col">"Setting"</th>{heads}</tr></thead>
                <tbody>{rows}<tr><th scope="row"><span class="vh">"Change"</span></th>{links}</tr></tbody>
            </table>
            <p class="small muted pad">"Critical production values are copied without being shown, and nothing in production is given without a human step: no level undoes that. What was asked for under other terms is asked again."</p>
        }
        .into_any()
    })
}

/// What held at a level for a while.
pub struct Past {
    pub from: Moment,
    pub until: Option<Moment>,
    pub by: String,
    pub changed: Vec<(&'static str, String, String)>,
}

pub fn one(shell: &Shell, level: &Level, history: Vec<Past>, refusal: Option<Refusal>, form: &Form) -> String {
    let title = format!("Protection level {}", level.tier);
    let level = *level;
    ui::page(shell, &title, None, || {
        let facts = settings(&level).into_iter().map(|(word, value)| (word, ui::text(value))).collect();
        let filled = if form.values.is_empty() { filled(&level) } else { form.clone() };
        let reveal = Reveal::ALL.iter().map(|reveal| (reveal.code().to_owned(), reveal.words().to_owned())).collect();
        let production = level.tier == Tier::Production;
        let signers = |none: bool| {
            let all = [("0", "none: given by rule"), ("1", "one lead"), ("2", "one lead and one security")];
            all.iter()
                .filter(|(count, _)| none || *count != "0")
                .map(|(count, words)| ((*count).to_owned(), (*words).to_owned()))
                .collect::<Vec<_>>()
        };
        let change = match refusal {
            Some(refusal) => view! { <p class="muted">{refusal.to_string()}</p> }.into_any(),
            None => view! {
                <form class="sheet" method="post" action=format!("/levels/{}", level.tier.code())>
                    {ui::input(&filled, "grant_minutes", "Longest grant, minutes", "number", "480 is 8 hours, 1440 a day.")}
                    {ui::pick(&filled, "signers", "Signatures", "Who signs a request, in order.", signers(!production))}
                    {ui::pick(&filled, "critical_signers", "Signatures for critical secrets", "No fewer than for the others.", signers(!production))}
                    {ui::pick(&filled, "reveal", "Values are", "At the most, for people who hold a grant.", reveal)}
                    {ui::input(&filled, "rotate_days", "Rotated within, days", "number", "What a value’s age is shown against, and when it rotates where nothing else is said.")}
                    {ui::input(&filled, "dead_hours", "Dead within, hours", "number", "The target of a case: from its trigger until the old credential is shown to be dead.")}
                    {ui::input(&filled, "token_minutes", "Workload token, minutes", "number", "Tokens that were issued keep their end.")}
                    <div class="actions"><button class="button primary" type="submit">"Set"</button><a class="button plain" href="/levels">"Back"</a></div>
                </form>
            }
            .into_any(),
        };
        let rows: Vec<_> = history
            .into_iter()
            .map(|past| {
                let shifts = past
                    .changed
                    .into_iter()
                    .map(|(word, was, is)| view! { <li>{format!("{word}: {was} → {is}")}</li> })
                    .collect_view();
                vec![
                    ui::when(past.from),
                    past.until.map_or_else(|| ui::badge("good", "holds now"), ui::when),
                    ui::text(past.by),
                    view! { <ul class="plain">{shifts}</ul> }.into_any(),
                ]
            })
            .collect();
        let none = rows.is_empty();
        view! {
            {ui::crumbs(vec![("Protection levels".into(), Some("/levels".into())), (level.tier.words().into(), None)])}
            {ui::head(title.clone(), format!("Here {}.", level.rule()), None)}
            {ui::clause("h-now", "Holds now", "", ui::facts(facts))}
            {ui::clause("h-change", "Change", "Stricter acts at once. Anything looser waits for somebody else, whole.", change)}
            {ui::clause("h-history", "History", "Newest first.", if none { ui::text("As it was built in, ever since.") } else { ui::table("What was set, newest first", &["From", "Until", "Proposed by", "Changed"], rows) })}
        }
        .into_any()
    })
}

fn filled(level: &Level) -> Form {
    Form::default()
        .with("grant_minutes", level.grant_minutes.to_string())
        .with("signers", level.signers.to_string())
        .with("critical_signers", level.critical_signers.to_string())
        .with("reveal", level.reveal.code())
        .with("rotate_days", level.rotate_days.to_string())
        .with("dead_hours", level.dead_hours.to_string())
        .with("token_minutes", level.token_minutes.to_string())
}
