//! Many at once: values that people know, and choosing what to rotate, with who will notice.
use super::tabs;
use crate::{
    policies::model::{Class, Tier},
    session::Shell,
    time::{self, Moment},
    ui::{self, Form},
};
use chrono::TimeDelta;
use leptos::prelude::*;

/// A version that people know and that may still work.
pub struct Known {
    pub secret: String,
    pub path: String,
    pub project: String,
    pub tier: Tier,
    pub class: Class,
    pub version: i32,
    pub is_current: bool,
    /// Names, with how each came to know it.
    pub people: Vec<(String, String)>,
    pub since: Moment,
}

pub fn known(shell: &Shell, tier: Tier, lines: Vec<Known>) -> String {
    ui::page(shell, "Known to people", None, || {
        let now = shell.now;
        let current = lines.iter().filter(|line| line.is_current).count();
        let older = lines.len() - current;
        let clearing: Vec<String> =
            lines.iter().filter(|line| line.is_current).map(|line| format!("secret={}", line.secret)).collect();
        let rows = |lines: Vec<Known>| {
            lines
                .into_iter()
                .map(|line| {
                    let people = line.people.iter().map(|(name, how)| view! { <span class="block">{name.clone()}" "<small class="muted">{how.clone()}</small></span> }).collect_view();
                    vec![
                        ui::link(format!("/secrets/{}", line.secret), format!("{} v{}", line.path, line.version)),
                        view! { {line.project}" "{ui::env(line.tier)} }.into_any(),
                        ui::text(line.class.words()),
                        people.into_any(),
                        ui::when_about(line.since, now),
                        if line.is_current {
                            view! { <a class="button" href=format!("/rotations/select?secret={}", line.secret)>"Rotate to clear"</a> }.into_any()
                        } else {
                            ui::link(format!("/secrets/{}", line.secret), "Attest that it is dead")
                        },
                    ]
                })
                .collect::<Vec<_>>()
        };
        let (using, past): (Vec<Known>, Vec<Known>) = lines.into_iter().partition(|line| line.is_current);
        let tiers = Tier::ALL.iter().rev().map(|other| {
            let current = (*other == tier).then_some("true");
            view! { <a href=format!("/rotations/known?tier={}", other.code()) aria-current=current>{other.words()}</a> }
        }).collect_view();
        let columns = &["Secret and version", "Where", "Class", "Known to", "Since", ""];
        view! {
            {ui::head("Values known to people", "Whoever typed, imported, saw or copied a value can use it until it is dead. In production the goal is nobody.", None)}
            {tabs("/rotations/known")}
            <nav class="segments" aria-label="Protection level">{tiers}</nav>
            {ui::group("In use", current, "rotating them is what clears them")}
            {if current == 0 {
                ui::empty("Nobody knows a value in use here", "Only machines do, and only while they run.", None)
            } else {
                view! {
                    {(clearing.len() > 1).then(|| view! { <div class="actions pad"><a class="button" href=format!("/rotations/select?{}", clearing.join("&"))>{format!("Rotate all {} to clear", clearing.len())}</a></div> })}
                    {ui::table("Known values in use", columns, rows(using))}
                }.into_any()
            }}
            {ui::group("Older, never shown to be dead", older, "replaced here; nobody asked the target")}
            {if older == 0 { ui::empty("None", "Every older value that people know was shown, or attested, to be dead.", None) } else { ui::table("Older known values", columns, rows(past)) }}
        }
        .into_any()
    })
}

/// A secret that could be rotated with others.
pub struct Candidate {
    pub secret: String,
    pub path: String,
    pub project: String,
    pub tier: Tier,
    pub age: TimeDelta,
    pub known_to: usize,
    /// Workloads that fetch it: who will notice.
    pub consumers: Vec<String>,
    /// How it rotates, or why it cannot now.
    pub how: Result<String, String>,
}

pub struct SelectView {
    pub candidates: Vec<Candidate>,
    /// How many more fit than are shown.
    pub more: usize,
    pub people: Vec<(String, String)>,
    pub workloads: Vec<(String, String)>,
    pub projects: Vec<(String, String)>,
    /// Somebody who left, by name: the cases are theirs.
    pub leaver: Option<(String, String)>,
}

pub fn select(shell: &Shell, view: SelectView, form: &Form) -> String {
    ui::page(shell, "Rotate many", None, || {
        let count = view.candidates.len();
        let ready = view.candidates.iter().filter(|line| line.how.is_ok()).count();
        let possible = ready > 0 || view.leaver.is_some();
        let rows = view
            .candidates
            .into_iter()
            .map(|line| {
                let works = line.how.is_ok();
                let possible = works || view.leaver.is_some();
                let label = format!("Rotate {}", line.path);
                let notice = if line.consumers.is_empty() { "nobody fetched it lately".to_owned() } else { line.consumers.join(", ") };
                vec![
                    view! { <label class="check"><input type="checkbox" name="secret" value=line.secret.clone() checked=possible disabled=!possible aria-label=label />{ui::link(format!("/secrets/{}", line.secret), line.path)}</label> }.into_any(),
                    view! { {line.project}" "{ui::env(line.tier)} }.into_any(),
                    ui::text(time::about(line.age)),
                    ui::text(match line.known_to { 0 => "nobody".to_owned(), 1 => "1 person".to_owned(), n => format!("{n} people") }),
                    ui::text(notice),
                    match line.how {
                        Ok(how) => view! { {ui::badge("good", "will begin")}<small class="block muted">{how}</small> }.into_any(),
                        Err(why) => view! { {ui::badge("attention", "cannot begin")}<small class="block muted">{why}</small> }.into_any(),
                    },
                ]
            })
            .collect();
        let any = |first: &str, others: Vec<(String, String)>| {
            let mut all = vec![(String::new(), first.to_owned())];
            all.extend(others);
            all
        };
        let asked = !form.values.is_empty();
        let leaver = view.leaver.clone();
        let left = leaver.is_some();
        let modes = vec![
            ("smooth".to_owned(), "work until those who use them have moved".to_owned()),
            ("cut".to_owned(), "are cut off as soon as the new ones work".to_owned()),
        ];
        view! {
            {ui::head("Rotate many", "Choose by age, by who knows them, by place. You see who will notice before anything begins.", None)}
            {tabs("/rotations/select")}
            {leaver.as_ref().map(|(_, name)| ui::callout("attention", format!("{name} left"), "These values still work and are known to them. Each has a case that counts from when they left; what has no plan has to be changed by hand."))}
            <form class="facets" method="get" action="/rotations/select">
                {ui::input(form, "older", "Older than days", "number", "")}
                {ui::pick(form, "person", "Known to", "", any("anybody", view.people))}
                {ui::pick(form, "workload", "Fetched by", "", any("any workload", view.workloads))}
                {ui::pick(form, "project", "Project", "", any("every project", view.projects))}
                {ui::input(form, "path", "Path begins with", "text", "")}
                <button class="button" type="submit">"Find"</button>
            </form>
            {if count == 0 && asked {
                ui::empty("Nothing fits", "Take a condition away.", Some(("/rotations/select".into(), "Clear")))
            } else if count == 0 {
                ui::empty("Nothing chosen yet", "Say what to look for above.", None)
            } else {
                view! {
                    <form method="post" action="/rotations/many">
                        {leaver.map(|(id, _)| view! { <input type="hidden" name="leaver" value=id /> })}
                        {ui::group("What fits", count, format!("{ready} of them can begin now"))}
                        {(view.more > 0).then(|| ui::callout("info", format!("{} more fit", view.more), "The first hundred are shown: rotate these, or narrow it down."))}
                        {ui::table("Secrets to rotate", &["Secret", "Where", "Age", "Known to", "Who will notice", "What happens"], rows)}
                        {(possible && left).then(|| view! { <div class="pad">{ui::pick(form, "mode", "The old values", "Whoever has not moved by then fails.", modes)}</div> })}
                        {possible.then(|| view! { <div class="actions pad"><button class="button primary" type="submit">"Rotate what is ticked"</button></div> })}
                    </form>
                }.into_any()
            }}
        }
        .into_any()
    })
}

/// What came of many: path, and a rotation or case to look at, or why not.
pub struct Begun {
    pub path: String,
    pub place: Result<(String, String), String>,
}

pub fn begun(shell: &Shell, lines: Vec<Begun>) -> String {
    ui::page(shell, "Rotations begun", None, || {
        let good = lines.iter().filter(|line| line.place.is_ok()).count();
        let bad = lines.len() - good;
        let rows = lines
            .into_iter()
            .map(|line| {
                vec![
                    ui::text(line.path),
                    match line.place {
                        Ok((href, words)) => ui::link(href, words),
                        Err(why) => view! { {ui::badge("attention", "not begun")}" "<span class="muted">{why}</span> }
                            .into_any(),
                    },
                ]
            })
            .collect();
        view! {
            {ui::crumbs(vec![("Rotations".into(), Some("/rotations".into())), ("Rotate many".into(), None)])}
            {ui::head("Rotations begun", "Each goes on by itself from here.", None)}
            {(bad > 0).then(|| ui::callout("attention", format!("{bad} did not begin"), "Each says why. The others are not affected."))}
            {ui::table("What came of it", &["Secret", "Outcome"], rows)}
            <div class="actions pad"><a class="button" href="/rotations">"See them run"</a></div>
        }
        .into_any()
    })
}
