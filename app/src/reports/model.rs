//! What can be made of the trail, and how far it is.
use crate::{policies::model::words, time::Moment};

words! {
    /// What is made.
    Kind {
        EventsCsv = "events-csv", "Events as CSV";
        EventsXlsx = "events-xlsx", "Events as XLSX";
        EventsLines = "events-jsonl", "Events as JSON Lines";
        Evidence = "evidence", "Evidence bundle";
        Verification = "verification", "Verification of the whole trail";
    }
}

impl Kind {
    /// The kinds that somebody asks for with a query.
    pub const EXPORTS: [Self; 4] = [Self::Evidence, Self::EventsCsv, Self::EventsXlsx, Self::EventsLines];

    /// How the file is called, behind the dot, and its media type.
    pub fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::EventsCsv => ("csv", "text/csv; charset=utf-8"),
            Self::EventsXlsx => ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            Self::EventsLines => ("jsonl", "application/jsonl; charset=utf-8"),
            Self::Evidence => ("zip", "application/zip"),
            Self::Verification => ("txt", "text/plain; charset=utf-8"),
        }
    }

    /// The most events that one file takes, where it has an end: a sheet has 1,048,576 rows; a bundle is put together whole.
    pub fn most(self) -> Option<u64> {
        match self {
            Self::EventsXlsx => Some(1_000_000),
            Self::Evidence => Some(20_000),
            Self::EventsCsv | Self::EventsLines | Self::Verification => None,
        }
    }
}

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
    if first.is_some_and(computes) { format!("'{cell}") } else { cell.to_owned() }
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
            "\t=1",
            "\r=1",
            "\n=1",
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
        for cell in ["", "db/one", "a=b", "1-2", "'", "2026-11-25"] {
            assert_eq!(guarded(cell), cell);
        }
    }
}
