//! What somebody asked to have made of the trail: a form, a list, one job with how far it is.
use super::model::{Format, Kind, State};
use crate::{
    islands::Progress,
    session::Shell,
    time::{self, Moment},
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct Line {
    pub id: String,
    pub kind: Option<Kind>,
    pub query: String,
    pub state: State,
    pub asked_at: Moment,
    pub rows: u64,
}

pub fn state_badge(state: State) -> AnyView {
    let kind = match state {
        State::Waiting | State::Running => "wait",
        State::Done => "good",
        State::Failed => "danger",
        State::Cancelled | State::Gone => "ended",
    };
    ui::badge(kind, state.words())
}

fn kind_words(kind: Option<Kind>) -> &'static str {
    kind.map_or("of another version", Kind::words)
}

/// The list, and the form to ask for another.
pub fn list(shell: &Shell, lines: Vec<Line>, form: &Form) -> String {
    ui::page(shell, "Reports", None, || {
        let now = shell.now;
        let rows: Vec<_> = lines
            .into_iter()
            .map(|line| {
                let query = if line.query.is_empty() { "everything".to_owned() } else { line.query };
                vec![
                    ui::link(format!("/reports/{}", line.id), kind_words(line.kind)),
                    view! { <code class="asked">{query}</code> }.into_any(),
                    state_badge(line.state),
                    view! { <span>{if line.rows > 0 { line.rows.to_string() } else { "—".into() }}</span> }.into_any(),
                    ui::when_about(line.asked_at, now),
                ]
            })
            .collect();
        let kinds = Kind::ASKED.iter().map(|kind| (kind.code().to_owned(), kind.words().to_owned())).collect();
        let formats =
            Format::TABLES.iter().map(|format| (format.code().to_owned(), format.words().to_owned())).collect();
        view! {
            {ui::head("Reports", "What can be made of the trail and handed over: each says what was asked, by whom, and what the tree was then.", None)}
            {ui::clause("h-ask", "Make one", "It is made in the background and kept for a day. That you asked, and that you took it, is recorded.", view! {
                <form class="sheet" method="post" action="/reports">
                    {ui::input(form, "q", "Which events", "text", "The trail’s language, as on its page. Empty: everything you may read. A bundle of event:100..200 shows that none of them is left out.")}
                    {ui::input(form, "zone", "Time zone", "text", "IANA, for times beside UTC.")}
                    {ui::pick(form, "kind", "What", "A bundle proves each event to an outsider (up to 20,000 events). A table has no proofs. Reports of access, knowledge, requests and rotations are narrowed by project: and created: alone; access is as of the end of that time.", kinds)}
                    {ui::pick(form, "format", "As", "A bundle is always a ZIP. A PDF is for people: tagged, up to 5,000 rows.", formats)}
                    <details class="more"><summary>"Of a sample"</summary>
                        {ui::input(form, "sample", "How many events are drawn", "number", "1 to 200 of those that fit.")}
                        {ui::input(form, "nonce", "The auditor’s nonce", "text", "Any text of the auditor’s own, chosen now: with the tree’s root it decides which events are drawn, and anybody can draw the same again.")}
                    </details>
                    <label class="check"><input type="checkbox" name="redacted" value="yes" /><span>"Withhold names, paths, reasons and addresses. Proofs hold all the same."</span></label>
                    <label class="check"><input type="checkbox" name="raw" value="yes" /><span>"Leave cells as they are, also those that a spreadsheet would compute (the guard is off, and that is recorded)"</span></label>
                    <div class="actions"><button class="button primary" type="submit">"Make it"</button><a class="button plain" href="/evidence">"Check a bundle"</a></div>
                </form> }.into_any())}
            {ui::clause("h-made", "Yours", "Newest first.", if rows.is_empty() {
                ui::empty("Nothing was made yet", "Ask for a bundle or a table above, or from the trail with what you searched for.", None)
            } else {
                ui::table("What you asked for", &["What", "Of", "State", "Rows", "Asked"], rows)
            })}
        }
        .into_any()
    })
}

pub struct One {
    pub id: String,
    pub kind: Option<Kind>,
    pub format: Format,
    pub query: String,
    pub zone: String,
    pub redacted: bool,
    pub raw: bool,
    /// How many were drawn, with which nonce.
    pub sample: Option<(u32, String)>,
    pub state: State,
    pub as_of: u64,
    pub asked_at: Moment,
    pub ended_at: Option<Moment>,
    pub expires_at: Moment,
    pub failure: Option<String>,
    pub done: u64,
    pub total: u64,
    pub rows: u64,
    pub bytes: u64,
    pub digest: Option<String>,
    /// A short result, shown as it is.
    pub text: Option<String>,
}

/// "1.4 MiB".
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A part of a finished table.
pub struct Rows {
    pub id: String,
    pub kind: Kind,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub from: usize,
    pub next: Option<usize>,
    pub all: u64,
}

pub fn rows(shell: &Shell, view: Rows) -> String {
    let title = view.kind.words();
    ui::page(shell, title, None, || {
        let here = format!("/reports/{}", view.id);
        let (first, last) = (view.from + 1, view.from + view.rows.len());
        let none = view.rows.is_empty();
        let heads =
            view.columns.iter().map(|column| view! { <th scope="col">{column.replace('_', " ")}</th> }).collect_view();
        let lines = view
            .rows
            .into_iter()
            .map(|row| view! { <tr>{row.into_iter().map(|cell| view! { <td>{cell}</td> }).collect_view()}</tr> })
            .collect_view();
        let before = (view.from > 0).then(|| {
            let from = view.from.saturating_sub(100);
            view! { <a href=format!("{here}/rows?from={from}")>"Rows before"</a>" " }
        });
        let next = view.next.map(|from| view! { <a href=format!("{here}/rows?from={from}")>"Next rows"</a> });
        view! {
            {ui::crumbs(vec![("Reports".into(), Some("/reports".into())), (title.into(), Some(here.clone())), ("Rows".into(), None)])}
            {ui::head(title, "Read from the file itself. That you looked is recorded as taking it.", None)}
            {if none {
                ui::empty("No rows", "Nothing fits what was asked.", Some((here, "What was asked")))
            } else {
                view! {
                    <p class="soft">{format!("Rows {first} to {last} of {}. The first thousand are shown here; the file has all.", view.all)}</p>
                    <div class="wide" role="region" aria-label="Rows" tabindex="0"><table class="table compact"><caption class="vh">{title}</caption><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>
                    <p>{before}{next}</p>
                }.into_any()
            }}
        }
        .into_any()
    })
}

pub fn one(shell: &Shell, view: One) -> String {
    let title = kind_words(view.kind);
    ui::page(shell, title, None, || {
        let here = format!("/reports/{}", view.id);
        let open = matches!(view.state, State::Waiting | State::Running);
        let name = view.format.code();
        let query = if view.query.is_empty() { "everything".to_owned() } else { view.query.clone() };
        let back = crate::audit::page::at(&view.query, &view.zone);
        let percent = (view.done * 100).checked_div(view.total).unwrap_or(0).min(100);
        let result = match view.state {
            State::Waiting | State::Running => view! {
                <div class="running"><progress max="100" value=percent aria-label="How far it is"></progress>
                <p><span>{format!("{percent} %, {} rows so far", view.rows)}</span>" · "<a href=here.clone()>"Look again"</a></p>
                <Progress url=here.clone() /></div>
                <p class="soft">"You may leave: you are told when it is made."</p>
                {ui::act(format!("{here}/cancel"), "Cancel", vec![])}
            }.into_any(),
            State::Done => view! {
                <p>{format!("{} rows, {}. Kept until {}.", view.rows, size(view.bytes), time::long(view.expires_at))}</p>
                <div class="actions"><a class="button primary" href=format!("{here}/file") download>{format!("Take the {} file", name.to_uppercase())}</a>
                    {matches!(view.format, Format::Csv | Format::Lines).then(|| view! { <a class="button" href=format!("{here}/rows")>"Look at its rows here"</a> })}
                    <a class="button" href=format!("{here}/manifest") download>"Take its signed manifest"</a></div>
                {view.text.clone().map(|text| view! { <pre class="code">{text}</pre> })}
            }.into_any(),
            State::Failed => view! { <p class="wrong" role="alert">{view.failure.clone().unwrap_or_default()}</p><p><a href="/reports">"Ask for another"</a></p> }.into_any(),
            State::Cancelled => ui::text("It was cancelled. What it had made is not kept."),
            State::Gone => view! { <p>"It was kept for a day and is gone. "<a href="/reports">"Make it again"</a></p> }.into_any(),
        };
        let drawn = view.sample.clone().map(|(size, nonce)| format!("{size}, with the nonce {nonce}"));
        let mut facts: Vec<_> = drawn.map(|drawn| ("Drawn", ui::text(drawn))).into_iter().collect();
        facts.extend([
            ("Of", view! { <a href=back><code>{query}</code></a> }.into_any()),
            ("Supports", ui::text(view.kind.map_or("—", Kind::supports))),
            ("Zone", ui::text(view.zone.clone())),
            ("Events", ui::text(format!("below {}", view.as_of))),
            ("Sensitive fields", ui::text(if view.redacted { "withheld" } else { "disclosed" })),
            ("Formula guard", ui::text(if view.raw { "off" } else { "on" })),
            ("Asked", ui::when(view.asked_at)),
            ("Ended", view.ended_at.map_or_else(|| ui::text("—"), ui::when)),
            (
                "SHA-256",
                view! { <span class="id">{view.digest.clone().unwrap_or_else(|| "—".into())}</span> }.into_any(),
            ),
            ("Id", ui::id(&view.id)),
        ]);
        view! {
            {ui::crumbs(vec![("Reports".into(), Some("/reports".into())), (title.into(), None)])}
            {ui::head(title, "Made of the trail as it was when you asked.", Some(state_badge(view.state)))}
            {ui::clause("h-result", if open { "Under way" } else { "Result" }, "", result)}
            {ui::clause("h-facts", "What was asked", "", ui::facts(facts))}
        }
        .into_any()
    })
}
