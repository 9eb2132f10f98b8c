//! Tables whose rows are sealed, each declared once: the row with its columns is what is read, what is written and what the seal covers.
//!
//! ```ignore
//! sealed_table! {
//!     /// Access to secrets, for a while.
//!     pub struct Grant in "grants" {
//!         id: String,
//!         person_id: Option<String>,
//!         …
//!     }
//! }
//! rows_of::<Grant>(" WHERE id = $1")      // SELECT id, person_id, …, event_seq, row_mac FROM grants WHERE id = $1
//! table::insert(tx, &grant)               // every column; the seal is written with the event ([`crate::audit::ledger::Tx::seal`])
//! table::save(tx, &grant)                 // every column of the row with this id
//! ```
use crate::{
    audit::row_seal::SealedRow,
    db::{Query, Result, Sql, Statement},
};

/// What every sealed table has: declared by [`crate::sealed_table`].
pub trait Table: SealedRow {
    /// Every column but the seal's two, in the order in which they are bound.
    const COLUMNS: &'static [&'static str];
    /// The values of these columns.
    fn bind<'q>(&self, query: Query<'q>) -> Query<'q>;
}

/// Declares a sealed table: the struct of its rows, and how they are read, written and sealed. A column that a later version added is
/// left out of the seal while it holds its default (`serde(skip_serializing_if)`): rows that were sealed before it hold on.
#[macro_export]
macro_rules! sealed_table {
    (
        $(#[$meta:meta])*
        pub struct $row:ident in $table:literal {
            id: String,
            $($(#[$column_meta:meta])* $column:ident: $kind:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
        pub struct $row {
            pub id: String,
            $($(#[$column_meta])* pub $column: $kind,)*
            /// The first event of the change that wrote the row.
            #[serde(skip)]
            pub event_seq: i64,
            #[serde(skip)]
            pub row_mac: Vec<u8>,
        }

        impl $crate::audit::row_seal::SealedRow for $row {
            const TABLE: &'static str = $table;
            const SELECT: &'static str =
                concat!("SELECT ", $table, ".id, ", $($table, ".", stringify!($column), ", ",)* $table, ".event_seq, ", $table, ".row_mac FROM ", $table);
            const IDS: &'static str = concat!("SELECT id FROM ", $table, " WHERE id > $1 ORDER BY id LIMIT 2000");
            const WRITE: &'static str = concat!("UPDATE ", $table, " SET event_seq = $1, row_mac = $2 WHERE id = $3");
            fn id(&self) -> &str {
                self.id.as_str()
            }
            fn seal(&self) -> (i64, &[u8]) {
                (self.event_seq, &self.row_mac)
            }
        }

        impl $crate::table::Table for $row {
            const COLUMNS: &'static [&'static str] = &["id", $(stringify!($column),)*];
            #[allow(clippy::clone_on_copy, reason = "columns of every kind are bound alike")]
            fn bind<'q>(&self, query: $crate::db::Query<'q>) -> $crate::db::Query<'q> {
                query.bind(self.id.clone())$(.bind(self.$column.clone()))*
            }
        }
    };
}

/// Every sealed table, once: hands the rows' types to a macro.
#[macro_export]
macro_rules! sealed_tables {
    ($apply:ident) => {
        $apply! {
            $crate::people::store::Person,
            $crate::catalog::store::Project,
            $crate::people::store::RoleRow,
            $crate::people::store::Membership,
            $crate::people::store::Link,
            $crate::people::store::Session,
            $crate::people::tokens::store::AccessToken,
            $crate::controls::store::Proposal,
            $crate::people::providers::store::Provider,
            $crate::people::providers::store::GroupRule,
            $crate::levels::store::LevelRow,
            $crate::policies::store::PolicyRow,
            $crate::people::factors::store::Factor,
            $crate::people::providers::store::Identity,
            $crate::people::delegation::store::Delegation,
            $crate::people::providers::store::EmergencyAccount,
            $crate::catalog::store::Environment,
            $crate::catalog::store::Secret,
            $crate::requests::store::Request,
            $crate::requests::store::Decision,
            $crate::grants::store::Grant,
            $crate::rotations::store::Plan,
            $crate::rotations::store::Default,
            $crate::rotations::case_store::Case,
            $crate::rotations::store::Rotation,
            $crate::workloads::store::Workload,
            $crate::workloads::store::Credential,
            $crate::workloads::store::Token,
        }
    };
}

/// The rows of a table, and what narrows them.
pub fn rows_of<R: SealedRow>(rest: &'static str) -> Statement {
    let mut statement = Statement::from(R::SELECT);
    statement.push(rest);
    statement
}

fn insertion<R: Table>() -> Statement {
    let mut statement = Statement::from("INSERT INTO ");
    statement.push(R::TABLE).push(" (");
    for column in R::COLUMNS {
        statement.push(column).push(", ");
    }
    statement.push("event_seq, row_mac) VALUES ").rows(1, R::COLUMNS.len() + 2);
    statement
}

async fn write<R: Table>(tx: &mut impl Sql, row: &R, statement: Statement) -> Result<u64> {
    let (seq, mac) = row.seal();
    row.bind(tx.sql(statement)).bind(seq).bind(mac.to_vec()).execute().await
}

/// Inserts a row; an error where something of it is taken.
pub async fn insert<R: Table>(tx: &mut impl Sql, row: &R) -> Result<u64> {
    write(tx, row, insertion::<R>()).await
}

/// Inserts a row; 0 where something of it is taken.
pub async fn insert_new<R: Table>(tx: &mut impl Sql, row: &R) -> Result<u64> {
    let mut statement = insertion::<R>();
    statement.push(" ON CONFLICT DO NOTHING");
    write(tx, row, statement).await
}

/// Inserts a row, or saves it where its id is there.
pub async fn put<R: Table>(tx: &mut impl Sql, row: &R) -> Result<u64> {
    let mut statement = insertion::<R>();
    statement.push(" ON CONFLICT (id) DO UPDATE SET ");
    for (place, column) in R::COLUMNS.iter().skip(1).enumerate() {
        statement.push(if place == 0 { "" } else { ", " }).push(column).push(" = excluded.").push(column);
    }
    write(tx, row, statement).await
}

/// Saves every column of a row, as it was locked and changed; its seal is written with the event.
pub async fn save<R: Table>(tx: &mut impl Sql, row: &R) -> Result<u64> {
    let mut statement = Statement::from("UPDATE ");
    statement.push(R::TABLE).push(" SET ");
    for (place, column) in R::COLUMNS.iter().enumerate() {
        statement.push(if place == 0 { "" } else { ", " }).push(column).push(" = ").placeholder();
    }
    statement.push(" WHERE id = ").placeholder();
    row.bind(tx.sql(statement)).bind(row.id().to_owned()).execute().await
}
