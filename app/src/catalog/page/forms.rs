//! What changes secrets: adding, archiving, writing a value, importing; an environment with its keys.
use super::Column;
use crate::{
    catalog::model::Kind,
    error::Refusal,
    policies::model::Class,
    rotations::page::{DefaultView, default_part},
    session::Shell,
    time::Moment,
    ui::{self, Band, Form},
};
use leptos::prelude::*;

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
    schedule: (DefaultView, &Form),
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
        let level = shell.levels.of(column.tier);
        let change = match may {
            Some(refusal) => view! { <p class="muted">{refusal.to_string()}</p> }.into_any(),
            None => view! {
                <div class="actions pad">
                    {ui::act(format!("{base}/rotate-key"), "Make a new key", vec![])}
                    {(older > 0).then(|| ui::act(format!("{base}/rewrap"), "Wrap the next 100 values with the newest key", vec![]))}
                </div>
            }
            .into_any(),
        };
        view! {
            {ui::crumbs(vec![("Projects".into(), Some("/projects".into())), (name.clone(), Some(format!("/projects/{slug}"))), (column.slug.clone(), None)])}
            {ui::head(format!("{} / {}", name, column.slug), format!("Here {}; a value is past its age after {} days; a workload’s token lives {}.",
                level.rule(), level.rotate_days, crate::time::span(level.token_life())), None)}
            {ui::clause("h-keys", "Keys", "Each environment has its own: what is sealed in one opens in no other.", view! {
                {ui::table("Keys, newest first", &["Key", "State", "Made", "Values sealed with it", ""], rows)}
                {change}
            }.into_any())}
            {ui::clause("h-schedule", "When its secrets rotate", "Inherited by every secret here that has a plan and says nothing itself.", default_part(schedule.0, schedule.1, level))}
        }
        .into_any()
    })
}
