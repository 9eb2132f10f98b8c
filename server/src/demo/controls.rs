//! Changes of control of the last days: one confirmed, one declined, one that waits for security; policies likewise.
use super::{
    life::Life,
    organisation::{OUTSIDE, PROJECTS},
};
use crate::{
    audit::ledger::Receipt,
    controls::{self, Submitted, store},
    levels, people,
    policies::documents::{self, Typed},
};
use app::{
    error::Error,
    levels::model::Level,
    people::period::Period,
    policies::{
        document::template,
        model::{Role, Tier},
    },
};
use chrono::{NaiveTime, TimeDelta};

const IMPORTS: &str = r#"// Staging is filled by promotion, not by files from somebody's laptop.
@id("no-files")
forbid (principal is Person, action == Action::"ImportSecrets", resource)
when { context.tier == "staging" };
"#;

const NIGHT: &str = r#"// Outside of working hours (UTC) a value goes straight to where it is needed, and is not read.
@id("not-shown-at-night")
forbid (principal is Person, action == Action::"RevealSecret", resource)
unless { context.hour >= 6 && context.hour < 17 };
"#;

impl Life {
    /// A part of them on each of the last working days, within its working hours.
    pub(super) async fn change_controls(&mut self, day: usize) -> Result<(), Error> {
        match day {
            0 => self.give_roles().await,
            1 => {
                self.set_levels().await?;
                self.go_away().await
            }
            _ => self.write_policies().await,
        }
    }

    /// Somebody of security confirms what a lead proposed.
    pub(super) async fn second(&mut self, change: &str) -> Result<(), Error> {
        let ewa = self.caller("ewa.nowak").await?;
        let digest = self.digest(change).await?;
        controls::confirm_change(&self.console, &ewa, change, &digest).await?;
        Ok(())
    }

    async fn give_roles(&mut self) -> Result<(), Error> {
        let lent = Some(self.console.now() + TimeDelta::days(30));
        let confirmed = self.propose("ingrid.solberg", Role::Lead, Some("tracking"), lent).await?;
        self.later(50).await?;
        let ewa = self.caller("ewa.nowak").await?;
        let digest = self.digest(&confirmed).await?;
        controls::confirm_change(&self.console, &ewa, &confirmed, &digest).await?;
        self.later(90).await?;
        let declined = self.propose("tomas.varga", Role::Lead, Some("identity"), None).await?;
        self.later(40).await?;
        let mara = self.caller("mara.lindqvist").await?;
        let digest = self.digest(&declined).await?;
        let why = "He asks for access there himself. Teodor and Chen are two already.";
        controls::decline_change(&self.console, &mara, &declined, &digest, why).await?;
        self.later(60).await?;
        self.propose("priya.raghunathan", Role::Security, None, None).await?;
        self.let_audit().await
    }

    /// Somebody from outside reads three months that are over, for two months from now.
    async fn let_audit(&mut self) -> Result<(), Error> {
        self.later(20).await?;
        let now = self.console.now();
        let boss = self.caller(super::organisation::PEOPLE[0].0).await?;
        let henrik = self.people.get(OUTSIDE).ok_or(Error::NotFound)?.clone();
        let day = |days: i64| (now - TimeDelta::days(days)).date_naive().and_time(NaiveTime::MIN).and_utc();
        let period = Period { from: day(130), until: day(40) };
        let until = Some(now + TimeDelta::days(60));
        let given = people::assign_auditor(&self.console, &boss, &henrik, None, until, period).await?;
        let Submitted::Waits { id, .. } = given else { return Err(Error::Unavailable) };
        self.later(30).await?;
        let mara = self.caller("mara.lindqvist").await?;
        let digest = self.digest(&id).await?;
        controls::confirm_change(&self.console, &mara, &id, &digest).await?;
        Ok(())
    }

    /// Shorter tokens in test act at once; a longer grant in staging waits.
    async fn set_levels(&mut self) -> Result<(), Error> {
        self.later(25).await?;
        let boss = self.caller(super::organisation::PEOPLE[0].0).await?;
        let test = Level { token_minutes: 20, ..Level::built_in(Tier::Test) };
        levels::set_level(&self.console, &boss, test).await?;
        self.later(15).await?;
        let staging = Level { grant_minutes: 5 * 24 * 60, ..Level::built_in(Tier::Staging) };
        levels::set_level(&self.console, &boss, staging).await?;
        Ok(())
    }

    /// Magnus will be away next week: Iris decides in his place.
    async fn go_away(&mut self) -> Result<(), Error> {
        self.later(35).await?;
        let magnus = self.caller("magnus.berg").await?;
        let iris = self.people.get("iris.okonkwo").ok_or(Error::NotFound)?.clone();
        let from = self.console.now() + TimeDelta::days(7);
        let until = from + TimeDelta::days(5);
        let Submitted::Waits { id, .. } =
            people::delegation::delegate(&self.console, &magnus, &iris, from, until).await?
        else {
            return Err(Error::Unavailable);
        };
        self.later(50).await?;
        let mara = self.caller("mara.lindqvist").await?;
        let digest = self.digest(&id).await?;
        controls::confirm_change(&self.console, &mara, &id, &digest).await?;
        Ok(())
    }

    /// One in force, one that waits with what it would have changed, and a draft.
    async fn write_policies(&mut self) -> Result<(), Error> {
        self.later(30).await?;
        let (policy, _) = self.draft("imports", "Imports stay out of staging", IMPORTS).await?;
        let change = self.propose_draft(&policy).await?;
        self.later(70).await?;
        let mara = self.caller("mara.lindqvist").await?;
        let digest = self.digest(&change).await?;
        controls::confirm_change(&self.console, &mara, &change, &digest).await?;
        self.later(45).await?;
        let (policy, _) = self.draft("own-hands", "Values at night only by copying", NIGHT).await?;
        self.propose_draft(&policy).await?;
        self.later(20).await?;
        self.draft("on-call", "Production values for those on call", template(Tier::Production)).await?;
        Ok(())
    }

    async fn draft(&mut self, slug: &str, name: &str, text: &str) -> Result<(String, Receipt), Error> {
        let boss = self.caller(super::organisation::PEOPLE[0].0).await?;
        documents::save_draft(&self.console, &boss, None, Typed { slug, name, text, seen: 0 }).await
    }

    async fn propose_draft(&mut self, policy: &str) -> Result<String, Error> {
        self.later(5).await?;
        let boss = self.caller(super::organisation::PEOPLE[0].0).await?;
        match documents::propose(&self.console, &boss, policy, 1).await? {
            Submitted::Waits { id, .. } => Ok(id),
            Submitted::Done(_) => Err(Error::Unavailable),
        }
    }

    async fn propose(
        &mut self,
        login: &str,
        role: Role,
        project: Option<&str>,
        until: Option<app::time::Moment>,
    ) -> Result<String, Error> {
        self.later(5).await?;
        let boss = self.caller(super::organisation::PEOPLE[0].0).await?;
        let index = project.and_then(|slug| PROJECTS.iter().position(|project| project.slug == slug));
        let project = index.map(|index| self.projects[index].clone());
        let person = self.people.get(login).ok_or(Error::NotFound)?.clone();
        match people::assign_role(&self.console, &boss, &person, role, project.as_deref(), until).await? {
            Submitted::Waits { id, .. } => Ok(id),
            Submitted::Done(_) => Err(Error::Unavailable),
        }
    }

    async fn digest(&self, id: &str) -> Result<String, Error> {
        let row = store::find(&mut self.console.read().await?, id, self.console.seal_key()).await?;
        Ok(row.ok_or(Error::NotFound)?.digest)
    }
}
