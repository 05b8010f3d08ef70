//! What a user logs in with, beside the log: a new password is judged before the event, and kept after it.

use chrono::{DateTime, SecondsFormat, Utc};
use futures::FutureExt;
use palaver_domain::{
    Failure, FailureKind, UserId,
    identity::{PasswordFacts, UserState},
};
use sqlx::PgConnection;

use super::{NewPassword, UserAnswer, UserEditor, existing};
use crate::{
    CommandContext, CommandError, Commander, Outcome,
    identity::{Password, PasswordCheck},
};

impl Commander {
    /// What is known of a new password, and the password when it is one. A wrong old password counts as a failed login.
    pub(super) async fn judge_password(
        &self,
        context: &CommandContext,
        by: &UserEditor,
        id: UserId,
        new: &NewPassword,
    ) -> Result<(Option<Password>, Option<PasswordFacts>), CommandError> {
        let user = self.look(context, move |work| existing(work, id).boxed()).await?;
        let password = Password::new(&new.password, &user.user_name).ok();
        let mut facts = PasswordFacts { meets_criteria: password.is_some(), old_is_right: None, is_the_old_one: false };
        // A command that was carried out is answered again, and by then the old password is another.
        let replayed = match &context.key {
            Some(key) => self.log().receipt(context.tenant, &key.key).await?.is_some(),
            None => false,
        };
        if let Some(old) = new.old_password.as_ref().filter(|_| by.editor.id == id && !replayed) {
            facts.old_is_right = match self.sessions().check_password(&user.user_name, old).await? {
                PasswordCheck::Right { .. } => Some(true),
                PasswordCheck::Wrong => Some(false),
                PasswordCheck::Locked { until } => return Err(locked(until)),
            };
            facts.is_the_old_one =
                facts.old_is_right == Some(true) && self.password_matches(context.tenant, id, &new.password).await?;
        }
        Ok((password, Some(facts)))
    }

    /// Keeps a password that the log tells of, unless it was kept since. Whoever else was logged in is not any more.
    pub(super) async fn settle_password(
        &self,
        outcome: &Outcome<UserAnswer>,
        password: &Password,
        session: Option<&[u8; 32]>,
    ) -> Result<(), CommandError> {
        let UserAnswer { user, updated_at, .. } = &outcome.value;
        let pool = self.log().database().pool();
        if outcome.replayed {
            let kept_at = sqlx::query_scalar!(
                "SELECT updated_at FROM passwords WHERE tenant_id = $1 AND user_id = $2",
                user.account_id.to_string(),
                user.id.to_string(),
            );
            if kept_at.fetch_optional(pool).await?.is_some_and(|kept_at| kept_at >= *updated_at) {
                return Ok(());
            }
        }
        let kept = self.hash_password(password).await?;
        let mut transaction = pool.begin().await?;
        self.keep_password(&mut *transaction, user.account_id, user.id, &kept).await?;
        self.end_access(&mut transaction, user, session).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends what a user is logged in with, but for one session, and what would let somebody choose a password.
    pub(super) async fn end_access(
        &self,
        connection: &mut PgConnection,
        user: &UserState,
        but: Option<&[u8; 32]>,
    ) -> Result<(), CommandError> {
        let (tenant, id, now) = (user.account_id.to_string(), user.id.to_string(), self.clock().now());
        sqlx::query!(
            "UPDATE access_tokens SET revoked_at = $3
             WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND token_hash IS DISTINCT FROM $4",
            tenant,
            id,
            now,
            but.map(|hash| &hash[..]),
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!(
            "UPDATE one_time_tokens SET used_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND used_at IS NULL",
            tenant,
            id,
            now,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn locked(until: DateTime<Utc>) -> CommandError {
    let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
    let message = format!("too many wrong passwords for this user; try again after {until}");
    Failure::new(FailureKind::Forbidden, "TooManyRequestsError", message).into()
}
