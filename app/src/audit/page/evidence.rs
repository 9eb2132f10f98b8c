//! Checking evidence in the reader's own browser, and what the log itself proves.
use crate::{
    session::Shell,
    time::{self, Moment},
    ui,
};
use leptos::prelude::*;

/// The check of a bundle; `key` is this log's, where the reader may know it.
pub fn check(shell: &Shell, key: Option<String>) -> String {
    let content = move || {
        let script = format!("/assets/{}", shell.assets.check);
        let given = key.clone().unwrap_or_default();
        let whose = if key.is_some() {
            "This log’s key. For evidence of another Countersign put in its key, as somebody you trust gave it to you."
        } else {
            "The log’s key, as somebody you trust gave it to you. Empty: the key inside, which only shows that the bundle fits together."
        };
        view! {
            {ui::head("Check evidence", "An evidence bundle is checked here, in your browser: it is not uploaded, and this server is asked nothing.", None)}
            <noscript><p class="callout attention">"This check runs as a script. Without one, use any computer: "<code>"countersign evidence verify FILE --key KEYFILE"</code></p></noscript>
            <form class="sheet drop" id="check" hidden="">
                <div class="field"><label for="check-file">"The bundle (.zip); or drop it here"</label><input class="input" id="check-file" type="file" accept=".zip,application/zip" /></div>
                <div class="field"><label for="check-key">"Verifier key"</label><textarea class="input" id="check-key" rows="2" spellcheck="false" autocomplete="off">{ui::typed(&given)}</textarea><p class="hint">{whose}</p></div>
                <div><button class="button primary" type="submit">"Check it"</button></div>
                <output class="checked" id="check-said" for="check-file check-key" aria-live="polite"></output>
            </form>
            {ui::clause("h-shows", "What it shows", "", view! { <p>"Every event in it is in the log whose key signed it, at its place and unchanged; the log only grew since an older head; fields that are disclosed are the ones that were recorded."</p> }.into_any())}
            {ui::clause("h-not", "What it does not", "", view! { <p>"That no other event fits the query, unless it asks for a range of event numbers alone. Whose key it is: compare it with one that you had before, and the head with what a witness has seen."</p> }.into_any())}
            <script type="module" src=script></script>
        }
        .into_any()
    };
    if shell.viewer.is_some() {
        ui::page(shell, "Check evidence", None, content)
    } else {
        ui::door(shell, "Check evidence", move || view! { <section class="wide">{content()}</section> }.into_any())
    }
}

/// Where heads are kept outside the database.
pub struct AnchorLine {
    pub kind: &'static str,
    pub size: Option<u64>,
    pub at: Option<Moment>,
    pub trouble: Option<String>,
    /// It lies on the database's own volume.
    pub beside: bool,
}

/// Whether the tree continues the one that this person was shown before.
pub enum Since {
    First,
    Same {
        at: Moment,
    },
    Continues {
        size: u64,
        at: Moment,
    },
    /// It does not: the log was rewritten in between.
    Rewritten {
        size: u64,
        at: Moment,
    },
}

pub struct WitnessLine {
    pub name: String,
    pub size: Option<u64>,
    pub at: Option<Moment>,
    /// It has not been heard of for longer than it should.
    pub silent: bool,
}

/// A live copy of the trail.
pub struct CopyLine {
    pub name: String,
    /// How many events it is behind.
    pub lag: u64,
    pub moved_at: Moment,
    pub trouble: Option<String>,
}

/// The service's own comparison of the rows that open access with the trail.
pub struct Compared {
    /// When it ended; nothing right after a start.
    pub at: Option<Moment>,
    pub rows: u64,
    /// Contradictions.
    pub count: u64,
    /// How each of the first rows contradicts its seal or the trail.
    pub wrong: Vec<String>,
    /// Why the trail or the rows cannot be read now: then the last comparison says little.
    pub trouble: Option<String>,
}

/// How many contradictions are listed; the rest is counted.
pub const LISTED: usize = 50;

pub struct Integrity {
    pub origin: String,
    pub key: String,
    pub size: u64,
    pub root: String,
    pub note: String,
    pub forked: bool,
    /// Events in the last day, week and month.
    pub growth: [(&'static str, u64); 3],
    pub since: Since,
    pub anchors: Vec<AnchorLine>,
    pub witnesses: Vec<WitnessLine>,
    pub copies: Vec<CopyLine>,
    /// The last verification of the whole trail: its job, when, and whether it was whole.
    pub verified: Option<(String, Moment, bool)>,
    /// For those who read all of the trail.
    pub compared: Option<Compared>,
    /// Why this person cannot have it verified.
    pub refused: Option<String>,
}

pub fn integrity(shell: &Shell, view: Integrity) -> String {
    ui::page(shell, "Log integrity", None, || {
        let now = shell.now;
        let state = if view.forked {
            ui::callout(
                "danger",
                "The stored events contradict what was signed",
                "Nothing is signed any more. Stop the service, keep the database as it is, and run countersign audit verify.",
            )
        } else {
            ().into_any()
        };
        let since = match view.since {
            Since::First => view! { {ui::badge("note", "First look")}<small class="block">"From now on it is compared with what you were shown."</small> }.into_any(),
            Since::Same { at } => view! { {ui::badge("good", "Nothing was added")}<small class="block">{format!("It is the tree that you were shown {}.", time::long(at))}</small> }.into_any(),
            Since::Continues { size, at } => view! { {ui::badge("good", "Consistent since your last visit")}<small class="block">{format!("It continues the tree of {size} events that you were shown {}. Checked by this server just now.", time::long(at))}</small> }.into_any(),
            Since::Rewritten { size, at } => view! { {ui::badge("danger", "Rewritten since your last visit")}<small class="block">{format!("The tree of {size} events that you were shown {} is not the beginning of this one.", time::long(at))}</small> }.into_any(),
        };
        let growth = view
            .growth
            .iter()
            .map(|(words, count)| view! { <dt>{*words}</dt><dd>{count.to_string()}</dd> })
            .collect_view();
        let none = view.anchors.is_empty();
        let beside = view.anchors.iter().all(|anchor| anchor.beside);
        let anchors: Vec<_> = view
            .anchors
            .into_iter()
            .map(|anchor| {
                vec![
                    ui::text(anchor.kind),
                    ui::text(anchor.size.map_or("—".into(), |size| format!("{size} events"))),
                    anchor.at.map_or_else(|| ui::text("not yet"), |at| ui::when_about(at, now)),
                    match (anchor.trouble, anchor.beside) {
                        (Some(why), _) => {
                            view! { {ui::badge("danger", "failing")}<small class="block">{why}</small> }.into_any()
                        }
                        (None, true) => ui::badge("attention", "on the database’s own volume"),
                        (None, false) => ui::badge("good", "kept elsewhere"),
                    },
                ]
            })
            .collect();
        let only = (none || beside).then(|| ui::callout("attention", if none { "No head is kept outside the database" } else { "Every anchor lies on the database’s own volume" }, "Whoever runs this server could rewrite the trail and sign it again, and nobody would notice. Start the service with --anchor on another volume or to an address of somebody else."));
        let lonely = view.witnesses.is_empty();
        let witnesses: Vec<_> = view
            .witnesses
            .into_iter()
            .map(|witness| {
                vec![
                    view! { <code>{witness.name}</code> }.into_any(),
                    ui::text(witness.size.map_or("—".into(), |size| format!("{size} events"))),
                    witness.at.map_or_else(|| ui::text("not heard of yet"), |at| ui::when_about(at, now)),
                    if witness.silent { ui::badge("danger", "silent") } else { ui::badge("good", "cosigned") },
                ]
            })
            .collect();
        let uncopied = view.copies.is_empty();
        let copies: Vec<_> = view
            .copies
            .into_iter()
            .map(|copy| {
                vec![
                    view! { <code>{copy.name}</code> }.into_any(),
                    ui::text(if copy.lag == 0 { "up to date".into() } else { format!("{} events behind", copy.lag) }),
                    ui::when_about(copy.moved_at, now),
                    match copy.trouble {
                        Some(why) => {
                            view! { {ui::badge("danger", "stopped")}<small class="block">{why}</small> }.into_any()
                        }
                        None => ui::badge("good", "going on"),
                    },
                ]
            })
            .collect();
        let verify = match view.refused {
            Some(why) => view! { <p class="soft">{why}</p> }.into_any(),
            None => ui::act(
                "/reports",
                "Verify now",
                vec![("kind", "verification".into()), ("q", String::new()), ("zone", "UTC".into())],
            ),
        };
        let verified = view.verified.map(|(id, at, whole)| view! {
            <p>{if whole { ui::badge("good", "Whole") } else { ui::badge("danger", "Not whole") }}" "{ui::when_about(at, now)}", by this server. "<a href=format!("/reports/{id}")>"What it found"</a></p>
        });
        view! {
            {ui::head("Log integrity", "The trail is one tree that only grows. Here is its head, who else keeps it, and what that proves.", Some(view! { <a class="button" href="/evidence">"Check evidence"</a> }.into_any()))}
            {state}
            {ui::clause("h-head", "Head", "What this server signed last.", view! {
                <dl class="facts">
                    <dt>"Tree"</dt><dd>{format!("{} events", view.size)}</dd>
                    <dt>"For you"</dt><dd>{since}</dd>
                    {growth}
                    <dt>"Root"</dt><dd class="id">{view.root}</dd>
                    <dt>"Log"</dt><dd class="id">{view.origin}</dd>
                    <dt>"Verifier key"</dt><dd>{ui::id(&view.key)}</dd>
                </dl>
                <details class="technical"><summary>"The signed head (C2SP tlog-checkpoint): keep it, and compare later"</summary><pre class="code">{view.note}</pre><p><a href="/log/checkpoint">"As a file"</a></p></details> }.into_any())}
            {ui::clause("h-verify", "Verification", "Every event read again.", view! { {verified}{verify} }.into_any())}
            {view.compared.map(|compared| ui::clause("h-rows", "Rows that open access", "Compared with their seals and with the trail: at the start, then every hour at least.", rows(compared, now)))}
            {ui::clause("h-anchors", "Anchors", "Heads kept where a restored database cannot reach.", view! { {only}{(!none).then(|| ui::table("Anchors", &["Where", "Head", "Written", ""], anchors))} }.into_any())}
            {ui::clause("h-witness", "Witnesses", "Other hosts that saw each head.", if lonely {
                view! { <p>"No witness is known. One runs on a host of somebody else: "<code>"countersign witness --url URL --state DIR"</code>". It checks that the log only grew, cosigns each head, and raises an alarm when the log forks or falls silent."</p> }.into_any()
            } else {
                ui::table("Witnesses", &["Witness", "Head", "Seen", ""], witnesses)
            })}
            {ui::clause("h-copies", "Live copies", "For whoever collects events.", if uncopied {
                view! { <p>"None. Start the service with "<code>"--audit-stream stdout"</code>", a file or an address: each event in order, at least once, with a signed head every minute."</p> }.into_any()
            } else {
                ui::table("Live copies of the trail", &["Where", "How far", "Moved", ""], copies)
            })}
            {ui::clause("h-proves", "What this proves", "Against whom.", view! {
                <dl class="facts">
                    <dt>"Somebody who changes the database"</dt><dd>"is found: by the next verification, and by this server at once where the head no longer fits."</dd>
                    <dt>"Somebody who restores an older database"</dt><dd>"is found at the next start, against an anchor kept elsewhere."</dd>
                    <dt>"Whoever runs this server"</dt><dd>"can be found out by anybody who kept an earlier head: you, an anchor elsewhere, a witness. Without one of these it proves nothing against them."</dd>
                    <dt>"What it cannot prove"</dt><dd>"That something which happened was recorded. Nothing that this service opens goes unrecorded; what happens outside it is not seen here."</dd>
                </dl> }.into_any())}
        }
        .into_any()
    })
}

fn rows(compared: Compared, now: Moment) -> AnyView {
    let trouble = compared.trouble.clone().map(|why| {
        ui::callout("danger", "The rows cannot be compared now", format!("{why}. Readiness is red until they can."))
    });
    view! { {trouble}{compared_rows(compared, now)} }.into_any()
}

fn compared_rows(compared: Compared, now: Moment) -> AnyView {
    let Some(at) = compared.at else {
        return view! { <p>"The first comparison since the start is under way."</p> }.into_any();
    };
    let count = compared.count;
    if count == 0 {
        return view! { <p>{ui::badge("good", "As their last events left them")}" "{format!("{} rows, ", compared.rows)}{ui::when_about(at, now)}"."</p> }.into_any();
    }
    let listed = compared.wrong.len() as u64;
    let lines = compared.wrong.into_iter().map(|line| view! { <li><code>{line}</code></li> });
    view! {
        {ui::callout("danger", if count == 1 { "1 contradiction".into() } else { format!("{count} contradictions") }, "The database was changed outside Countersign. These rows open nothing. Keep the database as it is, and run countersign audit verify --deep --state.")}
        <ul class="plain">{lines.collect_view()}</ul>
        {(listed < count).then(|| view! { <p class="soft">{format!("The first {listed} of {count}. The command lists all.")}</p> })}
        <p class="soft">{format!("{} rows, ", compared.rows)}{ui::when_about(at, now)}"."</p>
    }
    .into_any()
}
