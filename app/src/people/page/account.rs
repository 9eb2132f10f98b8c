//! One's own account: sessions, personal access tokens, password.
use super::{FactorLine, own_factors};
use crate::{
    people::tokens::Scope,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct SessionLine {
    pub id: String,
    pub started_at: Moment,
    pub seen_at: Moment,
    pub expires_at: Moment,
    pub agent: String,
    /// "with a password", "through Example ID".
    pub method: String,
    pub address: String,
    pub this: bool,
}

pub struct TokenLine {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub used_at: Option<Moment>,
}

/// Sessions with a button that ends each, and one that ends all but the viewer's own.
pub fn session_table(
    caption: &'static str,
    sessions: Vec<SessionLine>,
    shell: &Shell,
    (end_all, words): (String, &'static str),
) -> AnyView {
    let others = sessions.iter().filter(|line| !line.this).count();
    let rows = sessions
        .into_iter()
        .map(|line| {
            let end = if line.this {
                ui::badge("good", "this one")
            } else {
                ui::act(format!("/sessions/{}/end", line.id), "End", vec![])
            };
            vec![
                view! { {line.agent}<small class="muted block">{line.method}</small> }.into_any(),
                ui::text(line.address),
                ui::when(line.started_at),
                ui::when_about(line.seen_at, shell.now),
                ui::when(line.expires_at),
                end,
            ]
        })
        .collect();
    view! {
        {ui::table(caption, &["Browser", "Address", "Since", "Last seen", "Until", ""], rows)}
        {(others > 1).then(|| view! { <div class="actions">{ui::act(end_all, words, vec![])}</div> })}
    }
    .into_any()
}

fn scope_words(scopes: &[Scope]) -> AnyView {
    let codes = scopes.iter().map(|scope| view! { <code class="block">{scope.code()}</code> }).collect_view();
    view! { {codes} }.into_any()
}

/// Tokens with a button that ends each.
pub fn token_table(caption: &'static str, tokens: Vec<TokenLine>, shell: &Shell) -> AnyView {
    let rows = tokens
        .into_iter()
        .map(|line| {
            vec![
                ui::text(line.name),
                scope_words(&line.scopes),
                ui::when(line.created_at),
                line.used_at.map_or_else(|| ui::text("never"), |at| ui::when_about(at, shell.now)),
                ui::when_about(line.expires_at, shell.now),
                ui::act(format!("/tokens/{}/end", line.id), "End", vec![]),
            ]
        })
        .collect();
    ui::table(caption, &["Name", "For", "Made", "Last used", "Until", ""], rows)
}

/// An identity of a provider that signs in as this person.
pub struct IdentityLine {
    pub id: String,
    pub provider: String,
    pub subject: String,
    pub since: Moment,
    pub groups: Vec<String>,
}

/// Identities with a button that takes each away.
pub fn identity_table(caption: &'static str, identities: Vec<IdentityLine>, may: bool) -> AnyView {
    let rows = identities
        .into_iter()
        .map(|line| {
            let groups = if line.groups.is_empty() { "none".to_owned() } else { line.groups.join(", ") };
            vec![
                ui::text(line.provider),
                view! { <code>{line.subject}</code> }.into_any(),
                ui::text(groups),
                ui::when(line.since),
                if may { ui::act(format!("/identities/{}/unlink", line.id), "Unlink", vec![]) } else { ui::text("") },
            ]
        })
        .collect();
    ui::table(caption, &["Provider", "Subject there", "Groups told", "Since", ""], rows)
}

/// Somebody decides in another one's place.
pub struct DelegationLine {
    pub id: String,
    /// "Lucia decides in your place", "You decide in the place of Iris".
    pub words: String,
    pub starts_at: Moment,
    pub ends_at: Moment,
}

/// Delegations with a button that ends each.
pub fn delegation_table(lines: Vec<DelegationLine>, may: bool) -> AnyView {
    let rows = lines
        .into_iter()
        .map(|line| {
            vec![
                ui::text(line.words),
                ui::when(line.starts_at),
                ui::when(line.ends_at),
                if may { ui::act(format!("/delegations/{}/end", line.id), "End", vec![]) } else { ui::text("") },
            ]
        })
        .collect();
    ui::table("Who decides in whose place", &["What", "From", "Until", ""], rows)
}

/// What is said of absences, and the form by which somebody is named.
fn absence(lines: Vec<DelegationLine>, decides: bool, form: &Form) -> AnyView {
    let none = lines.is_empty();
    let add = decides.then(|| view! {
        <form class="sheet" method="post" action="/account/delegate">
            {ui::input(form, "delegate", "Who decides", "text", "A sign-in name. They need a second factor for production, and no role.")}
            {ui::input(form, "from", "From", "date", "From its beginning, UTC.")}
            {ui::input(form, "until", "Until", "date", "To its end, UTC. At most six weeks.")}
            <div><button class="button" type="submit">"Propose"</button></div>
        </form>
    });
    view! {
        {if none { ui::text(if decides { "Nobody stands in for you." } else { "You stand in for nobody. Whoever decides on requests can name you here." }) } else { delegation_table(lines, true) }}
        {add}
    }
    .into_any()
}

pub struct Account {
    pub login: String,
    pub delegations: Vec<DelegationLine>,
    /// Holds a role that decides on requests.
    pub decides: bool,
    pub sessions: Vec<SessionLine>,
    pub tokens: Vec<TokenLine>,
    pub factors: Vec<FactorLine>,
    /// Passkeys work at this address.
    pub passkeys: bool,
    pub identities: Vec<IdentityLine>,
    /// Providers whose identity could be linked.
    pub linkable: Vec<super::Way>,
    /// A password of one's own signs in.
    pub password: bool,
}

pub fn account(shell: &Shell, view: Account, form: &Form) -> String {
    let Account { login, delegations, decides, sessions, tokens, factors, passkeys, identities, linkable, password } =
        view;
    ui::page(shell, "Your account", None, || {
        let none = tokens.is_empty();
        let table = if none {
            ui::text("None. A program that acts in your name needs one.")
        } else {
            token_table("Your personal access tokens, newest first", tokens, shell)
        };
        let lives = ["7", "30", "90"].map(|days| (days.to_owned(), format!("{days} days"))).to_vec();
        let chosen: Vec<String> =
            form.values.iter().filter(|(name, _)| name == "scope").map(|(_, value)| value.clone()).collect();
        let scopes = Scope::ALL.iter().map(|scope| {
            let checked = chosen.iter().any(|code| code == scope.code());
            view! { <label class="check"><input type="checkbox" name="scope" value=scope.code() checked=checked /><span>{scope.words()}" "<code>{scope.code()}</code></span></label> }
        }).collect_view();
        let wrong = form.error("scope").map(|error| view! { <p class="wrong" role="alert">{error}</p> });
        view! {
            {ui::head("Your account", format!("You sign in as {login}."), None)}
            {ui::clause("h-sessions", "Sessions", "Each ends by itself after eight hours, or one hour without use; for administrators and security after half of that.",
                session_table("Your open sessions", sessions, shell, ("/account/sessions/end".into(), "End all others")))}
            {ui::clause("h-factors", "Second factors", "Something that only you have, asked for one act at a time. A new one counts for deciding after 24 hours.", own_factors(&factors, shell, passkeys))}
            {(decides || !delegations.is_empty()).then(|| ui::clause("h-absence", "While you are away", "Somebody decides on requests in your place. Another person confirms it; each decision names you both. In production it counts 24 hours after that.", absence(delegations, decides, form)))}
            {(!identities.is_empty() || !linkable.is_empty()).then(|| ui::clause("h-identities", "Identity providers", "Whoever signs in there as this subject is signed in here as you.", view! {
                {if identities.is_empty() { ui::text("None is linked.") } else { identity_table("Your identities", identities, true) }}
                <div class="actions">{linkable.into_iter().map(|way| view! { <a class="button" href=way.href>{format!("Link {}", way.name)}</a> }).collect_view()}</div>
            }.into_any()))}
            {ui::clause("h-tokens", "Personal access tokens", "For programs that act in your name. None reads a value, approves, confirms or attests.", view! {
                {table}
                <form class="sheet" method="post" action="/account/tokens">
                    {ui::input(form, "name", "Name", "text", "What uses it: a pipeline, a script, a laptop.")}
                    <fieldset><legend class="label">"What it is for"</legend>{scopes}{wrong}</fieldset>
                    {ui::pick(form, "days", "Works for", "It ends by itself; earlier with your account or your password.", lives)}
                    <div class="actions"><button class="button" type="submit">"Make a token"</button><a href="/api">"What it can be used for: the API"</a></div>
                </form>
            }.into_any())}
            {password.then(|| ui::clause("h-password", "Password", "Every other session and every token of yours ends.", view! {
                <form class="sheet" method="post" action="/account/password">
                    {ui::input(form, "password", "Present password", "password", "")}
                    {ui::input(form, "new_password", "New password", "password", "At least 15 characters; a few words are easy to remember.")}
                    <div><button class="button" type="submit">"Change the password"</button></div>
                </form>
            }.into_any()))}
        }
        .into_any()
    })
}

/// The only page that shows a token.
pub fn token_made(shell: &Shell, name: &str, token: &str, base_url: &str) -> String {
    let (name, token) = (name.trim().to_owned(), token.to_owned());
    let example = format!(
        "export COUNTERSIGN_URL={base_url} COUNTERSIGN_TOKEN=csp_…\ncountersign rotations list\ncurl -s $COUNTERSIGN_URL/api/v1/rotations -H \"authorization: Bearer $COUNTERSIGN_TOKEN\""
    );
    ui::page(shell, "Personal access token", None, move || {
        view! {
            {ui::head(format!("A token for {name}"), "Put it where the program reads its secrets now. Only its hash is kept; it is not shown again.", None)}
            <div class="taken"><div><span class="label">"Personal access token"</span><output>{token.clone()}</output></div></div>
            {ui::clause("h-use", "How it is used", "", view! { <pre class="code">{example}</pre> }.into_any())}
            <p class="pad"><a class="button" href="/account">"Done"</a></p>
        }
        .into_any()
    })
}
