//! The pages that somebody can go to, once: the rail and the palette are made of this list.
use crate::{policies::model::Role, session::Viewer};

pub struct Entry {
    pub href: &'static str,
    pub words: &'static str,
    shown: fn(&Viewer) -> bool,
    /// How much waits there, in a badge.
    pub count: fn(&Viewer) -> u64,
    /// What the number says, for who does not see the badge; and whether it is this person who is waited for.
    pub meaning: &'static str,
    pub mine: bool,
}

const fn page(href: &'static str, words: &'static str, shown: fn(&Viewer) -> bool) -> Entry {
    Entry { href, words, shown, count: |_| 0, meaning: "", mine: false }
}

impl Entry {
    const fn counting(self, count: fn(&Viewer) -> u64, meaning: &'static str) -> Self {
        Self { count, meaning, ..self }
    }

    const fn waiting(self, count: fn(&Viewer) -> u64, meaning: &'static str) -> Self {
        Self { count, meaning, mine: true, ..self }
    }

    pub fn is_shown(&self, viewer: &Viewer) -> bool {
        (self.shown)(viewer)
    }
}

fn anybody(_: &Viewer) -> bool {
    true
}

/// An auditor of a period who holds no other role sees nothing of the present.
fn member(viewer: &Viewer) -> bool {
    viewer.is(Role::Member)
}

fn evidence(viewer: &Viewer) -> bool {
    viewer.reads_trail()
}

fn present(viewer: &Viewer) -> bool {
    viewer.reads_now()
}

fn overseer(viewer: &Viewer) -> bool {
    member(viewer) && viewer.reads_evidence()
}

fn writes_rules(viewer: &Viewer) -> bool {
    member(viewer) && (viewer.reads_evidence() || viewer.leads)
}

fn administrator(viewer: &Viewer) -> bool {
    viewer.is(Role::Admin)
}

/// The groups of the rail; the first has no heading.
pub const RAIL: &[(&str, &[Entry])] = &[
    ("", &[page("/", "Home", anybody)]),
    (
        "Work",
        &[
            page("/inbox", "Inbox", member).waiting(|viewer| viewer.inbox, " to decide"),
            page("/requests", "My requests", member).counting(|viewer| viewer.requests, " open"),
            page("/access", "My access", member).counting(|viewer| viewer.grants, " held"),
            page("/notices", "Notices", anybody).waiting(|viewer| viewer.notices, " unread"),
        ],
    ),
    (
        "Secrets",
        &[
            page("/projects", "Projects", member),
            page("/rotations", "Rotations", member),
            page("/explain", "Explain access", member),
        ],
    ),
    ("Governance", &[page("/dashboard", "Dashboard", present), page("/signals", "Signals", present)]),
    (
        "Evidence",
        &[
            page("/audit", "Audit trail", evidence),
            page("/reports", "Reports", evidence),
            page("/log", "Log integrity", evidence),
        ],
    ),
    (
        "Admin",
        &[
            page("/people", "People and teams", member),
            page("/policies", "Policies", writes_rules),
            page("/levels", "Protection levels", member),
            page("/controls", "Changes of control", overseer),
            page("/providers", "Sign-in", administrator),
            page("/workloads", "Workloads", member),
            page("/jobs", "Jobs", overseer),
        ],
    ),
];

/// Stands at the foot of the rail, under one's name.
const ACCOUNT: &Entry = &page("/account", "Your account", anybody);

/// Every page that somebody can go to.
pub fn pages(viewer: &Viewer) -> impl Iterator<Item = &'static Entry> {
    let pages = RAIL.iter().flat_map(|(_, entries)| entries.iter()).chain([ACCOUNT]);
    pages.filter(|entry| entry.is_shown(viewer))
}
