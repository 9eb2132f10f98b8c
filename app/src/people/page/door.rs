//! Before anybody is signed in: sign-in, the first administrator, links.
use crate::{
    error::Refusal,
    session::Shell,
    ui::{self, Form},
};
use leptos::prelude::*;

/// Somebody to sign in as in a demonstration.
pub struct Persona {
    pub id: String,
    pub name: String,
    pub words: &'static str,
}

/// A provider as a way in: its name, and where the button leads.
pub struct Way {
    pub name: String,
    pub href: String,
}

fn ways(ways: Vec<Way>, verb: &'static str) -> Option<AnyView> {
    let primary = |at: usize| if at == 0 { "button primary wide" } else { "button wide" };
    (!ways.is_empty()).then(|| {
        let buttons = ways
            .into_iter()
            .enumerate()
            .map(|(at, way)| view! { <p><a class=primary(at) href=way.href>{format!("{verb} with {}", way.name)}</a></p> })
            .collect_view();
        view! { <div class="ways">{buttons}</div> }.into_any()
    })
}

/// What the page of sign-in shows beside its form.
#[derive(Default)]
pub struct Door {
    pub refused: Option<Refusal>,
    pub next: String,
    pub ways: Vec<Way>,
    pub personas: Vec<Persona>,
    /// Somebody signed out here: where their provider's own session ends.
    pub provider_sign_out: Option<Way>,
}

pub fn sign_in(shell: &Shell, form: &Form, door: Door) -> String {
    let Door { refused, next, ways: providers, personas, provider_sign_out } = door;
    ui::door(shell, "Sign in", || {
        let out = provider_sign_out.map(|way| view! {
            <div class="callout note slim" role="status"><div><p>
                "You signed out of Countersign. "<a href=way.href>{format!("Sign out of {} too", way.name)}</a>", or whoever uses this browser next is signed in without being asked."
            </p></div></div>
        });
        let by_provider = !providers.is_empty();
        // A refusal of a provider's answer stands where it happened, not below the form for a password.
        let typed = form.values.iter().any(|(name, _)| name == "login");
        let (above, refused) = if typed { (None, refused) } else { (refused, None) };
        let above = above.map(|refused| view! { <p class="wrong" role="alert">{refused.to_string()}</p> });
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
        let password = view! {
            <form method="post" action="/sign-in">
                {hidden}
                {ui::input(form, "login", "Sign-in name", "text", "")}
                {ui::input(form, "password", "Password", "password", "")}
                {refused}
                <button class=if by_provider { "button wide" } else { "button primary wide" } type="submit">"Sign in"</button>
            </form>
        }
        .into_any();
        view! {
            <div class="stack">
                <div><h1>{format!("Sign in to {}", shell.organisation)}</h1><p class="purpose">"Nobody opens a secret alone."</p></div>
                {out}
                {above}
                {ways(providers, "Sign in")}
                {if by_provider {
                    view! { <details open=typed><summary>"Emergency account"</summary><div class="stack">{password}</div></details> }.into_any()
                } else {
                    password
                }}
                {(!by_provider).then(|| view! { <p class="small muted">"Forgotten your password? An administrator gives you a link; nobody can see or set it for you."</p> })}
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

/// What a link is for, and how its person may follow it.
pub struct LinkView {
    pub name: String,
    pub joins: bool,
    /// Where the form is sent.
    pub action: String,
    /// Passwords are for this person.
    pub password: bool,
    /// The providers to join with.
    pub ways: Vec<Way>,
}

/// Joining, or setting a password, by a link.
pub fn use_link(shell: &Shell, form: &Form, view: LinkView) -> String {
    let title = if view.joins { "Join" } else { "Set a new password" };
    ui::door(shell, title, || {
        let words = match (view.joins, view.password) {
            (true, true) => "Choose a password. Only you know it; the link works once.",
            (true, false) => {
                "Sign in once with the account that you have there; from then on it is how you come in here."
            }
            (false, true) => "Choose a new password. Every open session and every token of yours ends.",
            (false, false) => "Passwords are for emergency accounts alone here: sign in with the identity provider.",
        };
        view! {
            <div class="stack">
                <div><h1>{format!("{title}: {}", view.name)}</h1><p class="purpose">{words}</p></div>
                {ways(view.ways, if view.joins { "Join" } else { "Sign in" })}
                {view.password.then(|| view! {
                    <form method="post" action=view.action.clone()>
                        {ui::input(form, "new_password", "Password", "password", "At least 15 characters; a few words are easy to remember.")}
                        <button class="button primary wide" type="submit">"Set the password"</button>
                    </form>
                })}
            </div>
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
