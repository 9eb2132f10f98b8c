//! Identity providers: how people sign in, what their groups give, who gets in without one.
use crate::{
    error::Refusal,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct ProviderLine {
    pub id: String,
    pub name: String,
    pub issuer: String,
    pub people: usize,
    pub rules: usize,
}

/// Somebody with a name and an id.
pub struct Named {
    pub id: String,
    pub name: String,
}

pub struct SignInView {
    pub providers: Vec<ProviderLine>,
    pub emergency: Vec<(Named, String)>,
    /// Who could be named besides.
    pub others: Vec<(String, String)>,
    pub base_url: String,
    /// What a provider that was asked offers.
    pub checked: Option<Checked>,
}

/// What a provider said when it was asked, in words.
pub struct Checked {
    pub issuer: String,
    pub said: Result<Vec<(&'static str, String)>, String>,
}

fn checked(checked: Checked) -> AnyView {
    match checked.said {
        Ok(facts) => {
            let facts = facts.into_iter().map(|(what, said)| (what, ui::text(said))).collect();
            view! {
                {ui::callout("good", format!("{} answers", checked.issuer), "This is what it says of itself.")}
                {ui::facts(facts)}
            }
            .into_any()
        }
        Err(why) => ui::callout("attention", format!("{} cannot be used", checked.issuer), why),
    }
}

/// The addresses that the provider has to know.
fn addresses(base_url: &str, provider: Option<&str>) -> AnyView {
    let mut facts = vec![
        ("Redirect URI", ui::id(&format!("{base_url}/sign-in/return"))),
        ("After sign-out", ui::id(&format!("{base_url}/sign-in"))),
    ];
    if let Some(provider) = provider {
        facts.push(("Back-channel logout", ui::id(&format!("{base_url}/sign-in/back-channel/{provider}"))));
    }
    ui::facts(facts)
}

fn settings(form: &Form, new: bool) -> AnyView {
    let admits = [("no", "only people who are invited and join with it"), ("yes", "everybody whom it vouches for")]
        .map(|(code, words)| (code.to_owned(), words.to_owned()))
        .to_vec();
    let ages = [
        ("", "whenever the provider likes"),
        ("3600", "at most an hour before"),
        ("28800", "at most 8 hours before"),
        ("60", "each time anew"),
    ]
    .map(|(code, words)| (code.to_owned(), words.to_owned()))
    .to_vec();
    let secret =
        if new { "" } else { "Leave it empty to keep the present one. It is stored encrypted and never shown." };
    view! {
        {ui::input(form, "name", "Name", "text", "What the button says: the name people know it by.")}
        {ui::input(form, "issuer", "Issuer", "text", "Exactly as the provider writes itself, such as https://id.example/realms/main.")}
        {ui::input(form, "client_id", "Client id", "text", "The name by which it knows this console.")}
        {ui::input(form, "client_secret", "Client secret", "password", secret)}
        {ui::input(form, "groups_claim", "Claim with groups", "text", "A claim of the ID token with a list of names; often groups.")}
        {ui::pick(form, "admits", "Who gets an account", "", admits)}
        {ui::input(form, "acr", "Authentication context", "text", "Optional: the value of acr that is asked for and insisted on, such as one that means two factors.")}
        {ui::pick(form, "max_age", "Authenticated there", "", ages)}
    }
    .into_any()
}

pub fn sign_in_settings(shell: &Shell, view: SignInView, form: &Form) -> String {
    ui::page(shell, "Sign-in", None, || {
        let rows = view
            .providers
            .into_iter()
            .map(|line| {
                vec![
                    ui::link(format!("/providers/{}", line.id), line.name),
                    view! { <code>{line.issuer}</code> }.into_any(),
                    ui::text(line.people.to_string()),
                    ui::text(line.rules.to_string()),
                ]
            })
            .collect::<Vec<_>>();
        let (count, named) = (rows.len(), view.emergency.len());
        let emergency = view
            .emergency
            .into_iter()
            .map(|(person, roles)| {
                vec![
                    ui::link(format!("/people/{}", person.id), person.name),
                    ui::text(roles),
                    ui::act(format!("/people/{}/emergency/remove", person.id), "No longer", vec![]),
                ]
            })
            .collect();
        let others = view.others;
        view! {
            {ui::head("Sign-in", "How people come in: with a password kept here, or through an identity provider (OpenID Connect).", None)}
            {ui::group("Identity providers", count, "")}
            {if count == 0 {
                ui::empty("None: passwords are kept here", "With a provider people sign in where they sign in to everything else, and leave here when they leave there.", None)
            } else {
                ui::table("Identity providers by name", &["Name", "Issuer", "People", "Rules"], rows)
            }}
            {ui::group("Emergency accounts", named, "with a password, also where a provider is used; each use is told to administrators and security")}
            {if named == 0 {
                ui::empty("None", "Name at least one administrator before you add a provider, so that somebody gets in when it does not answer.", None)
            } else {
                ui::table("Emergency accounts", &["Name", "Roles", ""], emergency)
            }}
            {(!others.is_empty()).then(|| view! {
                <form class="row" method="post" action="/providers/emergency">
                    {ui::pick(form, "person", "Person", "", others)}
                    <button class="button" type="submit">"Name as emergency account"</button>
                </form>
            })}
            {ui::clause("h-add", "Add a provider", "It loosens who may come in: somebody else confirms it.", view! {
                <p>"Register this console there first, as a confidential client with these addresses:"</p>
                {addresses(&view.base_url, None)}
                {view.checked.map(checked)}
                <form class="sheet" method="post" action="/providers">
                    {settings(form, true)}
                    <div class="actions">
                        <button class="button" type="submit" name="do" value="set">"Add the provider"</button>
                        <button class="button plain" type="submit" name="do" value="check">"Ask it first what it offers"</button>
                    </div>
                </form>
            }.into_any())}
        }
        .into_any()
    })
}

pub struct RuleLine {
    pub id: String,
    pub group: String,
    pub gives: String,
    pub set_by: String,
    pub since: Moment,
    /// Who has it by this rule now.
    pub holders: Vec<String>,
}

/// What a rule that is not set yet would do for people whose groups are known.
pub struct DryRun {
    pub gain: Vec<String>,
    pub have: Vec<String>,
}

pub struct ProviderView {
    pub id: String,
    /// The row that the settings are changed from.
    pub seen: String,
    pub name: String,
    pub issuer: String,
    pub set_by: String,
    pub since: Moment,
    pub base_url: String,
    pub rules: Vec<RuleLine>,
    /// Groups that the provider told of somebody: for choosing.
    pub known_groups: Vec<String>,
    pub projects: Vec<(String, String)>,
    pub teams: Vec<(String, String)>,
    pub dry_run: Option<DryRun>,
    pub checked: Option<Checked>,
    /// Asking before it is removed: how many sessions end.
    pub remove: Option<usize>,
    pub manage: Option<Refusal>,
}

fn names(people: &[String]) -> AnyView {
    if people.is_empty() {
        return ui::text("nobody now");
    }
    let shown = people.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let more = people.len().saturating_sub(8);
    ui::text(if more > 0 { format!("{shown}, and {more} more") } else { shown })
}

pub fn provider(shell: &Shell, view: ProviderView, form: &Form) -> String {
    let title = view.name.clone();
    ui::page(shell, &title, None, move || {
        let base = format!("/providers/{}", view.id);
        let managed = view.manage.is_none();
        let rows = view
            .rules
            .into_iter()
            .map(|rule| {
                let held = rule.holders.len();
                let remove = managed.then(|| {
                    view! {
                        <details><summary>"Remove"</summary>
                            <p class="small">{if held == 0 { "Nobody loses anything.".to_owned() } else { format!("{held} lose it at once.") }}</p>
                            {ui::act(format!("/group-rules/{}/remove", rule.id), "Remove now", vec![])}
                        </details>
                    }
                });
                vec![
                    view! { <code>{rule.group}</code> }.into_any(),
                    ui::text(rule.gives),
                    names(&rule.holders),
                    view! { {ui::when(rule.since)}<small class="muted block">{rule.set_by}</small> }.into_any(),
                    remove.into_any(),
                ]
            })
            .collect::<Vec<_>>();
        let none = rows.is_empty();
        let mut gives = Vec::new();
        for role in
            crate::policies::model::Role::ALL.iter().filter(|role| **role != crate::policies::model::Role::Member)
        {
            gives.push((format!("role:{}", role.code()), format!("{role}, whole organisation")));
            for (id, project) in &view.projects {
                gives.push((format!("role:{}:{id}", role.code()), format!("{role} of {project}")));
            }
        }
        gives.extend(view.teams.iter().map(|(id, team)| (format!("team:{id}"), format!("the team {team}"))));
        let options =
            view.known_groups.iter().map(|group| view! { <option value=group.clone()></option> }).collect_view();
        let dry_run = view.dry_run.map(|run| {
            view! {
                <div class="callout note" role="status"><div><b>"What it would do"</b>
                    <p>"At the next sign-in these would get it: "{names(&run.gain)}"."</p>
                    <p>"These belong to the group and have it already: "{names(&run.have)}"."</p>
                    <p class="muted">"Told by what the provider said at each person’s last sign-in; whoever has not signed in yet is not counted."</p>
                </div></div>
            }
        });
        let manage = match view.manage {
            Some(why) => view! { <p class="muted">{why.to_string()}</p> }.into_any(),
            None => view! {
                {view.checked.map(checked)}
                <form class="sheet" method="post" action=base.clone()>
                    <input type="hidden" name="seen" value=view.seen />
                    {settings(form, false)}
                    <div class="actions">
                        <button class="button" type="submit" name="do" value="set">"Save the settings"</button>
                        <button class="button plain" type="submit" name="do" value="check">"Ask it what it offers"</button>
                    </div>
                </form>
            }
            .into_any(),
        };
        let remove = managed.then(|| match view.remove {
            Some(sessions) => view! {
                <p>{format!("{sessions} open sessions end, and everything that its groups gave. If it is the only provider, everybody’s own password works again, so that somebody else confirms it.")}</p>
                <div class="actions">
                    <form class="inline" method="post" action=format!("{base}/remove")><button class="button danger" type="submit">"Remove the provider"</button></form>
                    <a class="button plain" href=base.clone()>"Keep it"</a>
                </div>
            }.into_any(),
            None => view! { <a class="button" href=format!("{base}?remove=ask")>"Remove: see first what it ends"</a> }.into_any(),
        });
        view! {
            {ui::crumbs(vec![("Sign-in".into(), Some("/providers".into())), (view.name.clone(), None)])}
            {ui::head(view.name.clone(), "Who it vouches for is signed in; what its groups give is written here.", None)}
            {ui::facts(vec![
                ("Issuer", view! { <code>{view.issuer.clone()}</code> }.into_any()),
                ("Set by", ui::text(view.set_by)),
                ("Since", ui::when(view.since)),
            ])}
            {ui::clause("h-addresses", "Addresses", "What the provider has to know of this console.", addresses(&view.base_url, Some(&view.id)))}
            {ui::clause("h-rules", "Groups", "What belonging to a group gives, from the next sign-in on. What a rule gave ends with it at once.", view! {
                {if none {
                    ui::text("No rule yet: everybody who comes through it is a member.")
                } else {
                    ui::table("What groups give", &["Group", "Gives", "Holders", "Since", ""], rows)
                }}
                {dry_run}
                {managed.then(|| view! {
                    <form class="sheet" method="post" action=format!("{base}/rules")>
                        <div class="field">
                            <label for="group">"Group"</label>
                            <input class="input" id="group" name="group" type="text" list="groups" value=form.value("group") autocomplete="off" />
                            <datalist id="groups">{options}</datalist>
                            {form.error("group").map(|error| view! { <p class="wrong" role="alert">{error}</p> })}
                        </div>
                        {ui::pick(form, "gives", "Gives", "", gives)}
                        <div class="actions">
                            <button class="button" type="submit" name="do" value="preview">"See what it would do"</button>
                            <button class="button" type="submit" name="do" value="set">"Set the rule"</button>
                        </div>
                    </form>
                })}
            }.into_any())}
            {ui::clause("h-settings", "Settings", "", manage)}
            {remove.map(|remove| ui::clause("h-remove", "Remove", "", remove))}
        }
        .into_any()
    })
}
