//! One table of a projection compared with the same table as a replay made it: row by row, by the primary key, within
//! the database. Values are compared as PostgreSQL writes them, so JSON is compared to the letter.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgConnection, Row};

use super::{
    LEFT_OUT,
    fields::{self, Column, FieldDifference},
};
use crate::engine::{EngineError, Generation, Projector, checkpoint};

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableComparison {
    pub table: String,
    /// Rows that either side has, and that were compared.
    pub compared: i64,
    /// Rows that the live table lacks.
    pub missing: i64,
    /// Rows that the live table should not have.
    pub extra: i64,
    pub different: i64,
    /// Rows that were not compared, because what they are of, or all that they count, is not within the replay.
    pub left_out: i64,
    /// The first of each kind, in order of key.
    pub differences: Vec<DifferentRow>,
}

impl TableComparison {
    pub const fn is_same(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.different == 0
    }
}

/// A row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DifferentRow {
    /// `missing`, `extra` or `different`.
    pub kind: String,
    /// Column to value.
    pub key: BTreeMap<String, String>,
    /// What differs between two rows of one key; at most so many as are ever shown.
    pub fields: Vec<FieldDifference>,
}

/// The replay's table.
pub(super) fn scratch(table: &str) -> String {
    format!("pg_temp.{}", quoted(table))
}

/// Names come from the code or the catalogue; quoted all the same.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[derive(FromRow)]
struct Attribute {
    name: String,
    is_json: bool,
    key_place: Option<i32>,
}

async fn attributes(db: &mut PgConnection, table: &str) -> Result<Vec<Attribute>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.attname::text AS name, a.atttypid IN ('json'::regtype, 'jsonb'::regtype) AS is_json,
                array_position(i.indkey::int2[], a.attnum) AS key_place
         FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
         WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname",
    )
    .bind(table)
    .fetch_all(db)
    .await
}

/// A table, and the parts of the statements that compare it.
pub(super) struct Comparison {
    table: String,
    is_tally: bool,
    /// Columns of the primary key, in its order.
    keys: Vec<String>,
    columns: Vec<Column>,
}

impl Comparison {
    pub async fn of(db: &mut PgConnection, projector: &dyn Projector, table: &str) -> Result<Self, EngineError> {
        let here = attributes(db, &scratch(table)).await?;
        let live = attributes(db, &checkpoint::qualified(Generation::Live, table)).await?;
        if !here.iter().map(|one| &one.name).eq(live.iter().map(|one| &one.name)) {
            let (projection, table) = (projector.name().to_owned(), table.to_owned());
            return Err(EngineError::OtherColumns { projection, table });
        }
        let mut keys: Vec<(i32, String)> =
            here.iter().filter_map(|one| Some((one.key_place?, one.name.clone()))).collect();
        keys.sort();
        if keys.is_empty() {
            return Err(EngineError::NoKey { table: table.to_owned() });
        }
        let columns =
            here.into_iter().filter(|one| one.key_place.is_none() && !projector.notes().contains(&one.name.as_str()));
        Ok(Self {
            table: table.to_owned(),
            is_tally: projector.tallies().contains(&table),
            keys: keys.into_iter().map(|(_, name)| name).collect(),
            columns: columns.map(|one| Column { name: one.name, is_json: one.is_json }).collect(),
        })
    }

    /// `whole`: nothing is left out on one side alone. `shown_max` rows of each kind are told, all are counted.
    pub async fn run(
        &self,
        db: &mut PgConnection,
        whole: bool,
        shown_max: u32,
    ) -> Result<TableComparison, EngineError> {
        let mut comparison = self.count(db).await?;
        if self.is_tally && !whole {
            // It can not be told which part of a number comes from the streams that were left out.
            let left_out = comparison.compared;
            comparison = TableComparison { compared: 0, missing: 0, extra: 0, different: 0, left_out, ..comparison };
        }
        if !comparison.is_same() {
            comparison.differences = self.differences(db, shown_max).await?;
        }
        Ok(comparison)
    }

    /// Both sides beside each other: `l` the live row, `r` the replay's, `o` whether the row is left out.
    fn both(&self) -> String {
        let live = checkpoint::qualified(Generation::Live, &self.table);
        let counting = if self.is_tally { "WHERE n <> 0" } else { "" };
        let on: Vec<String> = self.keys.iter().map(|key| quoted(key)).map(|key| format!("l.{key} = r.{key}")).collect();
        let aggregate = match self.keys.first() {
            Some(key) if !self.is_tally => {
                let key = quoted(key);
                format!("coalesce(l.{key}, r.{key})::text")
            }
            _ => "NULL".to_owned(),
        };
        format!(
            "(SELECT *, true AS \"is there\" FROM {live} {counting}) l
             FULL JOIN (SELECT *, true AS \"is there\" FROM {} {counting}) r ON {}
             LEFT JOIN {LEFT_OUT} o ON o.aggregate_id = {aggregate}",
            scratch(&self.table),
            on.join(" AND ")
        )
    }

    /// Whether two rows of one key say different things.
    fn differs(&self) -> String {
        let any: Vec<String> = self
            .columns
            .iter()
            .map(|column| quoted(&column.name))
            .map(|name| format!("l.{name}::text IS DISTINCT FROM r.{name}::text"))
            .collect();
        if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" OR ")) }
    }

    async fn count(&self, db: &mut PgConnection) -> Result<TableComparison, sqlx::Error> {
        let count = format!(
            "SELECT count(*) FILTER (WHERE o.aggregate_id IS NULL) AS compared,
                    count(*) FILTER (WHERE o.aggregate_id IS NULL AND l.\"is there\" IS NULL) AS missing,
                    count(*) FILTER (WHERE o.aggregate_id IS NULL AND r.\"is there\" IS NULL) AS extra,
                    count(*) FILTER (WHERE o.aggregate_id IS NULL AND l.\"is there\" AND r.\"is there\" AND {differs})
                        AS different,
                    count(*) FILTER (WHERE o.aggregate_id IS NOT NULL) AS left_out
             FROM {both}",
            differs = self.differs(),
            both = self.both()
        );
        let row = sqlx::query(&count).fetch_one(db).await?;
        Ok(TableComparison {
            table: self.table.clone(),
            compared: row.try_get("compared")?,
            missing: row.try_get("missing")?,
            extra: row.try_get("extra")?,
            different: row.try_get("different")?,
            left_out: row.try_get("left_out")?,
            differences: Vec::new(),
        })
    }

    async fn differences(&self, db: &mut PgConnection, shown_max: u32) -> Result<Vec<DifferentRow>, sqlx::Error> {
        let keys: Vec<String> =
            self.keys.iter().map(|key| quoted(key)).map(|key| format!("coalesce(l.{key}, r.{key})")).collect();
        let texts = |side: &str| {
            let all = self.columns.iter().map(|column| format!("{side}.{}::text", quoted(&column.name)));
            all.collect::<Vec<_>>().join(", ")
        };
        let find = format!(
            "SELECT kind, key, live, replayed FROM (
                 SELECT *, row_number() OVER (PARTITION BY kind ORDER BY {order}) AS place FROM (
                     SELECT CASE WHEN l.\"is there\" IS NULL THEN 'missing' WHEN r.\"is there\" IS NULL THEN 'extra'
                                 ELSE 'different' END AS kind,
                            ARRAY[{keys}]::text[] AS key, ARRAY[{live}]::text[] AS live,
                            ARRAY[{replayed}]::text[] AS replayed, {ordered}
                     FROM {both}
                     WHERE o.aggregate_id IS NULL
                       AND (l.\"is there\" IS NULL OR r.\"is there\" IS NULL OR {differs})) either
             ) numbered WHERE place <= $1 ORDER BY kind DESC, place",
            order = (0..keys.len()).map(|place| format!("k{place}")).collect::<Vec<_>>().join(", "),
            ordered =
                keys.iter().enumerate().map(|(place, key)| format!("{key} AS k{place}")).collect::<Vec<_>>().join(", "),
            keys = keys.iter().map(|key| format!("{key}::text")).collect::<Vec<_>>().join(", "),
            live = texts("l"),
            replayed = texts("r"),
            both = self.both(),
            differs = self.differs()
        );
        let rows = sqlx::query(&find).bind(i64::from(shown_max)).fetch_all(db).await?;
        rows.iter()
            .map(|row| {
                let kind: String = row.try_get("kind")?;
                let key: Vec<String> = row.try_get("key")?;
                let fields = if kind == "different" {
                    let (live, replayed): (Vec<_>, Vec<_>) = (row.try_get("live")?, row.try_get("replayed")?);
                    fields::differing(&self.columns, live, replayed)
                } else {
                    Vec::new()
                };
                Ok(DifferentRow { kind, key: self.keys.iter().cloned().zip(key).collect(), fields })
            })
            .collect()
    }
}
