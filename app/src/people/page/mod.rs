//! People and teams. Sign-in and links are in `door`, one's own account in `account`, identity providers in `providers`,
//! a team in `team`.
mod account;
mod door;
mod factors;
mod providers;
mod team;

pub use account::*;
pub use door::*;
pub use factors::*;
pub use providers::*;
pub use team::*;

use crate::{
    error::Refusal,
    id::PersonId,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct PersonLine {
    pub id: PersonId,
    pub name: String,
    pub login: String,
    pub roles: String,
    pub teams: String,
    pub state: &'static str,
}

pub struct TeamLine {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub people: usize,
}

pub struct People {
    pub people: Vec<PersonLine>,
    pub teams: Vec<TeamLine>,
    /// Why this viewer may not invite, if so.
    pub invite: Option<Refusal>,
    pub deciders: u32,
    /// The words that people are filtered by.
    pub query: String,
    /// How many fit.
    pub fitting: usize,
    /// Where the next people begin; absent on the last page.
    pub next: Option<String>,
}

fn state_badge(state: &'static str) -> AnyView {
    let kind = match state {
        "active" => "good",
        "invited" => "wait",
        _ => "ended",
    };
    ui::badge(kind, state)
}

pub fn people(shell: &Shell, view: People, form: &Form) -> String {
    ui::page(shell, "People and teams", None, || {
        let alone = (view.deciders < 2).then(|| {
            ui::callout(
                "attention",
                "One-person mode",
                "Fewer than two people can decide. Production values can be stored but not revealed until a second person has the lead or security role.",
            )
        });
        let query = view.query;
        let next = view.next.map(|after| {
            let address = crate::nav::address("/people", &[("q", &query), ("after", &after)]);
            view! { <div class="pages"><span></span><span><a href=address>"Next people"</a></span></div> }
        });
        let rows: Vec<_> = view
            .people
            .into_iter()
            .map(|line| {
                vec![
                    ui::link(format!("/people/{}", line.id), line.name),
                    view! { <code>{line.login}</code> }.into_any(),
                    ui::text(line.roles),
                    ui::text(line.teams),
                    state_badge(line.state),
                ]
            })
            .collect();
        let teams = view
            .teams
            .into_iter()
            .map(|team| {
                vec![
                    ui::link(format!("/teams/{}", team.id), team.name),
                    view! { <code>{team.slug}</code> }.into_any(),
                    ui::text(team.people.to_string()),
                ]
            })
            .collect::<Vec<_>>();
        let team_count = teams.len();
        let forms = match view.invite {
            Some(refusal) => view! { <p class="muted small pad">"Inviting: "{refusal.to_string()}</p> }.into_any(),
            None => view! {
                <div class="twins">
                    <form class="sheet" method="post" action="/people">
                        <h2>"Invite a person"</h2>
                        {ui::input(form, "login", "Sign-in name", "text", "Lower-case letters, digits, dot, underscore and hyphen.")}
                        {ui::input(form, "name", "Name", "text", "")}
                        <div><button class="button primary" type="submit">"Make the link"</button></div>
                    </form>
                    <form class="sheet" method="post" action="/teams">
                        <h2>"Create a team"</h2>
                        {ui::input(form, "slug", "Short name", "text", "Lower-case letters, digits and hyphens.")}
                        {ui::input(form, "team_name", "Name", "text", "")}
                        <div><button class="button" type="submit">"Create the team"</button></div>
                    </form>
                </div>
            }
            .into_any(),
        };
        view! {
            {ui::head("People and teams", "Who can act here, as what, and who owns what.", None)}
            {alone}
            {ui::group("People", view.fitting, "by name")}
            <form class="filter" role="search" method="get" action="/people">
                <div class="query"><div><span class="ic find" aria-hidden="true"></span><input class="input" type="text" name="q" value=query.clone() aria-label="Filter people by name, sign-in name, role, team or state" /><kbd>"/"</kbd></div><button class="button" type="submit">"Filter"</button></div>
            </form>
            {if rows.is_empty() {
                ui::empty("Nobody fits", format!("No name, role, team or state has the words “{query}”."), Some(("/people".into(), "Show everybody")))
            } else {
                ui::table("People by name", &["Name", "Sign-in name", "Roles", "Teams", "State"], rows)
            }}
            {next}
            {ui::group("Teams", team_count, "own projects' secrets and workloads")}
            {if team_count == 0 {
                ui::empty("No teams yet", "A team owns projects, secrets and workloads. Make one before the first project.", None)
            } else {
                ui::table("Teams by name", &["Name", "Short name", "People"], teams)
            }}
            {forms}
        }
        .into_any()
    })
}

pub struct RoleLine {
    pub id: String,
    pub words: String,
    pub since: Moment,
    /// When it ends by itself.
    pub until: Option<Moment>,
    /// Who gave it by hand, or the group that gives it.
    pub given_by: String,
}

pub struct Person {
    pub id: PersonId,
    pub name: String,
    pub login: String,
    pub state: &'static str,
    pub created_at: Moment,
    pub roles: Vec<RoleLine>,
    /// `(membership id, team)`
    pub teams: Vec<(String, String)>,
    /// What disabling would cut, in words.
    pub cuts: Vec<(&'static str, usize)>,
    /// Personal access tokens that work, for those who may end them.
    pub tokens: Option<Vec<TokenLine>>,
    /// Second factors, for those who may take them away.
    pub factors: Option<Vec<FactorLine>>,
    /// Open sessions, for those who may end them.
    pub sessions: Option<Vec<SessionLine>>,
    /// Identities of providers, and whether the viewer may unlink them.
    pub identities: Vec<IdentityLine>,
    pub unlink: bool,
    /// Rules of separation that bite now, as sentences.
    pub bars: Vec<String>,
    /// Who decides in whose place.
    pub delegations: Vec<DelegationLine>,
    pub end_delegation: bool,
    /// Production values that this person knows, as `(secret id, path and place)`.
    pub knows: Vec<(String, String)>,
    pub manage: Option<Refusal>,
    pub disable: Option<Refusal>,
    pub projects: Vec<(String, String)>,
    pub all_teams: Vec<(String, String)>,
    pub confirm_disable: bool,
}

pub fn person(shell: &Shell, view: Person) -> String {
    let title = view.name.clone();
    ui::page(shell, &title, None, move || {
        let base = format!("/people/{}", view.id);
        let managed = view.manage.is_none();
        let remove = |id: &str, what: &str| managed.then(|| ui::act(format!("/{what}/{id}/remove"), "Remove", vec![]));
        let roles = view
            .roles
            .iter()
            .map(|role| {
                vec![
                    ui::text(role.words.clone()),
                    ui::when(role.since),
                    role.until.map_or_else(|| ui::text("for good"), |until| ui::when_about(until, shell.now)),
                    ui::text(role.given_by.clone()),
                    remove(&role.id, "roles").into_any(),
                ]
            })
            .collect::<Vec<_>>();
        let no_roles = roles.is_empty();
        let teams = view
            .teams
            .iter()
            .map(|(id, team)| view! { <li>{team.clone()}" "{remove(id, "memberships")}</li> })
            .collect_view();
        let no_teams = view.teams.is_empty();
        let knows_count = view.knows.len();
        let knows = view
            .knows
            .iter()
            .map(|(id, path)| view! { <li><a class="path" href=format!("/secrets/{id}")>{path.clone()}</a></li> })
            .collect_view();
        let none = Form::default();
        let manage = match view.manage {
            Some(refusal) => view! { <p class="muted small">{refusal.to_string()}</p> }.into_any(),
            None if view.state == "disabled" => ui::text("The account is disabled. Enable it first."),
            None => {
                let mut scopes = vec![(String::new(), "the whole organisation".to_owned())];
                scopes.extend(view.projects.clone());
                let roles = crate::policies::model::Role::ALL
                    .iter()
                    .filter(|role| **role != crate::policies::model::Role::Member)
                    .map(|role| (role.code().to_owned(), role.words().to_owned()))
                    .collect();
                view! {
                    <form class="row" method="post" action=format!("{base}/roles")>
                        {ui::pick(&none, "role", "Role", "", roles)}
                        {ui::pick(&none, "project", "In", "", scopes)}
                        {ui::input(&none, "until", "Until the end of (optional)", "date", "")}
                        {ui::input(&none, "reads_from", "Auditors: events from (optional)", "date", "")}
                        {ui::input(&none, "reads_until", "to the end of (optional)", "date", "")}
                        <button class="button" type="submit">"Give the role"</button>
                    </form>
                    <form class="row" method="post" action=format!("{base}/teams")>
                        {ui::pick(&none, "team", "Team", "", view.all_teams.clone())}
                        <button class="button" type="submit">"Add to the team"</button>
                    </form>
                    <div class="actions">{ui::act(format!("{base}/reset"), "Make a link for a new password", vec![])}</div>
                }
                .into_any()
            }
        };
        let tokens = view.tokens.filter(|tokens| !tokens.is_empty()).map(|tokens| {
            let table = token_table("Tokens that work, newest first", tokens, shell);
            ui::clause(
                "h-tokens",
                "Personal access tokens",
                "For programs in their name; ended with the account.",
                table,
            )
        });
        let factors = view.factors.map(|factors| {
            let some = !factors.is_empty();
            let reset = some.then(|| view! {
                <p class="hint">"For somebody who lost theirs. Their sessions end, they are told, and you two count as one person for seven days."</p>
                <div class="actions">{ui::act(format!("{base}/factors/reset"), "Take all of them away", vec![])}</div>
            });
            ui::clause("h-factors", "Second factors", "Only they add one; nobody sees it.", view! { {factor_table(&factors, shell, false)}{reset} }.into_any())
        });
        let sessions = view.sessions.filter(|sessions| !sessions.is_empty()).map(|sessions| {
            let all = (format!("{base}/sessions/end"), "End all");
            let table = session_table("Open sessions, newest first", sessions, shell, all);
            ui::clause("h-sessions", "Sessions", "Ended on the next request, everywhere.", table)
        });
        let identities = (!view.identities.is_empty()).then(|| {
            let table = identity_table("Identities of providers", view.identities, view.unlink);
            ui::clause(
                "h-identities",
                "Identity providers",
                "Who signs in there as this subject is this person here.",
                table,
            )
        });
        let delegations = (!view.delegations.is_empty()).then(|| {
            let table = delegation_table(view.delegations, view.end_delegation);
            ui::clause("h-absence", "Standing in", "While somebody is away. Each decision names both.", table)
        });
        let bars = (!view.bars.is_empty()).then(|| {
            let bars = view.bars.into_iter().map(|bar| view! { <li>{bar}</li> }).collect_view();
            view! { <div class="callout note"><div><b>"Decides less for now"</b><ul class="plain">{bars}</ul></div></div> }
        });
        let cuts = view
            .cuts
            .iter()
            .map(|(what, count)| view! { <div><dt>{*what}</dt><dd><span class="was">{*count}</span><span class="ic go" aria-hidden="true"></span><ins class="plus">"0"</ins></dd></div> })
            .collect_view();
        let disable = match (view.disable, view.state) {
            (Some(refusal), _) => view! { <p class="muted small">{refusal.to_string()}</p> }.into_any(),
            (None, "disabled") if managed => ui::act(format!("{base}/enable"), "Enable the account again", vec![]),
            (None, "disabled") => ui::text("The account is disabled. An administrator can enable it again."),
            (None, _) if view.confirm_disable => view! {
                <p>"This is what ends at once, everywhere, in one change:"</p>
                <dl class="shifts">{cuts}</dl>
                <p class="soft">{format!("{knows_count} current production values stay known to them until they are rotated.")}</p>
                <div class="actions">
                    <form class="inline" method="post" action=format!("{base}/disable")><button class="button danger" type="submit">"Disable now"</button></form>
                    <a class="button plain" href=base.clone()>"Keep the account"</a>
                </div>
            }
            .into_any(),
            (None, _) => view! { <a class="button" href=format!("{base}?disable=ask")>"Disable: see first what it cuts"</a> }.into_any(),
        };
        view! {
            {ui::crumbs(vec![("People and teams".into(), Some("/people".into())), (view.name.clone(), None)])}
            {ui::head(view.name.clone(), format!("Signs in as {}.", view.login), None)}
            {ui::facts(vec![
                ("State", state_badge(view.state)),
                ("Account made", ui::when(view.created_at)),
                ("Id", ui::id(view.id.as_str())),
            ])}
            {bars}
            {ui::clause("h-roles", "Roles", "No role reads a value; only a grant does.", view! {
                {if no_roles { ui::text("Member: asks, and uses what it was granted.") } else { ui::table("Roles", &["Role", "Since", "Until", "Given by", ""], roles) }}
            }.into_any())}
            {ui::clause("h-teams", "Teams", "", view! { {no_teams.then_some("In no team.")}<ul class="plain">{teams}</ul> }.into_any())}
            {ui::clause("h-knows", "Knows", "Production values seen, typed or imported that still work.", view! {
                {(knows_count == 0).then_some("No production value.")}<ul class="plain">{knows}</ul>
                <p><a href=format!("/rotations/select?person={}", view.id.as_str())>"Everything known to them that still works, at every level"</a></p>
            }.into_any())}
            {delegations}
            {identities}
            {factors}
            {sessions}
            {tokens}
            {ui::clause("h-manage", "Change", "What is given here waits for a second person.", manage)}
            {ui::clause("h-disable", "Disable", "", disable)}
        }
        .into_any()
    })
}
