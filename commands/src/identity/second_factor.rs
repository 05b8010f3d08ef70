//! The second factor: codes that change every half minute (TOTP, RFC 6238). Secrets are in the vault, and named by
//! reference. A code counts once; wrong ones count with wrong passwords.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use palaver_domain::{
    Failure, FailureKind, UserId,
    identity::{User, UserCommand, UserState},
};
use palaver_eventstore::vault::{SecretRef, Vault, VaultError};
use sqlx::PgPool;
use totp_rs::{Algorithm, TOTP};
use zeroize::Zeroizing;

use super::{Attempt, Sessions};
use crate::{CommandContext, CommandError, Commander, Outcome};

/// Who is said to ask for the codes, in the apps that make them.
const ISSUER: &str = "Palaver";
/// What every app that makes codes understands. Source: RFC 6238.
const DIGITS: usize = 6;
const STEP_SECONDS: u64 = 30;
/// Steps that a clock may be off.
const SKEW_STEPS: u64 = 1;
const SECRET_BYTES: usize = 20;
/// How long a secret that was shown may be confirmed.
pub const PROPOSAL_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// A secret to be shown to its user, once.
pub struct Proposal {
    pub reference: SecretRef,
    /// As people type it: Base32.
    pub secret: Zeroizing<String>,
    /// `otpauth://`, as apps read it.
    pub address: Zeroizing<String>,
}

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proposal").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// What comes of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeCheck {
    Right,
    /// Or used already.
    Wrong,
    Locked {
        until: DateTime<Utc>,
    },
}

/// Second factors on one log, with the vault that holds their secrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SecondFactors {
    commander: Commander,
    sessions: Sessions,
    vault: Vault,
}

impl Commander {
    pub fn second_factors(&self, vault: Vault) -> SecondFactors {
        SecondFactors { commander: self.clone(), sessions: self.sessions(), vault }
    }
}

impl SecondFactors {
    fn pool(&self) -> &PgPool {
        self.commander.log().database().pool()
    }

    fn now(&self) -> DateTime<Utc> {
        self.commander.clock().now()
    }

    /// Makes a secret for a user who has none yet. It means nothing until it is confirmed.
    ///
    /// # Errors
    /// `ConflictError` when the user has one, or when it can not be kept.
    pub async fn propose(&self, user: &UserState) -> Result<Proposal, CommandError> {
        if user.totp.is_some() {
            return Err(has_one());
        }
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        self.commander.ids().fill(&mut *bytes);
        let totp = totp(&*bytes, &user.user_name)?;
        let (secret, address) = (Zeroizing::new(totp.get_secret_base32()), Zeroizing::new(totp.get_url()));
        let reference = self.vault.put(user.account_id, &*bytes).await.map_err(vault)?;
        sqlx::query!(
            "INSERT INTO totp_proposals (secret_ref, tenant_id, user_id, created_at) VALUES ($1, $2, $3, $4)",
            reference.id(),
            user.account_id.to_string(),
            user.id.to_string(),
            self.now(),
        )
        .execute(self.pool())
        .await?;
        Ok(Proposal { reference, secret, address })
    }

    /// Makes a proposed secret the user's, when the code shows that it has arrived.
    ///
    /// # Errors
    /// `ConflictError` when the user has one by now, `TokenExpired` when the proposal is too old or was confirmed
    /// already, or when something can not be read or written.
    pub async fn confirm(
        &self,
        context: &CommandContext,
        user: &UserState,
        reference: SecretRef,
        code: &str,
    ) -> Result<CodeCheck, CommandError> {
        if user.totp.is_some() {
            return Err(has_one());
        }
        let (tenant, id) = (user.account_id.to_string(), user.id.to_string());
        let since = self.now() - PROPOSAL_LIFETIME;
        let open = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM totp_proposals
                              WHERE secret_ref = $1 AND tenant_id = $2 AND user_id = $3 AND created_at > $4) AS "open!""#,
            reference.id(),
            tenant,
            id,
            since,
        );
        if !open.fetch_one(self.pool()).await? {
            return Err(proposal_expired());
        }
        match self.check_against(user, reference, code).await? {
            CodeCheck::Right => {}
            other => return Ok(other),
        }
        // From here on the secret is not a proposal any more, which would be deleted in time.
        let taken = sqlx::query!(
            "DELETE FROM totp_proposals WHERE secret_ref = $1 AND tenant_id = $2 AND user_id = $3",
            reference.id(),
            tenant,
            id,
        );
        if taken.execute(self.pool()).await?.rows_affected() == 0 {
            return Err(proposal_expired());
        }
        let command = UserCommand::EnableTotp { secret_ref: reference.to_string() };
        if let Err(error) = self.commander.user_command(context, user.id, command).await {
            // Nobody names it, unless that is just what is not known.
            if matches!(error, CommandError::Refused(_) | CommandError::Unavailable(_)) {
                self.vault.delete(user.account_id, reference).await.map_err(vault)?;
            }
            return Err(error);
        }
        Ok(CodeCheck::Right)
    }

    /// Whether this is the user's code of this moment, and the first time it is given.
    ///
    /// # Errors
    /// When something can not be read or written. A user without a second factor has no right code.
    pub async fn check(&self, user: &UserState, code: &str) -> Result<CodeCheck, CommandError> {
        match &user.totp {
            Some(reference) => self.check_against(user, read(reference)?, code).await,
            None => Ok(CodeCheck::Wrong),
        }
    }

    async fn check_against(
        &self,
        user: &UserState,
        reference: SecretRef,
        code: &str,
    ) -> Result<CodeCheck, CommandError> {
        let made = match self.sessions.attempt(&user.user_name).await? {
            Attempt::Open(made) => made,
            Attempt::Locked { until } => return Ok(CodeCheck::Locked { until }),
        };
        let right = self.is_right(user, reference, code).await;
        // A code that is not taken counts as a failure. So does none that could not be looked at.
        if !matches!(right, Ok(false)) {
            self.sessions.take_back(&user.user_name, made).await?;
        }
        Ok(if right? { CodeCheck::Right } else { CodeCheck::Wrong })
    }

    async fn is_right(&self, user: &UserState, reference: SecretRef, code: &str) -> Result<bool, CommandError> {
        let secret = self.vault.get(user.account_id, reference).await.map_err(vault)?;
        let now = u64::try_from(self.now().timestamp()).unwrap_or_default();
        let totp = totp(secret.expose(), &user.user_name)?;
        let Some(step) = step_of(&totp, code, now) else { return Ok(false) };
        // Of those who give one code at once, one is first. An older code is none after a newer one was taken.
        let used = sqlx::query!(
            "INSERT INTO totp_steps AS s (tenant_id, user_id, last_step) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, user_id) DO UPDATE SET last_step = excluded.last_step
             WHERE s.last_step < excluded.last_step",
            user.account_id.to_string(),
            user.id.to_string(),
            i64::try_from(step).unwrap_or(i64::MAX),
        );
        Ok(used.execute(self.pool()).await?.rows_affected() > 0)
    }

    /// Takes the second factor from a user. Whether the actor may, and has shown a code, is not asked.
    ///
    /// # Errors
    /// `ConflictError` when the user has none, or when it can not be written.
    pub async fn remove(&self, context: &CommandContext, user: &UserState) -> Result<Outcome<()>, CommandError> {
        let outcome = self.commander.user_command(context, user.id, UserCommand::RemoveTotp).await?;
        if let Some(reference) = &user.totp {
            self.vault.delete(user.account_id, read(reference)?).await.map_err(vault)?;
        }
        Ok(outcome)
    }
}

impl Commander {
    /// Hands a command to a user of the context's account.
    pub(super) async fn user_command(
        &self,
        context: &CommandContext,
        user: UserId,
        command: UserCommand,
    ) -> Result<Outcome<()>, CommandError> {
        self.run(context, move |work| {
            let command = command.clone();
            async move { work.handle::<User>(user, command).await.map(drop) }.boxed()
        })
        .await
    }
}

/// An app tells issuer and name apart by the colon between them.
fn totp(secret: &[u8], user_name: &str) -> Result<TOTP, CommandError> {
    let name = user_name.replace(':', " ");
    // Which step a code is of has to be known, so each is looked at by itself.
    TOTP::new(Algorithm::SHA1, DIGITS, 0, STEP_SECONDS, secret.to_vec(), Some(ISSUER.to_owned()), name)
        .map_err(|error| CommandError::Credential(error.to_string().into()))
}

/// The step that the code is of, if it is of one around `time`, in seconds.
fn step_of(totp: &TOTP, code: &str, time: u64) -> Option<u64> {
    let now = time / STEP_SECONDS;
    let mut steps = now.saturating_sub(SKEW_STEPS)..=now + SKEW_STEPS;
    steps.find(|step| totp.check(code, step * STEP_SECONDS))
}

fn read(reference: &str) -> Result<SecretRef, CommandError> {
    reference.parse().map_err(|error: uuid::Error| CommandError::Credential(error.into()))
}

fn vault(error: VaultError) -> CommandError {
    match error {
        VaultError::Database(error) => error.into(),
        other => CommandError::Credential(other.into()),
    }
}

fn has_one() -> CommandError {
    let message = "the user has a second factor already; remove it first";
    CommandError::Refused(Failure::new(FailureKind::Conflict, "ConflictError", message))
}

fn proposal_expired() -> CommandError {
    let message = "this secret was confirmed already, or is too old; generate a new one";
    CommandError::Refused(Failure::new(FailureKind::Forbidden, "TokenExpired", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 6238, appendix B, SHA-1; its codes have eight digits, of which ours are the last six.
    #[test]
    fn codes_are_those_of_the_standard_within_a_step_of_their_time() {
        let totp = totp(b"12345678901234567890", "ada:long@example.com").unwrap();
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let step = time / STEP_SECONDS;
            for now in [time, time + STEP_SECONDS, time - STEP_SECONDS] {
                assert_eq!(step_of(&totp, code, now), Some(step), "{code} at {now}");
            }
            for now in [Some(time + 2 * STEP_SECONDS), time.checked_sub(3 * STEP_SECONDS)].into_iter().flatten() {
                assert_eq!(step_of(&totp, code, now), None, "{code} at {now}");
            }
        }
        for code in ["", "28708", "2870822", "28708２", "000000"] {
            assert_eq!(step_of(&totp, code, 59), None, "{code:?}");
        }
    }

    #[test]
    fn an_app_reads_whose_and_what_it_is() {
        let address = totp(b"12345678901234567890", "ada:long@example.com").unwrap().get_url();
        let (kind, parameters) = address.split_once('?').unwrap();
        assert_eq!(kind, "otpauth://totp/Palaver:ada%20long%40example.com");
        assert!(parameters.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{parameters}");
        assert!(parameters.contains("issuer=Palaver"), "{parameters}");
    }
}
