//! Sign-in, links, people and teams; one's own account is in `account`.
mod account;

pub use account::*;

use crate::{
    error::Refusal,
    id::PersonId,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

/// Somebody to sign in as in a demonstration.
pub struct Persona {
    pub id: String,
    pub name: String,
    pub words: &'static str,
}

pub fn sign_in(shell: &Shell, form: &Form, refused: Option<Refusal>, next: &str, personas: Vec<Persona>) -> String {
    let next = next.to_owned();
    ui::door(shell, "Sign in", || {
        let refused = refused.map(|refused| view! { <p class="wrong" role="alert">{refused.to_string()}</p> });
        let hidden = (!next.is_empty()).then(|| view! { <input type="hidden" name="next" value=next.clone() /> });
        let personas = (!personas.is_empty()).then(|| {
            let entries = personas
                .into_iter()
                .map(|persona| view! {
                    <li><button type="submit" name="person" value=persona.id>
                        <b>{persona.name}</b><span class="ic next" aria-hidden="true"></span><span>{persona.words}</span>
                    </button></li>
                })
                .collect_view();
            view! {
                <section aria-labelledby="demo">
                    <h2 id="demo">"This is a demonstration"</h2>
                    <p class="soft demo-note">"Half a year of a company that does not exist. Sign in as:"</p>
                    <form method="post" action="/demo/sign-in"><ul class="personas">{entries}</ul></form>
                </section>
            }
        });
        view! {
            <div class="stack">
                <div><h1>{format!("Sign in to {}", shell.organisation)}</h1><p class="purpose">"Nobody opens a secret alone."</p></div>
                <form method="post" action="/sign-in">
                    {hidden}
                    {ui::input(form, "login", "Sign-in name", "text", "")}
                    {ui::input(form, "password", "Password", "password", "")}
                    {refused}
                    <button class="button primary wide" type="submit">"Sign in"</button>
                </form>
                <p class="small muted">"Forgotten your password? An administrator gives you a link; nobody can see or set it for you."</p>
            </div>
            {personas}
        }
        .into_any()
    })
}

/// The first administrator, on an installation that has nobody yet.
pub fn set_up(shell: &Shell, form: &Form) -> String {
    ui::door(shell, "Make the first administrator", || {
        view! {
            <div class="stack">
                <div><h1>"Make the first administrator"</h1>
                    <p class="purpose">"The server printed a code when it started. It works for half an hour, once."</p></div>
                <form method="post" action="/set-up">
                    {ui::input(form, "code", "Code", "text", "Begins with set_")}
                    {ui::input(form, "login", "Sign-in name", "text", "")}
                    {ui::input(form, "name", "Your name", "text", "")}
                    {ui::input(form, "new_password", "Password", "password", "At least 15 characters; a few words are easy to remember.")}
                    <button class="button primary wide" type="submit">"Make the account"</button>
                </form>
            </div>
        }
        .into_any()
    })
}

/// Setting a password by a link.
pub fn use_link(shell: &Shell, form: &Form, name: &str, joins: bool, action: &str) -> String {
    let title = if joins { "Join" } else { "Set a new password" };
    ui::door(shell, title, || {
        let words = if joins {
            "Choose a password. Only you know it; the link works once."
        } else {
            "Choose a new password. Every open session and every token of yours ends."
        };
        view! {
            <div class="stack">
                <div><h1>{format!("{title}: {name}")}</h1><p class="purpose">{words}</p></div>
                <form method="post" action=action.to_owned()>
                    {ui::input(form, "new_password", "Password", "password", "At least 15 characters; a few words are easy to remember.")}
                    <button class="button primary wide" type="submit">"Set the password"</button>
                </form>
            </div>
        }
        .into_any()
    })
}

pub struct PersonLine {
    pub id: PersonId,
    pub name: String,
    pub login: String,
    pub roles: String,
    pub teams: String,
    pub state: &'static str,
}

pub struct TeamLine {
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
        let count = view.people.len();
        let rows = view
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
                    ui::text(team.name),
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
            {ui::group("People", count, "by name")}
            {ui::table("People by name", &["Name", "Sign-in name", "Roles", "Teams", "State"], rows)}
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

/// A link, shown once.
pub fn link_made(shell: &Shell, name: &str, link: &str, joins: bool, back: &str) -> String {
    let (name, link, back) = (name.to_owned(), link.to_owned(), back.to_owned());
    ui::page(shell, "Link made", None, move || {
        let title = if joins { format!("{name} is invited") } else { format!("A new password for {name}") };
        view! {
            {ui::head(title, "Give this link to them over a way that only they read. It works once, for 72 hours, and is not shown again.", None)}
            <div class="taken"><div><span class="label">"Link"</span><output>{link.clone()}</output></div></div>
            <p class="pad">"Select the link above to copy it. "<a href=back>"Back"</a></p>
        }
        .into_any()
    })
}

pub struct RoleLine {
    pub id: String,
    pub words: String,
    pub since: Moment,
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
            None => {
                let mut scopes = vec![(String::new(), "the whole organisation".to_owned())];
                scopes.extend(view.projects.clone());
                let roles = crate::policies::model::Role::ALL
                    .iter()
                    .map(|role| (role.code().to_owned(), role.words().to_owned()))
                    .collect();
                view! {
                    <form class="row" method="post" action=format!("{base}/roles")>
                        {ui::pick(&none, "role", "Role", "", roles)}
                        {ui::pick(&none, "project", "In", "", scopes)}
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
            {ui::clause("h-roles", "Roles", "No role reads a value; only a grant does.", view! {
                {if no_roles { ui::text("Member: asks, and uses what it was granted.") } else { ui::table("Roles", &["Role", "Since", "Given by", ""], roles) }}
            }.into_any())}
            {ui::clause("h-teams", "Teams", "", view! { {no_teams.then_some("In no team.")}<ul class="plain">{teams}</ul> }.into_any())}
            {ui::clause("h-knows", "Knows", "Production values seen, typed or imported that still work.", view! {
                {(knows_count == 0).then_some("No production value.")}<ul class="plain">{knows}</ul>
                <p><a href=format!("/rotations/select?person={}", view.id.as_str())>"Everything known to them that still works, at every level"</a></p>
            }.into_any())}
            {tokens}
            {ui::clause("h-manage", "Change", "", manage)}
            {ui::clause("h-disable", "Disable", "", disable)}
        }
        .into_any()
    })
}
