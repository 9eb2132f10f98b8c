//! The trail and one event of it.
use super::action::Action;
use crate::{
    session::Shell,
    time::{self, Moment},
    ui,
};
use leptos::prelude::*;

pub struct Line {
    pub seq: u64,
    pub at: Moment,
    pub words: String,
    pub actor: String,
    pub about: String,
    pub outcome: &'static str,
}

/// The filter as the address carries it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub actor: String,
    pub action: String,
    pub outcome: String,
    pub project: String,
    pub from: String,
    pub to: String,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        [&self.actor, &self.action, &self.outcome, &self.project, &self.from, &self.to]
            .iter()
            .all(|value| value.is_empty())
    }
}

pub struct Trail {
    pub lines: Vec<Line>,
    pub filter: Filter,
    /// `(value, words)` for each menu.
    pub actors: Vec<(String, String)>,
    pub projects: Vec<(String, String)>,
    pub older: Option<String>,
    pub newest: Option<String>,
    pub size: u64,
    pub signed: u64,
    pub mistake: Option<String>,
    /// The reading itself could not be recorded.
    pub unrecorded: bool,
}

pub fn outcome_badge(outcome: &'static str) -> AnyView {
    let kind = match outcome {
        "allowed" => "good",
        "refused" => "danger",
        _ => "attention",
    };
    ui::badge(kind, outcome)
}

pub fn trail(shell: &Shell, view: Trail) -> String {
    ui::page(shell, "Audit trail", None, || {
        let menu = |name: &'static str, label: &'static str, chosen: &str, choices: Vec<(String, String)>| {
            let choices = [vec![(String::new(), "all".to_owned())], choices].concat();
            let options = choices
                .into_iter()
                .map(|(value, words)| {
                    let selected = value == chosen;
                    view! { <option value=value selected=selected>{words}</option> }
                })
                .collect_view();
            view! { <div class="field"><label for=name>{label}</label><span class="pick"><select class="select" id=name name=name>{options}</select></span></div> }
        };
        let actions = Action::ALL.iter().map(|action| (action.code().to_owned(), action.words().to_owned())).collect();
        let outcomes = ["allowed", "refused", "failed"].map(|code| (code.to_owned(), code.to_owned())).to_vec();
        let empty = view.lines.is_empty();
        let mut day = String::new();
        let rows = view.lines.into_iter().map(|line| {
            let this = line.at.format("%a %-d %b %Y").to_string();
            let head = (this != day).then(|| {
                day.clone_from(&this);
                view! { <tr class="day"><th scope="rowgroup" colspan="3">{this}</th></tr> }
            });
            view! {
                {head}
                <tr><td class="when" data-l="Time"><time datetime=time::rfc3339(line.at)>{line.at.format("%H:%M:%S").to_string()}</time></td>
                    <th scope="row"><a href=format!("/audit/{}", line.seq)>{line.words}</a><small class="block soft">{line.actor}{(!line.about.is_empty()).then(|| format!(" · {}", line.about))}</small></th>
                    <td data-l="Outcome">{outcome_badge(line.outcome)}</td></tr>
            }
        }).collect_view();
        let mistake = view.mistake.map(|mistake| view! { <p class="wrong" role="alert">{mistake}</p> });
        let filtered = !view.filter.is_empty();
        let filter = view.filter.clone();
        let unrecorded = view.unrecorded.then(|| {
            ui::callout(
                "attention",
                "Your reading was not recorded",
                "The ledger cannot write now. Reading goes on all the same.",
            )
        });
        view! {
            {ui::head("Audit trail", "Every read, refusal, decision and change, in the order in which it was recorded.", None)}
            {unrecorded}
            <form class="facets" role="search" method="get" action="/audit">
                {menu("actor", "Actor", &filter.actor, view.actors)}
                {menu("action", "Action", &filter.action, actions)}
                {menu("outcome", "Outcome", &filter.outcome, outcomes)}
                {menu("project", "Project", &filter.project, view.projects)}
                <div class="field"><label for="from">"From"</label><input class="input" type="date" id="from" name="from" value=filter.from.clone() /></div>
                <div class="field"><label for="to">"To, inclusive"</label><input class="input" type="date" id="to" name="to" value=filter.to.clone() /></div>
                <button class="button" type="submit">"Filter"</button>
            </form>
            {mistake}
            <p class="window"><span><b>"UTC"</b></span><span>{format!("{} events in the tree", view.size)}</span>
                <span>{ui::badge("good", format!("Signed up to event {}", view.signed.saturating_sub(1)))}" by this server"</span></p>
            {if empty && filtered {
                ui::empty("No event matches", "Nothing was recorded that fits all of these.", Some(("/audit".into(), "Clear the filter")))
            } else if empty {
                ui::empty("Nothing yet", "Events appear here as they happen.", None)
            } else {
                view! {
                    <table class="table cards trail">
                        <caption class="vh">"Events, newest first"</caption>
                        <colgroup><col class="c-when" /><col /><col class="c-outcome" /></colgroup>
                        <thead class="stick"><tr><th scope="col">"Time"</th><th scope="col">"Event"</th><th scope="col">"Outcome"</th></tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                    <div class="pages"><span></span><span class="actions">
                        {view.newest.map(|href| view! { <a class="button" href=href>"Newest"</a> })}
                        {view.older.map(|href| view! { <a class="button" href=href>"Older"</a> })}
                    </span></div>
                }.into_any()
            }}
        }
        .into_any()
    })
}

/// One event, its proof and who checked it.
pub struct EventView {
    pub line: Line,
    pub actor_id: String,
    pub method: String,
    pub reason: String,
    pub policy: String,
    /// Sensitive fields that are disclosed, and names of those withheld.
    pub disclosed: Vec<(String, String)>,
    pub withheld: Vec<String>,
    pub json: String,
    pub leaf: String,
    pub root: String,
    pub size: u64,
    pub proof: Vec<String>,
    /// The proof was checked by this server just now.
    pub proven: bool,
    pub checked_at: Moment,
    pub request: Option<String>,
    pub secret: Option<String>,
}

pub fn event(shell: &Shell, view: EventView) -> String {
    let title = format!("Event {}", view.line.seq);
    ui::page(shell, &title, None, || {
        let line = view.line;
        let proof = if view.proven {
            view! { {ui::badge("good", "In the tree")}<small>{format!("Checked by this server at {}, against its signed tree of {} events. It proves nothing against whoever runs this server unless you hold an earlier checkpoint.", time::long(view.checked_at), view.size)}</small> }.into_any()
        } else {
            view! { {ui::badge("danger", "Not proven")}<small>"The stored tree does not contain this event as it is stored. Run countersign audit verify."</small> }.into_any()
        };
        let disclosed =
            view.disclosed.into_iter().map(|(name, value)| view! { <dt>{name}</dt><dd>{value}</dd> }).collect_view();
        let withheld =
            (!view.withheld.is_empty()).then(|| view! { <dt>"Withheld"</dt><dd>{view.withheld.join(", ")}</dd> });
        let links = view! {
            {view.request.map(|id| view! { <dt>"Request"</dt><dd><a class="id" href=format!("/requests/{id}")>{id.clone()}</a></dd> })}
            {view.secret.map(|id| view! { <dt>"Secret"</dt><dd><a class="id" href=format!("/secrets/{id}")>{id.clone()}</a></dd> })}
        };
        let (before, after) = (line.seq.checked_sub(1), line.seq + 1);
        view! {
            {ui::crumbs(vec![("Audit trail".into(), Some("/audit".into())), (format!("Event {}", line.seq), None)])}
            {ui::head(line.words.clone(), format!("{} · {}", line.actor, line.about), Some(view! {
                {before.map(|seq| view! { <a class="button" href=format!("/audit/{seq}")>"Before"</a> })}
                {(after < view.size).then(|| view! { <a class="button" href=format!("/audit/{after}")>"After"</a> })}
            }.into_any()))}
            {ui::clause("h-what", "What happened", "", view! {
                <dl class="facts">
                    <dt>"Time"</dt><dd>{ui::when(line.at)}</dd>
                    <dt>"Outcome"</dt><dd>{outcome_badge(line.outcome)}{(!view.reason.is_empty()).then(|| view! { <small>{view.reason.clone()}</small> })}</dd>
                    <dt>"Actor"</dt><dd>{line.actor.clone()}<small class="id">{view.actor_id.clone()}</small><small>{view.method.clone()}</small></dd>
                    <dt>"Decided by"</dt><dd>{view.policy.clone()}</dd>
                    {links}
                    {disclosed}
                    {withheld}
                </dl>
            }.into_any())}
            {ui::clause("h-proof", "Proof", "A tick says who checked.", view! { <p>{proof}</p>
                <details class="technical"><summary>"Technical details"</summary><dl class="facts tight">
                    <dt>"Leaf hash"</dt><dd class="id">{view.leaf.clone()}</dd>
                    <dt>"Tree head"</dt><dd class="id">{format!("{} · {}", view.size, view.root)}</dd>
                    <dt>"Path"</dt><dd class="id">{view.proof.into_iter().map(|hash| view! { <span class="block">{hash}</span> }).collect_view()}</dd>
                    <dt>"As data"</dt><dd><a href=format!("/log/proof/{}", line.seq)>"proof"</a>", "<a href="/log/checkpoint">"checkpoint"</a></dd>
                </dl></details> }.into_any())}
            {ui::clause("h-json", "As recorded", "These bytes are hashed.", view! { <pre class="code">{view.json.clone()}</pre> }.into_any())}
        }
        .into_any()
    })
}
