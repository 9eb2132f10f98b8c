//! What can be made of the trail, and how far it is.
use crate::{policies::model::words, time::Moment};

words! {
    /// What is made.
    Kind {
        Evidence = "evidence", "Evidence bundle";
        Events = "events", "Events";
        Access = "access", "Access: who can take what, and by which route";
        Knowledge = "knowledge", "Knowledge: who knows which value";
        Requests = "requests", "Requests and approvals, with their lead times";
        Rotations = "rotations", "Cases of rotation, with the time each took";
        Dormant = "dormant", "Dormant access: grants that nobody used";
        Failed = "failed", "Failed attempts: what was refused, to whom and why";
        Sample = "sample", "Sample: events drawn by lot, a page of evidence each";
        Verification = "verification", "Verification of the whole trail";
    }
}

words! {
    /// As what it is written.
    Format {
        Csv = "csv", "CSV";
        Xlsx = "xlsx", "XLSX";
        Lines = "jsonl", "JSON Lines";
        Pdf = "pdf", "PDF, for people";
        Zip = "zip", "ZIP";
        Text = "txt", "Text";
    }
}

impl Format {
    /// For tables.
    pub const TABLES: [Self; 4] = [Self::Csv, Self::Xlsx, Self::Lines, Self::Pdf];

    pub fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Lines => "application/jsonl; charset=utf-8",
            Self::Pdf => "application/pdf",
            Self::Zip => "application/zip",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

impl Kind {
    /// The kinds that somebody asks for with a query.
    pub const ASKED: [Self; 9] = [
        Self::Evidence,
        Self::Events,
        Self::Access,
        Self::Knowledge,
        Self::Requests,
        Self::Rotations,
        Self::Dormant,
        Self::Failed,
        Self::Sample,
    ];

    /// The format that it has, where there is no choice.
    pub fn fixed(self) -> Option<Format> {
        match self {
            Self::Evidence => Some(Format::Zip),
            Self::Verification => Some(Format::Text),
            _ => None,
        }
    }

    /// Is it narrowed by project and time alone?
    pub fn is_of_rows(self) -> bool {
        matches!(self, Self::Access | Self::Knowledge | Self::Requests | Self::Rotations | Self::Dormant)
    }

    /// The controls that it supports: it is evidence for them, and never says that they are met. SOC 2 (AICPA Trust Services
    /// Criteria 2017), ISO/IEC 27001:2022 Annex A, PCI DSS 4.0.1.
    pub fn supports(self) -> &'static str {
        match self {
            Self::Evidence | Self::Events | Self::Sample | Self::Verification => {
                "SOC 2 CC7.2, CC7.3 · ISO 27001 A.8.15, A.8.17 · PCI DSS 10.2, 10.3, 10.5"
            }
            Self::Access => "SOC 2 CC6.1, CC6.3 · ISO 27001 A.5.15, A.5.18, A.8.2, A.8.3 · PCI DSS 7.2.1, 7.2.4, 7.2.5",
            Self::Knowledge => "SOC 2 CC6.1 · ISO 27001 A.5.17 · PCI DSS 8.3, 8.6",
            Self::Requests => "SOC 2 CC6.2, CC6.3 · ISO 27001 A.5.3, A.5.18 · PCI DSS 7.2.2, 7.2.3",
            Self::Rotations => "SOC 2 CC6.1, CC7.4 · ISO 27001 A.5.17, A.8.24 · PCI DSS 3.7.4, 8.3.9, 8.6.3",
            Self::Dormant => "SOC 2 CC6.2, CC6.3 · ISO 27001 A.5.18 · PCI DSS 7.2.4, 8.2.6",
            Self::Failed => "SOC 2 CC6.1, CC7.2 · ISO 27001 A.5.15, A.8.5, A.8.16 · PCI DSS 8.3.4, 10.2.1.4",
        }
    }

    /// The most events that one file takes: a bundle is put together whole.
    pub fn most(self) -> Option<u64> {
        (self == Self::Evidence).then_some(20_000)
    }
}

/// The rows of one PDF: more is for no reader.
pub const PRINTED: u64 = 5_000;

/// The most events that are drawn at once.
pub const DRAWN: u32 = 200;

/// The rows of one sheet: it is put together in memory, never on a disk unsealed.
pub const SHEET: u64 = 100_000;

words! {
    /// How a job stands.
    State {
        Waiting = "waiting", "Waiting";
        Running = "running", "Running";
        Done = "done", "Done";
        Failed = "failed", "Failed";
        Cancelled = "cancelled", "Cancelled";
        /// It was done; its file is gone.
        Gone = "gone", "No longer kept";
    }
}

/// The facts of a job that its state is computed from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    pub started_at: Option<Moment>,
    pub cancelled_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub failed: bool,
    pub expires_at: Moment,
}

pub fn state(facts: Facts, now: Moment) -> State {
    match facts {
        Facts { cancelled_at: Some(_), .. } => State::Cancelled,
        Facts { ended_at: Some(_), failed: true, .. } => State::Failed,
        Facts { ended_at: Some(_), expires_at, .. } if expires_at <= now => State::Gone,
        Facts { ended_at: Some(_), .. } => State::Done,
        Facts { started_at: Some(_), .. } => State::Running,
        Facts { .. } => State::Waiting,
    }
}

/// A cell as a spreadsheet takes it for text: what it would compute is preceded by an apostrophe (OWASP, CSV injection).
pub fn guarded(cell: &str) -> String {
    let first = cell.trim_start_matches([' ', '\u{a0}']).chars().next();
    let computes = |letter: char| {
        matches!(letter, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
    };
    let mut guarded = if first.is_some_and(computes) { String::from("'") } else { String::new() };
    // Where spreadsheets split lines at semicolons or tabs, a cell can begin in the middle of ours.
    let mut begins = false;
    for letter in cell.chars() {
        if begins && computes(letter) && !matches!(letter, '\t' | '\r' | '\n') {
            guarded.push('\'');
        }
        begins = matches!(letter, ';' | '\t' | '\r' | '\n') || begins && matches!(letter, ' ' | '\u{a0}' | '"');
        guarded.push(letter);
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn states_follow_from_facts() {
        let now = Moment::default() + TimeDelta::days(1);
        let facts = Facts { expires_at: now + TimeDelta::seconds(1), ..Facts::default() };
        let some = Some(Moment::default());
        assert_eq!(state(facts, now), State::Waiting);
        assert_eq!(state(Facts { started_at: some, ..facts }, now), State::Running);
        let done = Facts { started_at: some, ended_at: some, ..facts };
        assert_eq!(state(done, now), State::Done);
        assert_eq!(state(done, now + TimeDelta::seconds(1)), State::Gone);
        assert_eq!(state(Facts { failed: true, ..done }, now), State::Failed);
        assert_eq!(
            state(Facts { cancelled_at: some, ..done }, now),
            State::Cancelled,
            "who cancels is not told it is done"
        );
    }

    /// The corpus of OWASP's page on CSV injection and what spreadsheets take beside it.
    #[test]
    fn no_cell_computes() {
        for cell in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            " =1",
            "\u{a0}=1",
            "=cmd|' /C calc'!A0",
            "=HYPERLINK(\"http://x\")",
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}x",
        ] {
            assert_eq!(guarded(cell), format!("'{cell}"), "{cell:?}");
        }
        for (cell, safe) in [
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("\n=1", "'\n'=1"),
            (";=1+1", ";'=1+1"),
            ("x;=1+1", "x;'=1+1"),
            ("x; \"=1+1", "x; \"'=1+1"),
            ("x\n=1+1", "x\n'=1+1"),
            ("x\t@SUM(A1)", "x\t'@SUM(A1)"),
            ("a; b=c", "a; b=c"),
        ] {
            assert_eq!(guarded(cell), safe, "{cell:?}");
        }
        for cell in ["", "db/one", "a=b", "1-2", "'", "2026-11-25"] {
            assert_eq!(guarded(cell), cell);
        }
    }
}
