//! Second factors: the question, the list, and adding one.
use crate::{
    error::Refusal,
    people::factors::Kind,
    session::Shell,
    time::Moment,
    ui::{self, Form},
};
use leptos::prelude::*;

/// A question for a second factor.
pub struct Asking {
    /// What is about to be done, after "to".
    pub act: &'static str,
    pub to: String,
    /// The question, sealed, with the form that it is about.
    pub proof: String,
    /// What passkeys are asked, as JSON; empty where none can answer.
    pub options: String,
    pub wrong: Option<Refusal>,
    pub back: String,
    pub has_factor: bool,
    pub kinds: Vec<Kind>,
    /// What comes of it is copied, never shown: the page's script sends the answer and puts the value on the clipboard.
    pub copies: bool,
}

/// The question: one act, once. Works without scripts by a code; with one, a passkey answers.
pub fn prove(shell: &Shell, asking: Asking) -> String {
    let Asking { act, to, proof, options, wrong, back, has_factor, kinds, copies } = asking;
    let content = move || {
        if !has_factor {
            return view! {
                {ui::head("A second factor is needed", format!("To {act}, Countersign asks for something that only you have."), None)}
                {ui::callout("attention", "You have none yet", "Add a passkey or an authenticator app on your account’s page, then come back. What you sent was not done.")}
                <p class="actions pad"><a class="button primary" href="/account#h-factors">"Add a second factor"</a><a class="button plain" href=back>"Back"</a></p>
            }
            .into_any();
        }
        let form = Form { values: Vec::new(), errors: Vec::new() };
        let code = kinds.contains(&Kind::Authenticator);
        let hint = if code {
            "Six digits from the app, or one of your recovery codes. Each counts once."
        } else {
            "One of your recovery codes. Each counts once."
        };
        let passkey = !options.is_empty();
        let script = format!("/assets/{}", shell.assets.passkey);
        let wrong = wrong.map(|why| view! { <p class="wrong" id="code-wrong" role="alert">{why.to_string()}</p> });
        let described = if wrong.is_some() { "code-hint code-wrong" } else { "code-hint" };
        let control = view! {
            <input class="input code" id="code" name="code" type="text" inputmode=if code { "numeric" } else { "text" } autocomplete="one-time-code"
                spellcheck="false" maxlength="24" aria-describedby=described autofocus=!passkey />
        };
        view! {
            {ui::head("Show that it is you", format!("To {act}. Your answer is for this alone, once, within two minutes."), None)}
            <form class="sheet" method="post" action=to id="prove" data-options=options data-copies=copies.then_some("true")>
                <input type="hidden" name="proof" value=proof />
                <input type="hidden" name="passkey" id="passkey" value="" />
                {passkey.then(|| view! {
                    <div id="with-passkey" hidden=""><button class="button primary" type="button" id="use-passkey">"Use a passkey"</button></div>
                    <noscript><p class="hint">"A passkey needs scripts. Without them, a code does it."</p></noscript>
                })}
                {ui::field(&form, "code", if code { "Code" } else { "Recovery code" }, hint, control.into_any())}
                {wrong}
                <p class="hint" role="status" id="passkey-said"></p>
                <div class="actions"><button class=if passkey { "button" } else { "button primary" } type="submit">"Go on"</button><a class="button plain" href=back>"Back, without doing it"</a></div>
            </form>
            {(passkey || copies).then(|| view! { <script type="module" src=script></script> })}
        }
        .into_any()
    };
    let title = "Show that it is you";
    if shell.viewer.is_some() {
        ui::page(shell, title, None, content)
    } else {
        ui::door(shell, title, move || view! { <div class="stack">{content()}</div> }.into_any())
    }
}

pub struct FactorLine {
    pub id: String,
    pub kind: Kind,
    pub name: String,
    pub since: Moment,
    pub used_at: Option<Moment>,
    /// Recovery codes that are left.
    pub left: usize,
}

/// Somebody's factors; one's own with a button that removes each.
pub fn factor_table(lines: &[FactorLine], shell: &Shell, own: bool) -> AnyView {
    if lines.is_empty() {
        return ui::text("None.");
    }
    let rows = lines
        .iter()
        .map(|line| {
            let name = match line.kind {
                Kind::Recovery => format!("{} of 10 left", line.left),
                _ => line.name.clone(),
            };
            let act = if own && line.kind.stands_alone() {
                ui::act(format!("/account/factors/{}/remove", line.id), "Remove", vec![])
            } else {
                ui::text("")
            };
            vec![
                ui::text(line.kind.words()),
                ui::text(name),
                ui::when(line.since),
                line.used_at.map_or_else(|| ui::text("never"), |at| ui::when_about(at, shell.now)),
                act,
            ]
        })
        .collect();
    ui::table("Second factors, the oldest first", &["Kind", "Name", "Since", "Last used", ""], rows)
}

/// The part of one's account about second factors.
pub fn own_factors(lines: &[FactorLine], shell: &Shell, passkeys: bool) -> AnyView {
    let some = lines.iter().any(|line| line.kind.stands_alone());
    let codes = some.then(|| ui::act("/account/factors/codes", "Make new recovery codes", vec![]));
    view! {
        {if some { factor_table(lines, shell, true) } else {
            ui::text("You have none. Deciding in production, critical values, changes of control and exports ask for one.")
        }}
        <div class="actions">
            {passkeys.then(|| view! { <a class="button" href="/account/factors/passkey">"Add a passkey"</a> })}
            <a class="button" href="/account/factors/authenticator">"Add an authenticator app"</a>
            {codes}
        </div>
        {(!passkeys).then(|| view! { <p class="small muted">"Passkeys need a name in the address bar: this console was opened by a number."</p> })}
    }
    .into_any()
}

/// Adding an authenticator app: what it has to be told, and the code that shows it was.
pub fn authenticator(shell: &Shell, setup: &str, secret: &str, picture: &str, form: &Form) -> String {
    let (setup, picture) = (setup.to_owned(), picture.to_owned());
    let letters = secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    ui::page(shell, "Add an authenticator app", None, || {
        view! {
            {ui::crumbs(vec![("Your account".into(), Some("/account".into())), ("Authenticator app".into(), None)])}
            {ui::head("Add an authenticator app", "An app on your phone shows a code that changes every half minute. Countersign asks for one at a time, and takes each once.", None)}
            <form class="sheet" method="post" action="/account/factors/authenticator">
                <input type="hidden" name="setup" value=setup />
                <div class="qr">
                    <img src=picture width="184" height="184" alt="A picture for the app’s camera: the same key as in the text beside it" />
                    <div><p>"Let the app scan this, or type the key:"</p><p><code class="key">{letters}</code></p><p class="hint">"Type: time-based, 6 digits, 30 seconds. This page is the only one that shows it."</p></div>
                </div>
                {ui::input(form, "name", "Name", "text", "Which device it is on: it stands in your list.")}
                {ui::input(form, "code", "The code that it shows now", "text", "Six digits.")}
                {form.error("setup").map(|why| view! { <p class="wrong" role="alert">{why}</p> })}
                <div class="actions"><button class="button primary" type="submit">"Add it"</button><a class="button plain" href="/account#h-factors">"Cancel"</a></div>
            </form>
        }
        .into_any()
    })
}

/// Adding a passkey: the browser asks its device.
pub fn passkey(shell: &Shell, setup: &str, options: &str, form: &Form) -> String {
    let (setup, options) = (setup.to_owned(), options.to_owned());
    let script = format!("/assets/{}", shell.assets.passkey);
    ui::page(shell, "Add a passkey", None, || {
        view! {
            {ui::crumbs(vec![("Your account".into(), Some("/account".into())), ("Passkey".into(), None)])}
            {ui::head("Add a passkey", "A key that stays in your device, your password manager or a security key, and is unlocked with your finger, face or PIN.", None)}
            <noscript><p class="callout attention">"A passkey needs scripts. Without them, add an authenticator app."</p></noscript>
            <form class="sheet" method="post" action="/account/factors/passkey" id="enrol" data-options=options>
                <input type="hidden" name="setup" value=setup />
                <input type="hidden" name="passkey" id="passkey" value="" />
                {ui::input(form, "name", "Name", "text", "Which device or key it is: it stands in your list.")}
                <p class="hint" role="status" id="passkey-said"></p>
                {["passkey", "setup"].map(|field| form.error(field).map(|why| view! { <p class="wrong" role="alert">{why}</p> }))}
                <div class="actions"><button class="button primary" type="submit" id="use-passkey">"Add it"</button><a class="button plain" href="/account#h-factors">"Cancel"</a></div>
            </form>
            <script type="module" src=script></script>
        }
        .into_any()
    })
}

/// The only page that shows recovery codes.
pub fn codes(shell: &Shell, codes: &[String]) -> String {
    let lines = codes.join("\n");
    ui::page(shell, "Recovery codes", None, || {
        view! {
            {ui::head("Your recovery codes", "Print them or write them down, and keep them apart from your devices. Each stands for a second factor once. They are not shown again.", None)}
            <div class="taken"><div><span class="label">"Ten codes"</span><output><pre>{lines}</pre></output></div></div>
            <p class="pad"><a class="button primary" href="/account#h-factors">"I have kept them"</a></p>
        }
        .into_any()
    })
}
