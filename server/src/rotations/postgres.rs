//! PostgreSQL roles as targets: the password of one role, or of two in turn.
//!
//! The new password reaches the server only as a SCRAM-SHA-256 verifier (RFC 7677), so that neither its log nor
//! `pg_stat_statements` can hold it. A password change ends no session: sessions of the old role are ended, or counted.
use super::rotator::{Rotator, Sessions, Trouble, text, with};
use crate::{
    clock::Clock,
    held,
    outbound::{Failure, Reach, may_connect},
    vault::envelope::Payload,
};
use app::{
    error::Error,
    rotations::model::{Standing, ValueRules},
    time::{Moment, rfc3339},
};
use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::time::Duration;

/// The longest that a connection and its answers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Classes of codes that say nothing about the statement: the connection, resources, a server that stops or starts, its insides.
/// Whether the statement was carried out only a probe tells.
const OF_THE_SERVER: [&str; 6] = ["08", "40", "53", "57", "58", "XX"];

/// `invalid_password`: the only refusal that is about the credential. 28000 is also said about a place that may not connect.
const WRONG_PASSWORD: &str = "28P01";

/// How a plan names the target. Never a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `host:port` of each server that takes the credential: the primary first, then replicas and poolers.
    pub endpoints: Vec<String>,
    pub database: String,
    /// Without TLS only on loopback or a unix socket's stand-in; certificates are verified.
    pub tls: bool,
    /// Both roles, for rotation in turn; the value names the one that is in use.
    pub roles: Vec<String>,
    /// The secret with the administrative account, for roles in turn and for a role that may not change itself.
    pub admin: Option<String>,
    /// End sessions of the old credential; otherwise they are counted, and the rotation waits for them.
    pub end_sessions: bool,
    /// Days after which the server itself refuses a new password (`VALID UNTIL`), even if Countersign is off; 0: never.
    #[serde(default)]
    pub dies_after_days: u16,
}

impl Settings {
    pub fn check(&self, alternates: bool) -> Result<(), (&'static str, &'static str)> {
        if self.endpoints.is_empty() || self.endpoints.len() > 8 {
            return Err(("endpoints", "Name between one and eight servers, one host:port in a line."));
        }
        if self.endpoints.iter().any(|endpoint| place(endpoint).is_none()) {
            return Err(("endpoints", "A server is written host:port, for example db.internal:5432."));
        }
        if !name_fits(&self.database) {
            return Err(("database", "The name of the database, at most 63 characters."));
        }
        let roles_fit = match self.roles.as_slice() {
            [] => !alternates,
            [one, other] => alternates && one != other && name_fits(one) && name_fits(other),
            _ => false,
        };
        if !roles_fit {
            return Err(("roles", "Two different roles for rotation in turn, one in a line; none otherwise."));
        }
        if alternates && self.admin.is_none() {
            return Err(("admin", "Two roles in turn need an administrative account: a role cannot disable another."));
        }
        if self.dies_after_days > 730 {
            return Err(("dies", "At most 730 days, or 0 for never."));
        }
        if self.dies_after_days > 0 && self.admin.is_none() {
            return Err(("dies", "Only an administrative account can set an end: choose who changes it."));
        }
        let local = |endpoint: &String| {
            place(endpoint).is_some_and(|(host, _)| {
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            })
        };
        if !self.tls && !self.endpoints.iter().all(local) {
            return Err(("tls", "Beyond this host a credential travels over TLS only."));
        }
        Ok(())
    }
}

fn place(endpoint: &str) -> Option<(&str, u16)> {
    let (host, port) = endpoint.rsplit_once(':')?;
    let fits =
        !host.is_empty() && host.len() <= 253 && !host.contains(|letter: char| letter.is_whitespace() || letter == '/');
    Some((host.trim_matches(['[', ']']), port.parse().ok()?)).filter(|(_, port)| fits && *port > 0)
}

/// PostgreSQL cuts names after 63 bytes: a longer one would mean another role.
fn name_fits(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && !name.contains(char::is_control)
}

/// A name inside a statement: the only way to give one to `ALTER ROLE`.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub struct Postgres {
    settings: Settings,
    admin: Option<Payload>,
    clock: Clock,
    reach: Reach,
}

impl Postgres {
    pub fn new(settings: Settings, admin: Option<Payload>, clock: Clock, reach: Reach) -> Self {
        Self { settings, admin, clock, reach }
    }

    /// Until when the server takes a password that is set now. Only an administrator may say so of a role, and does so each
    /// time: a former end would otherwise go on for the new password.
    fn validity(&self) -> String {
        match (self.ends_at(), &self.admin) {
            (_, None) => String::new(),
            (None, _) => " VALID UNTIL 'infinity'".into(),
            (Some(until), _) => format!(" VALID UNTIL '{}'", rfc3339(until)),
        }
    }

    async fn connect(&self, endpoint: &str, account: &Payload) -> Result<PgConnection, Refused> {
        held::nothing_is_held("a rotation's target");
        let unclear = |why: &str| Refused::Unclear(why.to_owned());
        let (host, port) = place(endpoint).ok_or_else(|| unclear("no host and port"))?;
        let (user, password) = match (text(account, "username"), text(account, "password")) {
            (Some(user), Some(password)) => (user, password),
            _ => return Err(unclear("the value has no username and password")),
        };
        match tokio::time::timeout(PATIENCE, may_connect(&self.reach, host, port)).await {
            Ok(Ok(())) => {}
            Ok(Err(Failure::Private)) => {
                return Err(unclear(
                    "the server's address is private; the operator allows networks with --allow-private",
                ));
            }
            Ok(Err(failure)) => return Err(unclear(&failure.to_string())),
            Err(_) => return Err(unclear("its name was not resolved in time")),
        }
        let options = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(port)
            .username(user)
            .password(password)
            .database(&self.settings.database)
            .application_name("countersign rotation")
            .ssl_mode(if self.settings.tls { PgSslMode::VerifyFull } else { PgSslMode::Prefer })
            .disable_statement_logging();
        match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(unclear("no answer in time")),
        }
    }

    /// Runs one statement on the primary, as the administrator or as the role itself.
    async fn alter(&self, as_account: &Payload, statement: String) -> Result<(), Trouble> {
        let account = self.admin.as_ref().unwrap_or(as_account);
        let mut connection = self.connect(self.primary()?, account).await.map_err(Refused::trouble)?;
        let run = sqlx::query(AssertSqlSafe(statement)).execute(&mut connection);
        let done = tokio::time::timeout(PATIENCE, run).await;
        let answer = match done {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match error.as_database_error().and_then(|error| error.code()) {
                Some(code) if OF_THE_SERVER.iter().any(|class| code.starts_with(class)) => {
                    Trouble::Unknown(format!("the server answered {code}"))
                }
                Some(code) => Trouble::No(format!("the server refused it with {code}")),
                None => Trouble::Unknown("the connection broke before the answer".into()),
            }),
            Err(_) => Err(Trouble::Unknown("no answer in time".into())),
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
        answer
    }

    /// Ends, or counts, sessions of a role at one server that began before a moment of our clock; all of them without one. The
    /// server says when they began by a clock of its own. One whose beginning this account may not see is left alone, and counts as old.
    async fn end(&self, on: &mut PgConnection, role: &str, before: Option<Moment>) -> sqlx::Result<Sessions> {
        const OF_ROLE: &str = "FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()";
        const BEGAN: &str = "extract(epoch FROM backend_start)::float8 < $2";
        let (server_now,): (f64,) =
            sqlx::query_as("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(&mut *on).await?;
        let since = before.map_or(TimeDelta::zero(), |before| self.clock.now() - before);
        let before = match before {
            Some(_) => server_now - since.as_seconds_f64(),
            None => f64::MAX,
        };
        let mut ended = 0;
        if self.settings.end_sessions {
            let statement = format!("SELECT pg_terminate_backend(pid) {OF_ROLE} AND {BEGAN}");
            let rows: Vec<(bool,)> =
                sqlx::query_as(AssertSqlSafe(statement)).bind(role).bind(before).fetch_all(&mut *on).await?;
            ended = rows.into_iter().filter(|(told,)| *told).count();
        }
        // A session that was told to end is gone a little later.
        let mut left = 0;
        for _ in 0..20 {
            let statement = format!("SELECT COUNT(*) {OF_ROLE} AND COALESCE({BEGAN}, true)");
            let (count,): (i64,) =
                sqlx::query_as(AssertSqlSafe(statement)).bind(role).bind(before).fetch_one(&mut *on).await?;
            left = count;
            if left == 0 || ended == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Sessions { ended: u32::try_from(ended).unwrap_or(u32::MAX), left: u32::try_from(left).unwrap_or(u32::MAX) })
    }

    /// The same, with a server that may not answer.
    async fn end_at(
        &self,
        endpoint: &str,
        account: &Payload,
        role: &str,
        before: Option<Moment>,
    ) -> Result<Sessions, Trouble> {
        let mut connection = self.connect(endpoint, account).await.map_err(Refused::trouble)?;
        let ended = tokio::time::timeout(PATIENCE, self.end(&mut connection, role, before)).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
        let why = |said: &str| Trouble::Later(format!("{endpoint}: sessions could not be ended: {said}"));
        match ended {
            Ok(Ok(sessions)) => Ok(sessions),
            Ok(Err(error)) => Err(match error.as_database_error().and_then(|error| error.code()) {
                Some(code) => why(&code),
                None => why("the connection broke"),
            }),
            Err(_) => Err(why("no answer in time")),
        }
    }

    /// Is a role there, and may the administrator do with it what a rotation takes?
    async fn check_role(&self, on: &mut PgConnection, role: &str) -> Result<(), Trouble> {
        // Since version 16 the right to make roles is one over roles that one made or was given (CREATEROLE).
        let statement = "SELECT r.rolcanlogin, \
             m.rolsuper OR (m.rolcreaterole AND NOT r.rolsuper AND \
             (current_setting('server_version_num')::int < 160000 OR pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'))), \
             pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_read_all_stats', 'USAGE'), \
             pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE') \
             FROM pg_roles r, pg_roles m WHERE r.rolname = $1 AND m.rolname = current_user";
        let found = sqlx::query_as::<_, (bool, bool, bool, bool)>(statement).bind(role).fetch_optional(&mut *on);
        let lacks = |what: &str| Err(Trouble::No(format!("the administrative account {what}")));
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(Some((true, true, true, true)))) => Ok(()),
            Ok(Ok(Some((true, true, true, false)))) if !self.settings.end_sessions => Ok(()),
            Ok(Ok(Some((true, false, ..)))) => lacks("may not change the role"),
            Ok(Ok(Some((true, true, false, _)))) => {
                lacks("does not see the role's sessions: grant it the role, or pg_read_all_stats")
            }
            Ok(Ok(Some((true, true, true, false)))) => {
                lacks("may not end the role's sessions: grant it the role, or pg_signal_backend")
            }
            Ok(Ok(_)) => Err(Trouble::No("a role of the plan is not there, or may not sign in".into())),
            Ok(Err(_)) | Err(_) => Err(Trouble::Later("the server did not answer".into())),
        }
    }

    fn primary(&self) -> Result<&str, Trouble> {
        self.settings.endpoints.first().map(String::as_str).ok_or_else(|| Trouble::No("no server is named".into()))
    }
}

enum Refused {
    Password(String),
    Unclear(String),
}

impl Refused {
    fn trouble(self) -> Trouble {
        match self {
            Self::Password(code) => Trouble::No(format!("the server does not take this account: {code}")),
            Self::Unclear(why) => Trouble::Later(why),
        }
    }
}

/// Only codes leave this function: messages of a server may hold anything.
fn refusal(error: &sqlx::Error) -> Refused {
    match error.as_database_error().and_then(|error| error.code()) {
        Some(code) if code == WRONG_PASSWORD => Refused::Password(code.into_owned()),
        Some(code) => Refused::Unclear(format!("the server answered {code}")),
        None => Refused::Unclear("no connection".into()),
    }
}

#[async_trait]
impl Rotator for Postgres {
    async fn preflight(&self, old: &Payload) -> Result<String, Trouble> {
        let user = text(old, "username").unwrap_or_default().to_owned();
        if !name_fits(&user) || text(old, "password").is_none() {
            return Err(Trouble::No("the value needs a username and a password".into()));
        }
        for endpoint in &self.settings.endpoints {
            match self.probe(endpoint, old).await {
                Standing::Accepted => {}
                Standing::Refused(code) => {
                    return Err(Trouble::No(format!("{endpoint} refuses the present credential: {code}")));
                }
                Standing::Unclear(why) => return Err(Trouble::Later(format!("{endpoint}: {why}"))),
            }
        }
        let Some(admin) = &self.admin else {
            return Ok(format!("{} servers take the present credential.", self.settings.endpoints.len()));
        };
        let mut connection = self.connect(self.primary()?, admin).await.map_err(Refused::trouble)?;
        let mut roles: Vec<&str> = self.settings.roles.iter().map(String::as_str).collect();
        if !roles.is_empty() && !roles.contains(&user.as_str()) {
            return Err(Trouble::No("the value's user name is none of the two roles".into()));
        }
        if roles.is_empty() {
            roles.push(&user);
        }
        for role in &roles {
            self.check_role(&mut connection, role).await?;
        }
        Ok(format!(
            "{} servers take the present credential; {} role(s) are there.",
            self.settings.endpoints.len(),
            roles.len()
        ))
    }

    fn create(&self, old: &Payload, rules: &ValueRules) -> Result<Payload, Error> {
        let password = crate::vault::generate_by(rules)?;
        let user = text(old, "username").ok_or(Error::Unavailable)?;
        match self.settings.roles.iter().find(|role| *role != user) {
            Some(other) => with(old, &[("username", other.clone().into()), ("password", password)]),
            None => with(old, &[("password", password)]),
        }
    }

    async fn set(&self, old: &Payload, new: &Payload) -> Result<(), Trouble> {
        let (Some(user), Some(password)) = (text(new, "username"), text(new, "password")) else {
            return Err(Trouble::No("the new value needs a username and a password".into()));
        };
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        self.alter(old, format!("ALTER ROLE {} PASSWORD '{verifier}'{}", quoted(user), self.validity())).await
    }

    fn endpoints(&self) -> Vec<String> {
        self.settings.endpoints.clone()
    }

    fn ends_at(&self) -> Option<Moment> {
        let days = self.admin.as_ref().map(|_| self.settings.dies_after_days).filter(|days| *days > 0)?;
        Some(self.clock.now() + TimeDelta::days(days.into()))
    }

    async fn probe(&self, endpoint: &str, payload: &Payload) -> Standing {
        match self.connect(endpoint, payload).await {
            Ok(connection) => {
                let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
                Standing::Accepted
            }
            Err(Refused::Password(code)) => Standing::Refused(code),
            Err(Refused::Unclear(why)) => Standing::Unclear(why),
        }
    }

    async fn disable_old(&self, old: &Payload, new: &Payload, since: Moment) -> Result<Sessions, Trouble> {
        let (Some(old_user), Some(new_user)) = (text(old, "username"), text(new, "username")) else {
            return Err(Trouble::No("the values need usernames".into()));
        };
        if old_user != new_user {
            self.alter(new, format!("ALTER ROLE {} PASSWORD NULL", quoted(old_user))).await?;
        }
        let account = self.admin.as_ref().unwrap_or(new);
        // With one role only the time tells a session of the old password from one of the new.
        let before = (old_user == new_user).then_some(since);
        let places = self.settings.endpoints.iter().map(|endpoint| self.end_at(endpoint, account, old_user, before));
        let mut sessions = Sessions::default();
        for answer in join_all(places).await {
            let Sessions { ended, left } = answer?;
            sessions.ended += ended;
            sessions.left += left;
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            endpoints: vec!["127.0.0.1:5432".into()],
            database: "app".into(),
            tls: false,
            roles: vec![],
            admin: None,
            end_sessions: true,
            dies_after_days: 0,
        }
    }

    #[test]
    fn settings_that_cannot_work_are_named_at_their_field() {
        let field = |settings: Settings, alternates| settings.check(alternates).map_err(|(field, _)| field);
        assert_eq!(field(settings(), false), Ok(()));
        for (endpoint, wanted) in
            [("", "endpoints"), ("db", "endpoints"), ("a b:1", "endpoints"), ("db:0", "endpoints")]
        {
            assert_eq!(
                field(Settings { endpoints: vec![endpoint.into()], ..settings() }, false),
                Err(wanted),
                "{endpoint}"
            );
        }
        assert_eq!(field(Settings { endpoints: vec![], ..settings() }, false), Err("endpoints"));
        assert_eq!(field(Settings { endpoints: vec!["db.internal:5432".into()], ..settings() }, false), Err("tls"));
        assert_eq!(field(Settings { database: "x".repeat(64), ..settings() }, false), Err("database"));
        assert_eq!(field(settings(), true), Err("roles"));
        let two = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(field(Settings { roles: two.clone(), ..settings() }, true), Err("admin"));
        assert_eq!(field(Settings { roles: two, ..settings() }, false), Err("roles"));
        assert!(serde_json::from_str::<Settings>("{\"endpoints\":[],\"surprise\":1}").is_err());
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"; DROP ROLE b; --"), "\"a\"\"; DROP ROLE b; --\"");
    }
}
