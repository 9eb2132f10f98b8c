//! Projects, and one more of them.
use crate::{
    error::Refusal,
    session::Shell,
    ui::{self, Form},
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
