//! Lists of teams. Neither teams nor members are many in an account, and all of them are read, so the tenant's own
//! indexes serve.

use chrono::{DateTime, Utc};
use palaver_domain::{AccountId, ChannelId, TeamId, UserId};
use sqlx::PgExecutor;

use super::projector::{read, read_all};
use crate::texts;

/// Teams of one answer, which has no pages.
pub const TEAMS_LISTED_MAX: i64 = 10_000;

/// A team and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub admins: Vec<UserId>,
    pub created: DateTime<Utc>,
    pub members: Members,
}

/// In order of id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub users: Vec<UserId>,
    pub channels: Vec<ChannelId>,
}

/// All teams, in the order they were created; not more than [`TEAMS_LISTED_MAX`].
///
/// # Errors
/// When the database can not answer.
pub async fn list(db: impl PgExecutor<'_>, tenant: AccountId) -> Result<Vec<Team>, sqlx::Error> {
    // Members are gathered once for all teams, not once for each.
    let rows = sqlx::query!(
        r#"SELECT t.id, t.name, t.admins, t.created_at, coalesce(u.ids, '{}') AS "users!",
                  coalesce(c.ids, '{}') AS "channels!"
           FROM teams t
           LEFT JOIN (SELECT team, array_agg(id ORDER BY id) AS ids FROM users, unnest(team_ids) AS team
                      WHERE tenant_id = $1 GROUP BY team) u ON u.team = t.id
           LEFT JOIN (SELECT team, array_agg(id ORDER BY id) AS ids FROM channels, unnest(team_ids) AS team
                      WHERE tenant_id = $1 GROUP BY team) c ON c.team = t.id
           WHERE t.tenant_id = $1 ORDER BY t.created_at, t.id LIMIT $2"#,
        tenant.to_string(),
        TEAMS_LISTED_MAX
    );
    let teams = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(Team {
            id: read(&row.id)?,
            name: row.name,
            admins: read_all(&row.admins)?,
            created: row.created_at,
            members: Members { users: read_all(&row.users)?, channels: read_all(&row.channels)? },
        })
    });
    teams.collect()
}

/// Ids and names, in order of name: of all teams, or of these; not more than [`TEAMS_LISTED_MAX`].
///
/// # Errors
/// When the database can not answer.
pub async fn summary(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    of_user: Option<UserId>,
) -> Result<Vec<(TeamId, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, name FROM teams
         WHERE tenant_id = $1
           AND ($2::text IS NULL OR id = ANY(SELECT unnest(team_ids) FROM users WHERE tenant_id = $1 AND id = $2))
         ORDER BY lower(name), id LIMIT $3",
        tenant.to_string(),
        of_user.map(|user| user.to_string()),
        TEAMS_LISTED_MAX
    );
    rows.fetch_all(db).await?.into_iter().map(|row| Ok((read(&row.id)?, row.name))).collect()
}

/// Who and what is in a team, whether or not the team is known yet; of each at most as many as asked for.
///
/// # Errors
/// When the database can not answer.
pub async fn members(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    team: TeamId,
    count: i64,
) -> Result<Members, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT ARRAY(SELECT id FROM users WHERE tenant_id = $1 AND team_ids && $2 ORDER BY id LIMIT $3) AS "users!",
                  ARRAY(SELECT id FROM channels WHERE tenant_id = $1 AND team_ids && $2 ORDER BY id LIMIT $3)
                      AS "channels!""#,
        tenant.to_string(),
        &texts(&[team]),
        count
    );
    let row = row.fetch_one(db).await?;
    Ok(Members { users: read_all(&row.users)?, channels: read_all(&row.channels)? })
}
