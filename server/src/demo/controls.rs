//! Changes of control of the last days: one confirmed, one declined, one that waits for security.
use super::{life::Life, organisation::PROJECTS};
use crate::{
    controls::{self, Submitted, store},
    people,
};
use app::{error::Error, policies::model::Role};
use chrono::TimeDelta;

impl Life {
    pub(super) async fn change_controls(&mut self) -> Result<(), Error> {
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
        Ok(())
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
