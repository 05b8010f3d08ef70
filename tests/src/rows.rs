//! Everything that a database holds, whatever tables it has: what must not be there is looked for in all of it, and what
//! must not change is compared in all of it. Read models that are to be equal are compared by [`crate::dump`].

use std::collections::BTreeMap;

use sqlx::{PgPool, Row};

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `schema.table.column`
    pub place: String,
    /// As text; of `bytea`, the bytes themselves.
    pub bytes: Vec<u8>,
}

struct Column {
    schema: String,
    table: String,
    name: String,
    binary: bool,
}

/// Every column of every table that is not PostgreSQL's own.
async fn columns(pool: &PgPool) -> Vec<Column> {
    let rows = sqlx::query(
        "SELECT c.table_schema::text, c.table_name::text, c.column_name::text, c.data_type = 'bytea'
         FROM information_schema.columns c
         JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE t.table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
         ORDER BY 1, 2, 3",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(!rows.is_empty(), "the test may look at nothing");
    let column = |row: sqlx::postgres::PgRow| Column {
        schema: row.get(0),
        table: row.get(1),
        name: row.get(2),
        binary: row.get(3),
    };
    rows.into_iter().map(column).collect()
}

/// Every value of every table.
pub async fn cells(pool: &PgPool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for Column { schema, table, name, binary } in columns(pool).await {
        let value = if binary { format!("\"{name}\"") } else { format!("convert_to(\"{name}\"::text, 'UTF8')") };
        let query = format!("SELECT {value} FROM \"{schema}\".\"{table}\" WHERE \"{name}\" IS NOT NULL");
        let values: Vec<Vec<u8>> = sqlx::query_scalar(&query).fetch_all(pool).await.unwrap();
        let place = format!("{schema}.{table}.{name}");
        cells.extend(values.into_iter().map(|bytes| Cell { place: place.clone(), bytes }));
    }
    cells
}

/// Every row that belongs to a tenant, by table.
pub async fn rows_of_tenant(pool: &PgPool, tenant: &str) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for Column { schema, table, .. } in columns(pool).await.into_iter().filter(|column| column.name == "tenant_id") {
        let query = format!("SELECT t::text AS row FROM \"{schema}\".\"{table}\" t WHERE tenant_id = $1 ORDER BY row");
        let found: Vec<String> = sqlx::query_scalar(&query).bind(tenant).fetch_all(pool).await.unwrap();
        rows.insert(format!("{schema}.{table}"), found);
    }
    rows
}
