//! Machine identities.
use crate::{
    error::Refusal,
    policies::model::Tier,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct Line {
    pub id: String,
    pub name: String,
    pub team: String,
    pub project: String,
    pub tier: Tier,
    pub grants: usize,
    pub disabled: bool,
}

fn state(disabled: bool) -> AnyView {
    if disabled { ui::badge("ended", "disabled") } else { ui::badge("good", "active") }
}

pub fn workloads(shell: &Shell, lines: Vec<Line>, may_create: bool) -> String {
    ui::page(shell, "Workloads", None, || {
        let new =
            may_create.then(|| view! { <a class="button primary" href="/workloads/new">"New workload"</a> }.into_any());
        let rows = lines
            .into_iter()
            .map(|line| {
                vec![
                    ui::link(format!("/workloads/{}", line.id), line.name),
                    view! { {ui::env(line.tier)}" "<small class="muted">{line.project}</small> }.into_any(),
                    ui::text(line.team),
                    ui::text(line.grants.to_string()),
                    state(line.disabled),
                ]
            })
            .collect::<Vec<_>>();
        view! {
            {ui::head("Workloads", "Pipelines and services that fetch values at run time, each for one environment.", new)}
            {if rows.is_empty() {
                ui::empty("No workloads yet", "A lead makes one for a project and an environment; it asks for access like a person does.", None)
            } else {
                ui::table("Workloads by name", &["Name", "Where", "Owned by", "Grants", "State"], rows)
            }}
        }
        .into_any()
    })
}

pub fn new_workload(
    shell: &Shell,
    environments: Vec<(String, String)>,
    teams: Vec<(String, String)>,
    form: &Form,
) -> String {
    ui::page(shell, "New workload", None, || {
        view! {
            {ui::crumbs(vec![("Workloads".into(), Some("/workloads".into())), ("New".into(), None)])}
            {ui::head("New workload", "A pipeline or a service. It belongs to a team and to one environment.", None)}
            <form class="sheet" method="post" action="/workloads">
                {ui::input(form, "slug", "Short name", "text", "Lower-case letters, digits and hyphens. For example settlement-worker.")}
                {ui::input(form, "name", "Name", "text", "")}
                {ui::pick(form, "environment", "Environment", "Of projects that you lead.", environments)}
                {ui::pick(form, "team", "Owned by", "", teams)}
                <div class="actions"><button class="button primary" type="submit">"Make the workload"</button><a class="button plain" href="/workloads">"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}

pub struct CredentialLine {
    pub id: String,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub revoked: bool,
    /// Nobody has confirmed it yet.
    pub waits: bool,
}

pub struct GrantLine {
    pub request: String,
    pub paths: Vec<String>,
    pub until: Moment,
}

pub struct WorkloadView {
    pub id: String,
    pub name: String,
    pub slug: String,
    pub team: String,
    pub project: (String, String),
    pub environment: String,
    pub tier: Tier,
    pub disabled: bool,
    pub tokens: usize,
    pub credentials: Vec<CredentialLine>,
    pub grants: Vec<GrantLine>,
    pub issue: Option<Refusal>,
    pub revoke: Option<Refusal>,
    pub disable: Option<Refusal>,
}

pub fn workload(shell: &Shell, view: WorkloadView, form: &Form) -> String {
    let title = view.name.clone();
    let band = ui::Band { project: view.project.1.clone(), environment: view.environment.clone(), tier: view.tier };
    ui::page(shell, &title, Some(band), || {
        let now = shell.now;
        let base = format!("/workloads/{}", view.id);
        let revokes = view.revoke.is_none() && !view.disabled;
        let credentials = view
            .credentials
            .iter()
            .map(|line| {
                let works = !line.revoked && now < line.expires_at;
                let state = if line.revoked {
                    ui::badge("ended", "revoked")
                } else if works && line.waits {
                    ui::badge("waiting", "waits for a second person")
                } else if works {
                    ui::badge("good", "works")
                } else {
                    ui::badge("ended", "expired")
                };
                let act = (works && revokes)
                    .then(|| ui::act(format!("/credentials/{}/revoke", line.id), "Revoke", vec![]))
                    .into_any();
                vec![ui::id(&line.id), ui::when(line.created_at), ui::when_about(line.expires_at, now), state, act]
            })
            .collect::<Vec<_>>();
        let grants = view
            .grants
            .iter()
            .map(|line| {
                vec![
                    view! { <code>{line.paths.join(", ")}</code> }.into_any(),
                    ui::when_about(line.until, now),
                    ui::link(format!("/requests/{}", line.request), "why"),
                ]
            })
            .collect::<Vec<_>>();
        let (no_credentials, no_grants) = (credentials.is_empty(), grants.is_empty());
        let lives = ["1", "30", "90", "180"].map(|days| (days.to_owned(), format!("{days} days"))).to_vec();
        let issue = match &view.issue {
            Some(refusal) => view! { <p class="muted">{refusal.to_string()}</p> }.into_any(),
            None => view! {
                <form class="row" method="post" action=format!("{base}/credentials")>
                    {ui::pick(form, "days", "Works for", "", lives)}
                    <button class="button" type="submit">"Issue a client secret"</button>
                </form>
            }
            .into_any(),
        };
        let disable = view.disable.is_none().then(|| view! {
            <p class="hint">{format!("{} tokens work now. Disabling ends them, every client secret and every grant at once.", view.tokens)}</p>
            {ui::act(format!("{base}/disable"), "Disable this workload", vec![])}
        });
        let care = match view.disabled {
            true => ui::text("This workload is disabled; it does not come back. Make a new one instead."),
            false => view! { {issue}{disable} }.into_any(),
        };
        let example = format!(
            "curl -s -X POST $COUNTERSIGN/api/v1/token -H 'content-type: application/json' -d '{{\"client_secret\":\"csc_…\"}}'\ncurl -s $COUNTERSIGN/api/v1/secrets/{}/{}/PATH -H 'authorization: Bearer cst_…'",
            view.project.0, view.environment
        );
        view! {
            {ui::crumbs(vec![("Workloads".into(), Some("/workloads".into())), (view.name.clone(), None)])}
            {ui::head(view.name.clone(), format!("Fetches for {} / {}. Owned by team {}.", view.project.1, view.environment, view.team), None)}
            {ui::facts(vec![("State", state(view.disabled)), ("Short name", view! { <code>{view.slug.clone()}</code> }.into_any()), ("Id", ui::id(&view.id))])}
            {ui::clause("h-grants", "May fetch", "By an approved request, until it ends.",
                if no_grants { view! { <p>"Nothing yet. Ask for access to a secret of this environment and choose this workload."</p> }.into_any() } else { ui::table("Grants", &["Secrets", "Until", "Why"], grants) })}
            {ui::clause("h-credentials", "Client secrets", "Stored as hashes. Exchanged for a token that lives minutes.",
                if no_credentials { ui::text("None yet.") } else { ui::table("Client secrets, newest first", &["Id", "Issued", "Until", "State", ""], credentials) })}
            {ui::clause("h-care", "Change", "", care)}
            {ui::clause("h-use", "How a pipeline uses it", "At run time, never at build time.", view! { <pre class="code">{example}</pre> }.into_any())}
        }
        .into_any()
    })
}

/// A client secret, shown once.
/// `waits_for` is the change of control that somebody else confirms before it works.
pub fn credential_made(shell: &Shell, name: &str, id: &str, secret: &str, waits_for: Option<&str>) -> String {
    let waits_for = waits_for.map(|change| format!("/controls/{change}"));
    let (name, back, secret) = (name.to_owned(), format!("/workloads/{id}"), secret.to_owned());
    ui::page(shell, "Client secret", None, move || {
        view! {
            {ui::head(format!("A client secret for {name}"), "Put it into the pipeline’s own secret settings now. Only its hash is kept; it is not shown again.", None)}
            <div class="taken"><div><span class="label">"Client secret"</span><output>{secret.clone()}</output></div></div>
            {waits_for.clone().map(|change| view! {
                <div role="status" class="callout slim"><div><p>"It works in production once somebody outside the team has confirmed it: " <a href=change>"see the change"</a> ". Until then it opens nothing."</p></div></div>
            })}
            <p class="pad"><a class="button" href=back.clone()>"Done"</a></p>
        }
        .into_any()
    })
}
