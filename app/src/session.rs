//! What every page knows of its reader and its moment, and how a page becomes a document.
use crate::{audit::action::Action, id::PersonId, levels::model::Levels, policies::model::Role, time::Moment};
#[cfg(feature = "ssr")]
use leptos::prelude::*;
use std::sync::Arc;

/// The files that a browser loads, with their hashed names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assets {
    pub boot: String,
    pub script: String,
    pub wasm: String,
    pub styles: String,
    /// The check of evidence, for its own page alone.
    pub check: String,
    /// Passkeys, for the pages that ask for one.
    pub passkey: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn code(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.code() == code)
    }
}

/// Who reads the page.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub id: PersonId,
    pub name: String,
    /// "Security", "Lead of payments": what the rail says below the name.
    pub roles: String,
    pub organisation: Vec<Role>,
    pub leads: bool,
    /// Audits a project.
    pub audits: bool,
    /// Audits a period: reads its events, and nothing that is computed from now.
    pub looks_back: bool,
    /// What waits for this person: the badges of the rail.
    pub inbox: u64,
    pub requests: u64,
    pub grants: u64,
    pub notices: u64,
}

impl Viewer {
    pub fn is(&self, role: Role) -> bool {
        self.organisation.contains(&role)
    }

    /// May this person read any part of the trail?
    pub fn reads_trail(&self) -> bool {
        self.reads_now() || self.looks_back
    }

    /// May this person read what is, of everything or of some projects?
    pub fn reads_now(&self) -> bool {
        self.reads_evidence() || self.leads || self.audits
    }

    /// May this person read the whole trail? The same rule as the built-in policies'.
    pub fn reads_evidence(&self) -> bool {
        self.is(Role::Security) || self.is(Role::Auditor) || self.is(Role::Admin)
    }
}

/// What a change left to say on the next page: the action, and the event that recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub action: Action,
    pub event: Option<u64>,
}

impl Flash {
    /// The cookie's text.
    pub fn encode(&self) -> String {
        match self.event {
            Some(event) => format!("{}~{event}", self.action.code()),
            None => self.action.code().to_owned(),
        }
    }

    pub fn decode(text: &str) -> Option<Self> {
        let (code, event) = match text.split_once('~') {
            Some((code, event)) => (code, Some(event.parse().ok()?)),
            None => (text, None),
        };
        Some(Self { action: Action::from_code(code)?, event })
    }

    /// What happened, as a sentence.
    pub fn sentence(&self) -> &'static str {
        match self.action {
            Action::SubmitRequest => "Your request was sent for review. It is not access yet.",
            Action::IssueGrant => "Given by rule: your access began.",
            Action::ApproveRequest => "Approved. The requester has been told.",
            Action::DenyRequest => "Denied. The requester has been told.",
            Action::WithdrawRequest => "Withdrawn. Nobody is asked any more.",
            Action::ResumeGrant => "Confirmed. It goes on until the end that it always had.",
            Action::RevokeGrant => "Revoked. It fails on the next use, everywhere.",
            Action::GiveBackGrant => "Given back. You can no longer read it here.",
            Action::WriteVersion => "The new value is current.",
            Action::ConfigureRotation => {
                "Set. Where it names servers, somebody of security confirms it before it is carried out."
            }
            Action::StartRotation => "Begun. Each step appears here; the old value works until the new one does.",
            Action::AssignSignal => "Assigned. They have been told.",
            Action::SnoozeSignal => "Put off. It comes back by itself.",
            Action::RejectSignal => "Noted. It counts against its detector.",
            Action::CloseSignal => "Closed.",
            Action::ReopenSignal => "Open again.",
            Action::ReportLeak => "Reported. Leads and security have been told.",
            Action::ContainCase => "Contained. What has a plan is rotated now; what has none is changed by hand.",
            Action::CutOff => "The old value is disabled now. Whoever has not moved fails.",
            Action::RollBack => "The old value is handed out again. The new one is being withdrawn.",
            Action::PauseRotation => "Paused. It goes on by itself when the pause is over.",
            Action::ResumeRotation => "The pause is over. The next time holds again.",
            Action::SetDefault => "Set. Secrets here that say nothing themselves follow it.",
            Action::ApproveRotation => "Agreed. It begins now.",
            Action::AttestDeath => "Recorded on your word: attested, not proved.",
            Action::CancelCase => "Cancelled. It stays counted.",
            Action::MoveCase => "Moved. The time to rotate counts from then.",
            Action::ResolveRotation => "Recorded. The rotation goes on from there.",
            Action::ProposeChange => "Proposed. It has no effect until somebody else confirms it.",
            Action::ConfirmChange => "Confirmed. It is in effect.",
            Action::DeclineChange => "Declined. The proposer has been told.",
            Action::SignOut => "You signed out.",
            other => other.words(),
        }
    }
}

/// Everything around a page's content.
#[derive(Clone, Debug)]
pub struct Shell {
    pub organisation: String,
    pub viewer: Option<Viewer>,
    pub theme: Theme,
    pub flash: Option<Flash>,
    pub assets: Arc<Assets>,
    /// The path of the rail's entry that this page belongs to.
    pub here: &'static str,
    /// What holds at each protection level.
    pub levels: Levels,
    pub now: Moment,
}

/// Renders a view to HTML, once, with the islands' markers.
#[cfg(feature = "ssr")]
pub fn render(view: impl FnOnce() -> AnyView) -> String {
    let owner = Owner::new_root(Some(Arc::new(hydration_context::SsrSharedContext::new_islands())));
    let html = owner.with(|| view().to_html());
    owner.unset_with_forced_cleanup();
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flashes_survive_their_cookie() {
        let flash = Flash { action: Action::ApproveRequest, event: Some(17) };
        assert_eq!(Flash::decode(&flash.encode()), Some(flash));
        for bad in ["", "x", "request.approved~x", "<script>"] {
            assert_eq!(Flash::decode(bad), None, "{bad}");
        }
    }
}
