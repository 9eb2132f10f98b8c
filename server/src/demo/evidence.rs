//! What the auditor and a team have ready when the demonstration opens: views that they keep, reports that were made.
use super::life::Life;
use crate::{
    audit::views,
    reports::{self, Wanted},
};
use app::{
    error::Error,
    reports::model::{Format, Kind},
};

/// `(whose, for their team, name, query)`
const VIEWS: [(&str, bool, &str, &str); 5] = [
    ("samir.haddad", false, "Refused in production", "outcome:refused env:production"),
    ("samir.haddad", false, "Values that people took", "action:revealed action:copied"),
    ("mara.lindqvist", false, "What was cut off or leaked", "action:rotation.cut_off action:incident.leak_reported"),
    ("iris.okonkwo", true, "Payments, by people", "project:payments -actor:system env:production"),
    ("iris.okonkwo", false, "Approvals of payments", "project:payments action:request.approved"),
];

impl Life {
    pub(super) async fn keep_views(&mut self) -> Result<(), Error> {
        for (login, team, name, query) in VIEWS {
            self.later(2).await?;
            let caller = self.caller(login).await?;
            let team = if team { caller.teams.first().cloned() } else { None };
            views::save_view(&self.console, &caller, name, query, team.as_deref()).await?;
        }
        Ok(())
    }

    /// For the auditor: evidence of approvals, access as it is, time to rotate for people, and a sample.
    pub(super) async fn make_reports(&mut self) -> Result<(), Error> {
        let of = |kind: Kind, format: Format, query: &'static str| Wanted {
            kind,
            format,
            query,
            zone: "Europe/Berlin",
            redacted: false,
            raw: false,
            sample: 0,
            nonce: "",
        };
        let sample = Wanted {
            sample: 10,
            nonce: "Audit 2026, third quarter",
            ..of(Kind::Sample, Format::Pdf, "action:request.approved env:production")
        };
        for wanted in [
            of(Kind::Evidence, Format::Zip, "action:request.approved env:production"),
            of(Kind::Access, Format::Csv, ""),
            of(Kind::Rotations, Format::Pdf, ""),
            sample,
        ] {
            self.later(3).await?;
            let auditor = self.caller("samir.haddad").await?;
            reports::start_export(&self.console, &auditor, wanted).await?;
            while reports::run_due(&self.console).await? > 0 {}
            self.last_event = self.console.now();
        }
        Ok(())
    }
}
