//! One secret: its value, versions, who reads it and who knows it.
use super::Column;
use crate::{
    catalog::model::{Death, Kind},
    error::Refusal,
    grants::model::State,
    islands::TakeValue,
    policies::model::{Class, Tier},
    rotations::page::{SecretRotation, part},
    session::Shell,
    time::Moment,
    ui::{self, Band, Form},
};
use leptos::prelude::*;

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
    /// How it is known that its credential is dead: proved or attested.
    pub death: Option<Death>,
    /// Until when it works by its own date.
    pub valid_until: Option<Moment>,
    /// Why this viewer does not destroy it, though it is time and policies allow it.
    pub kept: Option<Refusal>,
}

/// Who can take the value now, and by which route.
pub struct Reader {
    pub name: String,
    pub href: String,
    pub how: &'static str,
    pub request: String,
    pub grant: String,
    pub until: Moment,
    pub state: State,
    /// How many other secrets the same access opens: they end with it.
    pub others: usize,
    /// It is suspended, and this viewer may let it go on.
    pub resumes: bool,
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
    pub attest: Option<Refusal>,
    /// May this viewer destroy what waits for it, as far as policies go?
    pub destroys: bool,
    /// May this viewer look at who could read it, also at a time before?
    pub explains: bool,
    pub rotation: SecretRotation,
}

pub fn secret(shell: &Shell, mut view: SecretView, form: &Form) -> String {
    let rotation = std::mem::take(&mut view.rotation);
    let title = view.path.clone();
    let band = Band {
        project: view.project.1.clone(),
        environment: view.environment.slug.clone(),
        tier: view.environment.tier,
    };
    ui::page(shell, &title, Some(band), || {
        let base = format!("/secrets/{}", view.id);
        let now = shell.now;
        let copies = shell.levels.of(view.environment.tier).copies(view.class);
        let take = match (&view.take, view.archived) {
            (_, true) => ui::callout("attention", "Archived", "It is out of use: nobody can take its value any more."),
            (Ok(until), _) => view! {
                <p class="soft">"You hold access until "{ui::when_about(*until, now)}". Taking the value is recorded, and from then on you know it."</p>
                <TakeValue secret=view.id.clone() copy_only=copies />
            }
            .into_any(),
            (Err(refusal), _) => view! {
                <p>{refusal.to_string()}</p>
                <div class="actions pad">
                    <a class="button primary" href=format!("/requests/new?secret={}", view.id)>"Ask for access"</a>
                    <a class="button" href=format!("/explain?secret={}", view.id)>"Why, and whom to ask"</a>
                </div>
            }
            .into_any(),
        };
        let rotation = part(&view.id, rotation, now);
        let readers = view
            .readers
            .iter()
            .map(|reader| {
                vec![
                    ui::link(reader.href.clone(), reader.name.clone()),
                    match reader.others {
                        0 => ui::text(reader.how),
                        1 => view! { {reader.how}<small class="block muted">"with another secret, which ends with it"</small> }.into_any(),
                        more => view! { {reader.how}<small class="block muted">{format!("with {more} other secrets, which end with it")}</small> }.into_any(),
                    },
                    match reader.state {
                        State::Active => ui::when_about(reader.until, now),
                        other => view! { {ui::badge("wait", other.words())}" "{ui::when_about(reader.until, now)} }.into_any(),
                    },
                    ui::link(format!("/requests/{}", reader.request), "why"),
                    view! {
                        {reader.resumes
                            .then(|| ui::act(format!("/grants/{}/resume", reader.grant), "Confirm", vec![]))}
                        {view.revoke.is_none().then(|| ui::act(format!("/grants/{}/revoke", reader.grant), "Revoke", vec![]))}
                    }
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
            .map(|version| {
                version_row(version, &base, (view.edit.is_none(), view.destroys), view.attest.is_none(), now)
            })
            .collect::<Vec<_>>();
        let requests = view
            .requests
            .iter()
            .map(|(id, words, state)| {
                vec![ui::link(format!("/requests/{id}"), words.clone()), crate::requests::page::state_badge(*state)]
            })
            .collect::<Vec<_>>();
        let reads = shell.viewer.as_ref().is_some_and(|viewer| viewer.reads_trail());
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
        let more = view.explains.then(
            || view! { <p class="pad"><a href=format!("{base}/access")>"Explained, also at a time before"</a></p> },
        );
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
                view! {
                    {if no_readers { ui::text("Nobody can take the value now.") } else { ui::table("Who can take the value now", &["Who", "How", "Until", "Why", ""], readers) }}
                    {more}
                }.into_any())}
            {ui::clause("h-knows", "Who knows it", "Ending access ends reading, not knowledge.",
                if no_knowing { ui::text("Nobody has seen, typed or copied a version of it.") } else { ui::table("Who knows which version", &["Who", "Version", "How", "Since"], knowing) })}
            {ui::clause("h-versions", "Versions", "Immutable and numbered; the newest that is there is current.",
                if no_versions { ui::text("No value was written yet.") } else { ui::table("Versions, newest first", &["Version", "State", "Written", "By", "Fields", "Credential", ""], versions) })}
            {ui::clause("h-rotation", "Rotation", "The old value is shown to be dead, not only replaced.", rotation)}
            {ui::clause("h-requests", "Requests", "", if no_requests { ui::text("Nobody asked for it yet.") } else { ui::table("Requests, newest first", &["What", "State"], requests) })}
            {ui::clause("h-activity", "Activity", "Newest first, UTC", view! { <ol class="timeline">{activity}</ol> }.into_any())}
            {edit}
        }
        .into_any()
    })
}

fn version_row(
    version: &VersionLine,
    base: &str,
    (edits, destroys): (bool, bool),
    attests: bool,
    now: Moment,
) -> Vec<AnyView> {
    let at = |verb: &str| format!("{base}/versions/{}/{verb}", version.version);
    let act = if let (Some(after), false) = (version.destroy_after, version.destroyed) {
        match version.kept {
            _ if now < after => {
                view! { <span class="muted small">"can be destroyed from "{ui::when(after)}</span> }.into_any()
            }
            _ if !destroys => view! { <span class="muted small">"waits to be destroyed"</span> }.into_any(),
            Some(why) => view! { <span class="muted small">{why.to_string()}</span> }.into_any(),
            None => ui::act(at("destroy"), "Destroy for ever", vec![]),
        }
    } else if !edits || version.destroyed {
        ().into_any()
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
        match version.death {
            Some(Death::Proved) => ui::badge("good", "proved dead"),
            Some(death @ (Death::Attested | Death::Expired)) => ui::badge("attention", death.words()),
            Some(death @ Death::Withdrawn) => ui::badge("ended", death.words()),
            None if matches!(version.label, "current" | "pending") => in_use(version.valid_until, now),
            None if attests => view! {
                <details class="more"><summary>{may_work(version.valid_until)}</summary>
                    <form class="stacked" method="post" action=at("attest")>
                        <label class="field"><span class="label">"What you saw"</span><input class="input" name="reason" maxlength="1000" required /></label>
                        <button class="button" type="submit">"I attest that it is dead"</button>
                    </form>
                </details>
            }
            .into_any(),
            None => may_work(version.valid_until),
        },
        act,
    ]
}

fn may_work(valid_until: Option<Moment>) -> AnyView {
    match valid_until {
        None => ui::text("may still work"),
        Some(until) => view! { "may still work until "{ui::when(until)} }.into_any(),
    }
}

/// A value in use, and until when it works by its own date.
fn in_use(valid_until: Option<Moment>, now: Moment) -> AnyView {
    match valid_until {
        None => ui::text("in use"),
        Some(until) if until <= now => {
            view! { {ui::badge("danger", "ended by its own date")}" "{ui::when(until)} }.into_any()
        }
        Some(until) => view! { "in use, until "{ui::when(until)} }.into_any(),
    }
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
