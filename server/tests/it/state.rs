//! What a database owner does behind the service's back is found by `audit verify --state`, row by row.
use crate::{cast::Cast, story};
use app::policies::model::{Class, Tier};
use server::audit::state;

async fn wrong(cast: &Cast) -> Vec<String> {
    state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong
}

async fn busy(world: crate::support::World) -> (Cast, String, String) {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let grant = cast.granted("jonas", &secret, 60).await;
    (cast, secret, grant)
}

story!(an_honest_database_is_clean, |world| {
    let (cast, secret, _) = busy(world).await;
    cast.write("iris", &secret, 1, "next").await.unwrap();
    let iris = cast.caller("iris").await;
    server::vault::delete_version(&cast.console, &iris, &secret, 2).await.unwrap();
    assert_eq!(wrong(&cast).await, Vec::<String>::new());
    let checked = state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert!(checked.rows > 20);
});

story!(a_longer_grant_is_found, |world| {
    let (cast, _, grant) = busy(world).await;
    cast.world
        .as_database_owner(&[&format!(
            "UPDATE grants SET expires_at = '2030-01-01T00:00:00+00:00' WHERE id = '{grant}'"
        )])
        .await;
    assert_eq!(wrong(&cast).await, [format!("grants: {grant} fails its seal: it was not written by this service")]);
});

story!(an_inserted_role_is_found, |world| {
    let (cast, ..) = busy(world).await;
    cast.world
        .as_database_owner(&["INSERT INTO roles (id, person_id, role, valid_from, event_seq, row_mac) SELECT 'rol_forged', person_id, 'admin', valid_from, event_seq, row_mac FROM roles WHERE role = 'auditor'"])
        .await;
    assert_eq!(wrong(&cast).await, ["roles: rol_forged fails its seal: it was not written by this service"]);
});

story!(a_deleted_grant_is_found, |world| {
    let (cast, _, grant) = busy(world).await;
    cast.world
        .as_database_owner(&[
            &format!("DELETE FROM grant_secrets WHERE grant_id = '{grant}'"),
            &format!("DELETE FROM grants WHERE id = '{grant}'"),
        ])
        .await;
    let found = wrong(&cast).await;
    assert!(found.len() == 1 && found[0].starts_with(&format!("grants: {grant} is missing")), "{found:?}");
});

story!(a_row_put_back_to_an_earlier_state_is_found, |world| {
    let (cast, _, grant) = busy(world).await;
    // The owner keeps a copy of the row while the grant is active, and restores it after it was revoked.
    let columns = "revoked_at, revoked_by, event_seq, row_mac";
    cast.world
        .as_database_owner(&[&format!("CREATE TABLE kept AS SELECT {columns} FROM grants WHERE id = '{grant}'")])
        .await;
    cast.world.clock.advance(chrono::TimeDelta::minutes(1));
    let iris = cast.caller("iris").await;
    server::grants::revoke_grant(&cast.console, &iris, &grant).await.unwrap();
    assert!(wrong(&cast).await.is_empty());
    for column in columns.split(", ") {
        cast.world
            .as_database_owner(&[&format!(
                "UPDATE grants SET {column} = (SELECT {column} FROM kept) WHERE id = '{grant}'"
            )])
            .await;
    }
    let found = wrong(&cast).await;
    assert!(found.len() == 1 && found[0].contains("wrote it last"), "{found:?}");
});
