//! One team: who belongs to it and why, what it keeps.
use crate::{
    error::Refusal,
    policies::model::Tier,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct MemberLine {
    pub membership: String,
    pub person: String,
    pub name: String,
    pub state: &'static str,
    pub since: Moment,
    /// The group that gives it; absent: by hand.
    pub group: Option<String>,
}

pub struct KeptWorkload {
    pub id: String,
    pub slug: String,
    pub project: String,
    pub tier: Tier,
    pub disabled: bool,
}

pub struct Team {
    pub id: String,
    pub name: String,
    pub slug: String,
    pub created_at: Moment,
    pub members: Vec<MemberLine>,
    /// `(slug, name)` of those that the viewer may see.
    pub projects: Vec<(String, String)>,
    pub workloads: Vec<KeptWorkload>,
    /// How many secrets it owns in those projects.
    pub secrets: usize,
    /// Why the viewer may not change it.
    pub manage: Option<Refusal>,
    /// Who could be added.
    pub others: Vec<(String, String)>,
}

pub fn team(shell: &Shell, view: Team) -> String {
    let title = view.name.clone();
    ui::page(shell, &title, None, move || {
        let managed = view.manage.is_none();
        let count = view.members.len();
        let members = view
            .members
            .into_iter()
            .map(|line| {
                let how = line.group.map_or_else(|| "by hand".to_owned(), |group| format!("the group {group}"));
                vec![
                    ui::link(format!("/people/{}", line.person), line.name),
                    super::state_badge(line.state),
                    ui::text(how),
                    ui::when(line.since),
                    managed
                        .then(|| ui::act(format!("/memberships/{}/remove", line.membership), "Remove", vec![]))
                        .into_any(),
                ]
            })
            .collect();
        let projects = view
            .projects
            .into_iter()
            .map(|(slug, name)| view! { <li><a href=format!("/projects/{slug}")>{name}</a></li> })
            .collect::<Vec<_>>();
        let workloads = view
            .workloads
            .into_iter()
            .map(|line| {
                let state = if line.disabled { ui::badge("ended", "disabled") } else { ui::badge("good", "active") };
                vec![
                    ui::link(format!("/workloads/{}", line.id), line.slug),
                    view! { {ui::env(line.tier)}" "<small class="muted">{line.project}</small> }.into_any(),
                    state,
                ]
            })
            .collect::<Vec<_>>();
        let (no_projects, no_workloads) = (projects.is_empty(), workloads.is_empty());
        let hint = "Members issue client secrets for its workloads: somebody else confirms a new one.";
        let add = match view.manage {
            Some(why) => view! { <p class="muted">{why.to_string()}</p> }.into_any(),
            None if view.others.is_empty() => ui::text("Everybody belongs to it."),
            None => view! {
                <form class="row" method="post" action=format!("/teams/{}/members", view.id)>
                    {ui::pick(&Form::default(), "person", "Person", "", view.others)}
                    <button class="button" type="submit">"Add to the team"</button>
                </form>
            }
            .into_any(),
        };
        view! {
            {ui::crumbs(vec![("People and teams".into(), Some("/people".into())), (view.name.clone(), None)])}
            {ui::head(view.name.clone(), "Owns projects, secrets and workloads together.", None)}
            {ui::facts(vec![
                ("Short name", view! { <code>{view.slug}</code> }.into_any()),
                ("Made", ui::when(view.created_at)),
                ("Secrets that it owns", ui::text(view.secrets.to_string())),
                ("Id", ui::id(&view.id)),
            ])}
            {ui::group("Members", count, "")}
            {if count == 0 {
                ui::empty("Nobody yet", "Its workloads have nobody who cares for them.", None)
            } else {
                ui::table("Members by name", &["Name", "State", "How", "Since", ""], members)
            }}
            {ui::clause("h-add", "Add", hint, add)}
            {ui::clause("h-projects", "Projects", "Those that you may see.", view! { {no_projects.then_some("None.")}<ul class="plain">{projects}</ul> }.into_any())}
            {ui::clause("h-workloads", "Workloads", "Members issue and revoke client secrets for them, and never approve for them.", if no_workloads {
                ui::text("None.")
            } else {
                ui::table("Workloads", &["Name", "Where", "State"], workloads)
            })}
        }
        .into_any()
    })
}
