//! Whose trail somebody may read: everything, of some projects, or of a period.
use crate::{audit::store as ledger, catalog, console::Console, people::Caller, policies::Situation};
use app::{
    audit::action::Action,
    error::Error,
    people::period::Period,
    policies::model::Role,
    time::{parse_rfc3339, rfc3339},
};

/// Whose trail somebody may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    All,
    /// Leads read of what they lead: projects' ids, never none.
    Projects(Vec<String>),
    /// An auditor of a period: of everything, or of some projects, the events within it alone.
    Period { projects: Option<Vec<String>>, period: Period },
}

/// How a period is told among the projects that something was made of.
const PERIOD: &str = "period:";

impl Reading {
    /// What policy lets a caller read of what is; `None`: nothing. Whoever audits a period alone reads nothing so.
    pub async fn of(console: &Console, caller: &Caller) -> Result<Option<Self>, Error> {
        let caller = &caller.unlimited();
        let may =
            |project: Option<&str>| console.would(caller, Action::ReadTrail, project, Situation::default()).is_none();
        if may(None) {
            return Ok(Some(Self::All));
        }
        let mut led: Vec<String> = match caller.is(Role::Lead) {
            // Whoever leads in the whole organisation leads every project.
            true => {
                let all = catalog::store::projects(&mut console.read().await?).await?;
                all.into_iter().map(|row| row.id).collect()
            }
            false => caller.roles.iter().filter_map(|row| row.project_id.clone()).collect(),
        };
        led.sort_unstable();
        led.dedup();
        led.retain(|id| may(Some(id)));
        Ok((!led.is_empty()).then_some(Self::Projects(led)))
    }

    /// The same of events, also of a period's. Of several periods what they have in common is read; whoever reads without one in
    /// some projects reads that.
    pub async fn of_events(console: &Console, caller: &Caller) -> Result<Option<Self>, Error> {
        if let Some(reading) = Self::of(console, caller).await? {
            return Ok(Some(reading));
        }
        let may =
            |project: Option<&str>| console.would(caller, Action::ReadTrail, project, Situation::default()).is_none();
        let whole = caller.roles.iter().any(|row| row.period().is_some() && row.project_id.is_none());
        let rows = caller.roles.iter().filter(|row| row.project_id.is_none() == whole);
        let limited: Vec<_> = rows.filter_map(|row| Some((row.project_id.clone(), row.period()?))).collect();
        let mut periods = limited.iter().map(|(_, period)| *period);
        let Some(first) = periods.next() else { return Ok(None) };
        let Some(period) = periods.try_fold(first, Period::meet) else { return Ok(None) };
        if whole {
            return Ok(may(None).then_some(Self::Period { projects: None, period }));
        }
        let projects: Vec<String> = limited.into_iter().filter_map(|(id, _)| id).filter(|id| may(Some(id))).collect();
        Ok((!projects.is_empty()).then_some(Self::Period { projects: Some(projects), period }))
    }

    /// The projects that it is of; none where it is of everything. A period is told beside them.
    pub fn projects(&self) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Projects(led) => led.clone(),
            Self::Period { projects, period } => {
                let told = format!("{PERIOD}{}/{}", rfc3339(period.from), rfc3339(period.until));
                std::iter::once(told).chain(projects.iter().flatten().cloned()).collect()
            }
        }
    }

    /// May whoever reads so much now have what was made of so much then?
    pub fn contains(&self, then: &[String]) -> bool {
        let (periods, projects): (Vec<&String>, Vec<&String>) = then.iter().partition(|told| told.starts_with(PERIOD));
        let covered = || !projects.is_empty() && projects.iter().all(|id| self.covers(Some(id)));
        match self {
            Self::All => true,
            Self::Projects(_) => covered(),
            Self::Period { projects: own, period } => {
                let told = periods.first().and_then(|told| told.strip_prefix(PERIOD)?.split_once('/'));
                let told = told.and_then(|(from, until)| {
                    Some(Period { from: parse_rfc3339(from)?, until: parse_rfc3339(until)? })
                });
                told.is_some_and(|told| told.is_within(period)) && (own.is_none() || covered())
            }
        }
    }

    pub fn covers(&self, project: Option<&str>) -> bool {
        match self {
            Self::All | Self::Period { projects: None, .. } => true,
            Self::Projects(led) | Self::Period { projects: Some(led), .. } => {
                project.is_some_and(|id| led.iter().any(|own| own == id))
            }
        }
    }

    /// May this event be read?
    pub fn covers_event(&self, row: &ledger::Stored) -> bool {
        let in_time = match self {
            Self::Period { period, .. } => period.contains(row.at),
            Self::All | Self::Projects(_) => true,
        };
        in_time && self.covers(row.project_id.as_deref())
    }
}
