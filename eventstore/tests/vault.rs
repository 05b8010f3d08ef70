//! The vault on a real database.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{env, path::PathBuf, sync::Arc};

use palaver_domain::AccountId;
use palaver_eventstore::{
    clock::SystemClock,
    ids::SystemIds,
    managed::{ManagedOptions, ManagedPostgres},
    vault::{MasterKey, SecretRef, Vault, VaultError},
};
use sqlx::PgPool;

const TENANT: AccountId = AccountId::from_bytes([1; 12]);
const OTHER_TENANT: AccountId = AccountId::from_bytes([2; 12]);

fn vault(pool: &PgPool, key: u8) -> Vault {
    Vault::new(pool.clone(), MasterKey::from_bytes([key; 32]), Arc::new(SystemClock), Arc::new(SystemIds))
}

async fn read(vault: &Vault, tenant: AccountId, reference: SecretRef) -> Vec<u8> {
    vault.get(tenant, reference).await.unwrap().expose().to_owned()
}

#[tokio::test]
async fn secrets_are_kept_by_tenant_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let binaries = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
    let options = ManagedOptions { directory: directory.path().to_owned(), binaries };
    let postgres = ManagedPostgres::start(options).await.unwrap();
    let pool = PgPool::connect_with(postgres.connect_options()).await.unwrap();
    sqlx::migrate!().run(&pool).await.unwrap();
    let vault_7 = vault(&pool, 7);

    let first = vault_7.put(TENANT, b"first secret").await.unwrap();
    let second = vault_7.put(TENANT, b"second secret").await.unwrap();
    assert_eq!(read(&vault_7, TENANT, first).await, b"first secret");
    assert_eq!(read(&vault_7, TENANT, second).await, b"second secret");
    let in_clear: bool = sqlx::query_scalar("SELECT bool_or(position('secret'::bytea in sealed) > 0) FROM vault")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!in_clear);

    let foreign = vault_7.get(OTHER_TENANT, first).await;
    assert!(matches!(foreign, Err(VaultError::NotFound(_))));
    let foreign = vault_7.replace(OTHER_TENANT, first, b"forged").await;
    assert!(matches!(foreign, Err(VaultError::NotFound(_))));
    vault_7.delete(OTHER_TENANT, first).await.unwrap();
    assert_eq!(read(&vault_7, TENANT, first).await, b"first secret");

    // Somebody with the database but not the key.
    sqlx::query("UPDATE vault SET tenant_id = $1 WHERE reference = $2::uuid")
        .bind(OTHER_TENANT.to_string())
        .bind(second.to_string())
        .execute(&pool)
        .await
        .unwrap();
    assert!(matches!(vault_7.get(OTHER_TENANT, second).await, Err(VaultError::Tampered(_))));

    let vault_8 = vault(&pool, 8);
    assert!(matches!(vault_8.get(TENANT, first).await, Err(VaultError::WrongKey { .. })));
    vault_8.replace(TENANT, first, b"renewed").await.unwrap();
    assert_eq!(read(&vault_8, TENANT, first).await, b"renewed");
    assert!(matches!(vault_7.get(TENANT, first).await, Err(VaultError::WrongKey { .. })));

    vault_8.delete(TENANT, first).await.unwrap();
    assert!(matches!(vault_8.get(TENANT, first).await, Err(VaultError::NotFound(_))));
    vault_8.delete(TENANT, first).await.unwrap();

    pool.close().await;
    postgres.stop().await.unwrap();
}
