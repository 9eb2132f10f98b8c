//! Projects, the matrix, one secret, and the forms that change them.
use super::model::{self, Kind};
use crate::{
    error::Refusal,
    islands::TakeValue,
    policies::model::{Class, Tier, copy_only},
    session::Shell,
    time::Moment,
    ui::{self, Band, Form},
};
use leptos::prelude::*;

pub struct ProjectLine {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub team: String,
    pub open: bool,
    pub secrets: usize,
}

pub fn projects(shell: &Shell, lines: Vec<ProjectLine>, create: Option<Refusal>) -> String {
    ui::page(shell, "Projects", None, || {
        let new = create
            .is_none()
            .then(|| view! { <a class="button primary" href="/projects/new">"New project"</a> }.into_any());
        let rows = lines
            .into_iter()
            .map(|line| {
                let open = if line.open { ui::badge("note", "open") } else { ui::badge("ended", "private") };
                vec![
                    view! { <a href=format!("/projects/{}", line.slug)>{line.name}</a><small class="block muted">{line.description}</small> }.into_any(),
                    ui::text(line.team),
                    open,
                    ui::text(line.secrets.to_string()),
                ]
            })
            .collect::<Vec<_>>();
        let first = if create.is_none() { Some(("/projects/new".to_owned(), "Make the first project")) } else { None };
        view! {
            {ui::head("Projects", "Secrets by project and environment. You see names and states, not values.", new)}
            {if rows.is_empty() {
                ui::empty("No projects that you may see", "An administrator makes projects; private ones are invisible without a role or access.", first)
            } else {
                ui::table("Projects by name", &["Project", "Owned by", "Visibility", "Secrets"], rows)
            }}
        }
        .into_any()
    })
}

pub fn new_project(shell: &Shell, teams: Vec<(String, String)>, form: &Form) -> String {
    ui::page(shell, "New project", None, || {
        let none = teams.is_empty();
        let visibility = vec![
            ("open".to_owned(), "Open: every member sees names and may ask".to_owned()),
            ("private".to_owned(), "Private: invisible without a role or access".to_owned()),
        ];
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), ("New".into(), None)])}
            {ui::head("New project", "It starts with four environments, each with its own key.", None)}
            {none.then(|| ui::callout("attention", "There is no team yet", "A project belongs to a team. Make one under People and teams first."))}
            <form class="sheet" method="post" action="/projects">
                {ui::input(form, "slug", "Short name", "text", "In addresses and paths; it never changes. Lower-case letters, digits and hyphens.")}
                {ui::input(form, "name", "Name", "text", "")}
                {ui::input(form, "description", "What it is for", "text", "")}
                {ui::pick(form, "team", "Owned by", "", teams)}
                {ui::pick(form, "visibility", "Visibility", "", visibility)}
                <div class="actions"><button class="button primary" type="submit">"Make the project"</button><a class="button plain" href="/projects">"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}

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
fn add_environment(base: &str) -> AnyView {
    let none = Form::default();
    let tiers = Tier::ALL.iter().map(|tier| (tier.code().to_owned(), tier.words().to_owned())).collect();
    view! {
        <details class="technical"><summary>"Add an environment"</summary>
            <form class="row" method="post" action=format!("{base}/environments")>
                {ui::input(&none, "slug", "Short name", "text", "")}
                {ui::pick(&none, "tier", "Protection level", "", tiers)}
                <button class="button" type="submit">"Add"</button>
            </form>
        </details>
    }
    .into_any()
}

pub fn matrix(shell: &Shell, view: Matrix) -> String {
    let title = view.name.clone();
    ui::page(shell, &title, None, || {
        let base = format!("/projects/{}", view.slug);
        let may_add = view.add.is_none();
        let actions = may_add.then(|| {
            view! {
                <a class="button" href=format!("{base}/import")>"Import"</a>
                <a class="button primary" href=format!("{base}/secrets/new")>"Add secret"</a>
            }
            .into_any()
        });
        let led = if view.leads.is_empty() {
            "nobody leads it".to_owned()
        } else {
            format!("led by {}", view.leads.join(", "))
        };
        let purpose =
            format!("{} Owned by team {}, {led}. You see names and states, not values.", view.description, view.team);
        let now = shell.now;
        let counts = counts(&view, now);
        let heads = view.columns.iter().map(|column| {
            let class = if column.tier == Tier::Production { "at-prod" } else { "" };
            let label = if column.slug == column.tier.code() { column.tier.words().to_owned() } else { column.slug.clone() };
            view! {
                <th scope="col" class=class><a class="bare" href=format!("/environments/{}", column.id)><span class=format!("env {}", column.tier.code())>{label}</span></a>" "<span class="limit">{format!("{} d", column.tier.rotate_within().num_days())}</span></th>
            }
        }).collect_view();
        let cols = view
            .columns
            .iter()
            .map(|column| view! { <col class=if column.tier == Tier::Production { "c-prod" } else { "" } /> })
            .collect_view();
        let rows = view.rows.iter().map(|row| matrix_row(row, &view.columns, &base, may_add, now)).collect_view();
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
            {may_add.then(|| add_environment(&base))}
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
pub fn is_old(slot: &Slot, tier: Tier, now: Moment) -> bool {
    slot.written_at.is_some_and(|written| {
        let (age, limit) = model::age(written, now, tier);
        age > limit
    })
}

fn counts(view: &Matrix, now: Moment) -> Counts {
    let mut counts = Counts { values: 0, missing: 0, old: 0, known: 0 };
    for row in &view.rows {
        for (slot, column) in row.slots.iter().zip(&view.columns) {
            match slot {
                Some(slot) if slot.version.is_some() => {
                    counts.values += 1;
                    counts.old += usize::from(is_old(slot, column.tier, now));
                    counts.known += usize::from(!slot.known_to.is_empty());
                }
                _ => counts.missing += 1,
            }
        }
    }
    counts
}

fn matrix_row(row: &Row, columns: &[Column], base: &str, may_add: bool, now: Moment) -> AnyView {
    let class = row.slots.iter().flatten().map(|slot| slot.class).max();
    let first = row.slots.iter().flatten().next().map(|slot| slot.secret.clone()).unwrap_or_default();
    let cells = row.slots.iter().zip(columns).map(|(slot, column)| {
        let at_prod = column.tier == Tier::Production;
        let name = view! { <span class=format!("env {} only-narrow", column.tier.code())>{column.slug.clone()}</span> };
        match slot {
            Some(slot) => {
                let inside = filled(slot, column.tier, now);
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

fn filled(slot: &Slot, tier: Tier, now: Moment) -> AnyView {
    let href = format!("/secrets/{}", slot.secret);
    let Some((version, written)) = slot.version.zip(slot.written_at) else {
        return view! { <a class="slot" href=href><span class="v">"empty"</span><span class="flag"></span><span class="who">"no value yet"</span></a> }.into_any();
    };
    let (age, limit) = model::age(written, now, tier);
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

pub fn new_secret(
    shell: &Shell,
    project: (&str, &str),
    environments: Vec<(String, String)>,
    teams: Vec<(String, String)>,
    form: &Form,
) -> String {
    let (slug, name) = (project.0.to_owned(), project.1.to_owned());
    ui::page(shell, "Add secret", None, || {
        let kinds = Kind::ALL.iter().map(|kind| (kind.code().to_owned(), kind.words().to_owned())).collect();
        let classes = Class::ALL.iter().map(|class| (class.code().to_owned(), class.words().to_owned())).collect();
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (name.clone(), Some(format!("/projects/{slug}"))), ("Add secret".into(), None)])}
            {ui::head("Add secret", "A name at a path. Its value is written afterwards, on its own page.", None)}
            <form class="sheet" method="post" action=format!("/projects/{slug}/secrets")>
                {ui::pick(form, "environment", "Environment", "", environments)}
                {ui::input(form, "path", "Path", "text", "Letters, digits, dot, underscore and hyphen; / between parts. For example db/settlement-primary.")}
                {ui::pick(form, "kind", "Kind", "A database account has a user name and a password, a certificate a chain and a key.", kinds)}
                {ui::pick(form, "class", "Class", "Critical secrets in production need two signatures and are copied without being shown.", classes)}
                {ui::pick(form, "team", "Owned by", "", teams)}
                {ui::input(form, "description", "What it is for", "text", "Never a value.")}
                <div class="actions"><button class="button primary" type="submit">"Add the secret"</button><a class="button plain" href=format!("/projects/{slug}")>"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}

pub struct VersionLine {
    pub version: i32,
    pub label: &'static str,
    pub by: String,
    pub written_at: Moment,
    pub fields: String,
    pub length: i32,
    pub deleted: bool,
    pub destroyed: bool,
    pub destroy_after: Option<Moment>,
}

/// Who can take the value now, and by which route.
pub struct Reader {
    pub name: String,
    pub href: String,
    pub how: &'static str,
    pub request: String,
    pub grant: String,
    pub until: Moment,
}

pub struct SecretView {
    pub id: String,
    pub project: (String, String),
    pub environment: Column,
    pub path: String,
    pub kind: Kind,
    pub class: Class,
    pub description: String,
    pub team: String,
    pub archived: bool,
    pub seen: i64,
    pub latest: i32,
    pub versions: Vec<VersionLine>,
    pub readers: Vec<Reader>,
    /// `(name, version, how, since, current)`
    pub knowing: Vec<(String, i32, String, Moment, bool)>,
    /// `(id, sentence, state)`
    pub requests: Vec<(String, String, crate::requests::model::State)>,
    /// `(seq, when, words)`
    pub activity: Vec<(u64, Moment, String)>,
    pub siblings: Vec<(Tier, String)>,
    /// May this viewer take the value: with until when, or why not.
    pub take: Result<Moment, Refusal>,
    pub write: Option<Refusal>,
    pub edit: Option<Refusal>,
    /// Why this viewer may not end others' access.
    pub revoke: Option<Refusal>,
}

pub fn secret(shell: &Shell, view: SecretView, form: &Form) -> String {
    let title = view.path.clone();
    let band = Band {
        project: view.project.1.clone(),
        environment: view.environment.slug.clone(),
        tier: view.environment.tier,
    };
    ui::page(shell, &title, Some(band), || {
        let base = format!("/secrets/{}", view.id);
        let now = shell.now;
        let copies = copy_only(view.environment.tier, view.class);
        let take = match (&view.take, view.archived) {
            (_, true) => ui::callout("attention", "Archived", "It is out of use: nobody can take its value any more."),
            (Ok(until), _) => view! {
                <p class="soft">"You hold access until "{ui::when_about(*until, now)}". Taking the value is recorded, and from then on you know it."</p>
                <TakeValue secret=view.id.clone() copy_only=copies />
            }
            .into_any(),
            (Err(refusal), _) => view! {
                <p>{refusal.to_string()}</p>
                <div class="actions pad"><a class="button primary" href=format!("/requests/new?secret={}", view.id)>"Ask for access"</a></div>
            }
            .into_any(),
        };
        let readers = view
            .readers
            .iter()
            .map(|reader| {
                vec![
                    ui::link(reader.href.clone(), reader.name.clone()),
                    ui::text(reader.how),
                    ui::when_about(reader.until, now),
                    ui::link(format!("/requests/{}", reader.request), "why"),
                    view.revoke
                        .is_none()
                        .then(|| ui::act(format!("/grants/{}/revoke", reader.grant), "Revoke", vec![]))
                        .into_any(),
                ]
            })
            .collect::<Vec<_>>();
        let knowing = view
            .knowing
            .iter()
            .map(|(name, version, how, since, current)| {
                vec![
                    ui::text(name.clone()),
                    view! { <code>{format!("v{version}")}</code>{current.then(|| " current")} }.into_any(),
                    ui::text(how.clone()),
                    ui::when(*since),
                ]
            })
            .collect::<Vec<_>>();
        let versions = view
            .versions
            .iter()
            .map(|version| version_row(version, &base, view.edit.is_none(), now))
            .collect::<Vec<_>>();
        let requests = view
            .requests
            .iter()
            .map(|(id, words, state)| {
                vec![ui::link(format!("/requests/{id}"), words.clone()), crate::requests::page::state_badge(*state)]
            })
            .collect::<Vec<_>>();
        let reads = shell.viewer.as_ref().is_some_and(|viewer| viewer.reads_evidence() || viewer.leads);
        let activity = view.activity.iter().map(|(seq, at, words)| view! {
            <li>{ui::when_short(*at)}<div><p>{words.clone()}</p><small>{if reads { ui::link(format!("/audit/{seq}"), format!("event {seq}")) } else { ui::text(format!("event {seq}")) }}</small></div></li>
        }).collect_view();
        let siblings = view
            .siblings
            .iter()
            .map(|(tier, id)| view! { <a class="chip add" href=format!("/secrets/{id}")>{tier.words()}</a> })
            .collect_view();
        let write = match &view.write {
            None => ui::link(format!("{base}/write"), "Write a new value"),
            Some(refusal) => view! { <span class="muted">{refusal.to_string()}</span> }.into_any(),
        };
        let edit = view.edit.is_none().then(|| edit_part(&view, &base, form));
        let (no_readers, no_knowing, no_versions, no_requests) =
            (readers.is_empty(), knowing.is_empty(), versions.is_empty(), requests.is_empty());
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (view.project.1.clone(), Some(format!("/projects/{}", view.project.0))), (view.path.clone(), None)])}
            {ui::head(view.path.clone(), if view.description.is_empty() { "No description.".to_owned() } else { view.description.clone() }, None)}
            <div class="chips pad">"Also in: "{siblings}</div>
            {ui::clause("h-take", "The value", "", take)}
            {ui::clause("h-facts", "Facts", "", ui::facts(vec![
                ("Kind", ui::text(view.kind.words())),
                ("Class", ui::text(view.class.words())),
                ("Owned by", ui::text(format!("team {}", view.team))),
                ("New value", write),
                ("Id", ui::id(&view.id)),
            ]))}
            {ui::clause("h-readers", "Who can read it", "By an approved request, until it ends. No role reads a value.",
                if no_readers { ui::text("Nobody can take the value now.") } else { ui::table("Who can take the value now", &["Who", "How", "Until", "Why", ""], readers) })}
            {ui::clause("h-knows", "Who knows it", "Ending access ends reading, not knowledge.",
                if no_knowing { ui::text("Nobody has seen, typed or copied a version of it.") } else { ui::table("Who knows which version", &["Who", "Version", "How", "Since"], knowing) })}
            {ui::clause("h-versions", "Versions", "Immutable and numbered; the newest that is there is current.",
                if no_versions { ui::text("No value was written yet.") } else { ui::table("Versions, newest first", &["Version", "State", "Written", "By", "Fields", ""], versions) })}
            {ui::clause("h-requests", "Requests", "", if no_requests { ui::text("Nobody asked for it yet.") } else { ui::table("Requests, newest first", &["What", "State"], requests) })}
            {ui::clause("h-activity", "Activity", "Newest first, UTC", view! { <ol class="timeline">{activity}</ol> }.into_any())}
            {edit}
        }
        .into_any()
    })
}

fn version_row(version: &VersionLine, base: &str, edits: bool, now: Moment) -> Vec<AnyView> {
    let at = |verb: &str| format!("{base}/versions/{}/{verb}", version.version);
    let act = if !edits || version.destroyed {
        ().into_any()
    } else if let Some(after) = version.destroy_after {
        if now >= after {
            ui::act(at("destroy"), "Destroy for ever", vec![])
        } else {
            view! { <span class="muted small">"can be destroyed from "{ui::when(after)}</span> }.into_any()
        }
    } else if version.deleted {
        view! { {ui::act(at("undelete"), "Restore", vec![])}{ui::act(at("schedule"), "Ask to destroy", vec![])} }
            .into_any()
    } else {
        ui::act(at("delete"), "Delete (restorable)", vec![])
    };
    let kind = match version.label {
        "current" => "good",
        "previous" => "note",
        _ => "ended",
    };
    vec![
        view! { <code>{format!("v{}", version.version)}</code> }.into_any(),
        ui::badge(kind, version.label),
        ui::when(version.written_at),
        ui::text(version.by.clone()),
        ui::text(format!("{} · {} bytes", version.fields.replace(',', ", "), version.length)),
        act,
    ]
}

fn edit_part(view: &SecretView, base: &str, form: &Form) -> AnyView {
    let classes = Class::ALL.iter().map(|class| (class.code().to_owned(), class.words().to_owned())).collect();
    let (description, path) = if form.errors.is_empty() {
        (view.description.clone(), view.path.clone())
    } else {
        (form.value("description"), form.value("path"))
    };
    let filled = Form {
        values: vec![
            ("description".into(), description),
            ("path".into(), path),
            ("class".into(), view.class.code().into()),
        ],
        errors: form.errors.clone(),
    };
    let archive = (!view.archived)
        .then(|| view! { <p><a href=format!("{base}/archive")>"Archive: see first what it touches"</a></p> });
    ui::clause("h-edit", "Change", "Recorded with before and after.", view! {
        <form class="sheet" method="post" action=format!("{base}/edit")>
            <input type="hidden" name="seen" value=view.seen />
            {ui::input(&filled, "description", "What it is for", "text", "Never a value.")}
            {ui::pick(&filled, "class", "Class", "Open requests are asked again when the class changes.", classes)}
            <div><button class="button" type="submit">"Save"</button></div>
        </form>
        <form class="sheet pad" method="post" action=format!("{base}/move")>
            {ui::input(&filled, "path", "Path", "text", "Moving wraps every version anew and leaves a sign at the old place.")}
            <div><button class="button" type="submit">"Move"</button></div>
        </form>
        {archive}
    }.into_any())
}

/// What archiving touches, shown before it is done.
pub fn archive(shell: &Shell, id: &str, path: &str, cuts: Vec<(&'static str, usize)>, names: Vec<String>) -> String {
    let (base, path) = (format!("/secrets/{id}"), path.to_owned());
    ui::page(shell, "Archive", None, || {
        let cuts = cuts.into_iter().map(|(what, count)| view! { <div><dt>{what}</dt><dd><span class="was">{count}</span><span class="ic go" aria-hidden="true"></span><ins class="plus">"0"</ins></dd></div> }).collect_view();
        let names = if names.is_empty() {
            "Nobody and nothing uses it now.".to_owned()
        } else {
            format!("Who will notice: {}.", names.join(", "))
        };
        view! {
            {ui::crumbs(vec![(path.clone(), Some(base.clone())), ("Archive".into(), None)])}
            {ui::head(format!("Archive {path}"), "It goes out of use at once. Values stay sealed; the record stays.", None)}
            <dl class="shifts">{cuts}</dl>
            <p class="pad soft">{names}</p>
            <div class="actions">
                <form class="inline" method="post" action=format!("{base}/archive")><button class="button danger" type="submit">"Archive now"</button></form>
                <a class="button plain" href=base.clone()>"Keep it"</a>
            </div>
        }
        .into_any()
    })
}

/// Writing a value: typed or pasted, from a file, or generated. Nothing typed is ever shown again.
pub struct Write {
    pub id: String,
    pub path: String,
    pub band: Band,
    pub kind: Kind,
    pub latest: i32,
    /// Written under this number already: the odd values that deserve a second look.
    pub warnings: Vec<String>,
}

pub fn write(shell: &Shell, view: Write, form: &Form) -> String {
    let base = format!("/secrets/{}", view.id);
    let Write { path, band, kind, latest, warnings, .. } = view;
    ui::page(shell, "Write a new value", Some(band), || {
        let fields = kind.fields().iter().map(|name| view! {
            <div class="field"><label for=format!("f-{name}")>{*name}</label>
                <textarea class="input secret" id=format!("f-{name}") name=format!("field.{name}") rows="2" autocomplete="off" spellcheck="false"></textarea></div>
        }).collect_view();
        let warned = (!warnings.is_empty()).then(|| {
            let items = warnings.into_iter().map(|warning| view! { <li>{warning}</li> }).collect_view();
            view! { <div class="callout attention"><div><b>"Look again"</b><ul>{items}</ul><p>"Send it once more with the box ticked if it is meant so. What you typed was not kept."</p></div></div> }
        });
        let error = form.error("value").map(|error| view! { <p class="wrong" role="alert">{error}</p> });
        let generate = (kind.fields().len() == 1).then(|| {
            view! {
                <form class="sheet pad" method="post" action=format!("{base}/generate")>
                    <h2>"Or let Countersign make one"</h2>
                    <p class="hint">"40 random characters without look-alikes. It is not shown: nobody knows it."</p>
                    <input type="hidden" name="expected" value=latest />
                    <div><button class="button" type="submit">"Generate and write"</button></div>
                </form>
            }
        });
        view! {
            {ui::crumbs(vec![(path.clone(), Some(base.clone())), ("New value".into(), None)])}
            {ui::head(format!("A new value for {path}"), format!("It becomes version {} and current at once. You then know it.", latest + 1), None)}
            {warned}
            <form class="sheet" method="post" action=format!("{base}/write")>
                <input type="hidden" name="expected" value=latest />
                {fields}
                {error}
                <label class="check"><input type="checkbox" name="anyway" value="yes" /><span>"Write it even if it looks odd (empty, white space at an end)"</span></label>
                <div class="actions"><button class="button primary" type="submit">"Write"</button><a class="button plain" href=base.clone()>"Cancel"</a></div>
            </form>
            {generate}
        }
        .into_any()
    })
}

pub struct Preview {
    pub stash: String,
    pub environment: String,
    /// `(path, bytes, exists, warning)`
    pub found: Vec<(String, usize, bool, Option<&'static str>)>,
}

pub fn import(
    shell: &Shell,
    project: (&str, &str),
    environments: Vec<(String, String)>,
    preview: Option<Preview>,
    form: &Form,
) -> String {
    let (slug, name) = (project.0.to_owned(), project.1.to_owned());
    ui::page(shell, "Import", None, || {
        let formats = vec![
            ("env".to_owned(), ".env".to_owned()),
            ("json".to_owned(), "JSON object".to_owned()),
            ("yaml".to_owned(), "YAML mapping".to_owned()),
        ];
        let shown = preview.map(|preview| {
            let fresh = preview.found.iter().filter(|(_, _, exists, _)| !exists).count();
            let again = preview.found.len() - fresh;
            let rows = preview.found.into_iter().map(|(path, length, exists, warning)| vec![
                view! { <code>{path}</code> }.into_any(),
                ui::text(format!("{length} bytes")),
                if exists { ui::badge("attention", "exists: a new version") } else { ui::badge("note", "new") },
                ui::text(warning.unwrap_or("")),
            ]).collect();
            view! {
                {ui::group("What this would do", fresh + again, format!("{fresh} new, {again} new versions of what exists"))}
                {ui::table("Names in the file", &["Path", "Length", "Here", "Look at"], rows)}
                <form class="actions pad" method="post" action=format!("/projects/{slug}/import/confirm")>
                    <input type="hidden" name="stash" value=preview.stash /><input type="hidden" name="environment" value=preview.environment />
                    <button class="button primary" type="submit">"Write all of it"</button>
                    <a class="button plain" href=format!("/projects/{slug}/import")>"Start again"</a>
                </form>
            }
        });
        let area = view! { <textarea class="input secret" id="text" name="text" rows="8" autocomplete="off" spellcheck="false"></textarea> }.into_any();
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (name.clone(), Some(format!("/projects/{slug}"))), ("Import".into(), None)])}
            {ui::head("Import", "First a preview with names and conflicts, never values. Then all of it, or nothing.", None)}
            {shown}
            <form class="sheet" method="post" action=format!("/projects/{slug}/import")>
                {ui::pick(form, "environment", "Into", "Not into production: values there come one by one, by somebody who holds access to write.", environments)}
                {ui::pick(form, "format", "Format", "", formats)}
                {ui::field(form, "text", "The file’s text", "You know what you import.", area)}
                <div><button class="button" type="submit">"Preview"</button></div>
            </form>
        }
        .into_any()
    })
}

pub struct KeyLine {
    pub generation: i32,
    pub state: String,
    pub created_at: Moment,
    pub values: i64,
}

/// One environment: its level and its keys.
pub fn environment(
    shell: &Shell,
    project: (&str, &str),
    column: Column,
    keys: Vec<KeyLine>,
    may: Option<Refusal>,
) -> String {
    let (slug, name) = (project.0.to_owned(), project.1.to_owned());
    let band = Band { project: name.clone(), environment: column.slug.clone(), tier: column.tier };
    ui::page(shell, &format!("{name} / {}", column.slug), Some(band), || {
        let base = format!("/environments/{}", column.id);
        let older: i64 = keys.iter().skip(1).map(|key| key.values).sum();
        let rows = keys
            .iter()
            .map(|key| {
                let act = if may.is_none() && key.state == "decrypt-only" && key.values == 0 {
                    ui::act(format!("{base}/destroy-key"), "Destroy", vec![("generation", key.generation.to_string())])
                } else {
                    ().into_any()
                };
                vec![
                    ui::text(format!("generation {}", key.generation)),
                    ui::text(key.state.clone()),
                    ui::when(key.created_at),
                    ui::text(key.values.to_string()),
                    act,
                ]
            })
            .collect();
        let change = match may {
            Some(refusal) => view! { <p class="muted">{refusal.to_string()}</p> }.into_any(),
            None => view! {
                <div class="actions">
                    {ui::act(format!("{base}/rotate-key"), "Make a new key", vec![])}
                    {(older > 0).then(|| ui::act(format!("{base}/rewrap"), "Wrap the next 100 values with the newest key", vec![]))}
                </div>
            }
            .into_any(),
        };
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (name.clone(), Some(format!("/projects/{slug}"))), (column.slug.clone(), None)])}
            {ui::head(format!("{} / {}", name, column.slug), format!("Here {}; a value is past its age after {} days; a workload’s token lives {}.",
                column.tier.rule(), column.tier.rotate_within().num_days(), crate::time::span(column.tier.token_life())), None)}
            {ui::clause("h-keys", "Keys", "Each environment has its own: what is sealed in one opens in no other.", view! {
                {ui::table("Keys, newest first", &["Key", "State", "Made", "Values sealed with it", ""], rows)}
                {change}
            }.into_any())}
        }
        .into_any()
    })
}

/// The value without JavaScript: the only document that may hold one.
pub fn taken(shell: &Shell, path: &str, fields: Vec<(String, String)>, event: u64, back: &str) -> String {
    let (path, back) = (path.to_owned(), back.to_owned());
    ui::door(shell, "Value", move || {
        let fields = fields
            .into_iter()
            .map(|(name, value)| view! { <div><span class="label">{name}</span><output>{value}</output></div> })
            .collect_view();
        view! {
            <div class="stack">
                <div><h1>"The value"</h1><p class="purpose"><code>{path.clone()}</code>{format!(". Recorded as event {event}. Leave this page when you have it; it is kept nowhere.")}</p></div>
                <div class="taken">{fields}</div>
                <p><a class="button" href=back.clone()>"Done"</a></p>
            </div>
        }
        .into_any()
    })
}
