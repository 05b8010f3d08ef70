//! Passwords: what one must be, and how it is kept: as argon2id, in `passwords`. Who may set one, and when a wrong one
//! is one too many, is decided by those who ask.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{Error as HashError, PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use chrono::{DateTime, Utc};
use palaver_domain::{AccountId, Failure, FailureKind, UserId};
use sqlx::PgExecutor;
use tokio::{sync::Semaphore, time::timeout};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{CommandError, Commander};

/// Characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 10;
pub const PASSWORD_CHARS_MAX: usize = 128;

/// What a hash costs. Source: OWASP Password Storage Cheat Sheet, argon2id.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// How long a password waits for its turn to be hashed, before its owner is told to come back.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// Of no known password. It is what a password is compared with when nobody has it: that costs the same as any other
/// comparison, so how long an answer takes does not tell which names there are.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$ikss1sPcIL5glkUOmghOwA$dEAaQHPXwXEgbf/aeRBOVLgL7XsJxwLK5w9CVo4r+CY";

/// As many hashes at a time as there are cores; more would take memory and not be faster. The cores are the process's,
/// and so is this.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Arc::new(Semaphore::new(cores))
});

/// A password that somebody may have: it meets the criteria. It is never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// What a password is kept as, in PHC format.
#[derive(Clone)]
pub struct PasswordKept(String);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    #[error("a password has at least {PASSWORD_CHARS_MIN} characters")]
    TooShort,
    #[error("a password has at most {PASSWORD_CHARS_MAX} characters")]
    TooLong,
    #[error("a password is not the user's name")]
    UserName,
    #[error("a password is more than one character repeated")]
    OneCharacter,
}

impl From<PasswordRefused> for Failure {
    fn from(refused: PasswordRefused) -> Self {
        Self::new(FailureKind::Invalid, "PasswordCriteriaMismatch", refused.to_string())
    }
}

impl Password {
    /// # Errors
    /// Which criterion the text does not meet.
    pub fn new(text: &str, user_name: &str) -> Result<Self, PasswordRefused> {
        let mut chars = text.chars();
        match text.chars().take(PASSWORD_CHARS_MAX + 1).count() {
            ..PASSWORD_CHARS_MIN => return Err(PasswordRefused::TooShort),
            PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX => {}
            _ => return Err(PasswordRefused::TooLong),
        }
        if text.trim().to_lowercase() == user_name.trim().to_lowercase() {
            return Err(PasswordRefused::UserName);
        }
        let first = chars.next();
        if chars.all(|char| Some(char) == first) {
            return Err(PasswordRefused::OneCharacter);
        }
        Ok(Self(normalized(text)))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl fmt::Debug for PasswordKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordKept(..)")
    }
}

/// One form for what looks and is typed alike: an ä is one character on one keyboard, and two on another.
fn normalized(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.nfkc().collect())
}

impl Commander {
    /// Sets a user's password.
    ///
    /// # Errors
    /// `Busy` when too many passwords wait to be hashed, or when the database refuses.
    pub async fn set_password(&self, tenant: AccountId, user: UserId, password: &Password) -> Result<(), CommandError> {
        let kept = self.hash_password(password).await?;
        self.keep_password(self.log().database().pool(), tenant, user, &kept).await
    }

    /// Whether this is the user's password. `false` for a user who has none, or is not there.
    ///
    /// # Errors
    /// As [`Commander::set_password`].
    pub async fn password_matches(&self, tenant: AccountId, user: UserId, text: &str) -> Result<bool, CommandError> {
        matches(self.password_of(tenant, user).await?, text).await
    }

    /// Whether the user's password was set after `time`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn password_set_since(
        &self,
        tenant: AccountId,
        user: UserId,
        time: DateTime<Utc>,
    ) -> Result<bool, CommandError> {
        let set = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM passwords
                              WHERE tenant_id = $1 AND user_id = $2 AND updated_at > $3) AS "set!""#,
            tenant.to_string(),
            user.to_string(),
            time,
        );
        Ok(set.fetch_one(self.log().database().pool()).await?)
    }

    /// What the user's password is kept as.
    pub(super) async fn password_of(
        &self,
        tenant: AccountId,
        user: UserId,
    ) -> Result<Option<PasswordKept>, CommandError> {
        let hash = sqlx::query_scalar!(
            "SELECT hash FROM passwords WHERE tenant_id = $1 AND user_id = $2",
            tenant.to_string(),
            user.to_string(),
        );
        Ok(hash.fetch_optional(self.log().database().pool()).await?.map(PasswordKept))
    }

    /// What a password will be kept as, once [`Commander::keep_password`] says whose it is.
    ///
    /// # Errors
    /// `Busy` when too many passwords wait to be hashed.
    pub async fn hash_password(&self, password: &Password) -> Result<PasswordKept, CommandError> {
        let mut salt = [0; SALT_BYTES];
        self.ids().fill(&mut salt);
        let password = password.0.clone();
        in_turn(move || {
            let salt = SaltString::encode_b64(&salt)?;
            Ok(PasswordKept(argon2()?.hash_password(password.as_bytes(), &salt)?.to_string()))
        })
        .await
    }

    /// Makes this the user's password.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn keep_password<'c>(
        &self,
        executor: impl PgExecutor<'c>,
        tenant: AccountId,
        user: UserId,
        password: &PasswordKept,
    ) -> Result<(), CommandError> {
        sqlx::query!(
            "INSERT INTO passwords (tenant_id, user_id, hash, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash, updated_at = excluded.updated_at",
            tenant.to_string(),
            user.to_string(),
            password.0,
            self.clock().now(),
        )
        .execute(executor)
        .await?;
        Ok(())
    }
}

/// Whether the text is the password that is kept. The work is the same when none is.
pub(super) async fn matches(kept: Option<PasswordKept>, text: &str) -> Result<bool, CommandError> {
    let text = normalized(text);
    in_turn(move || {
        let hash = PasswordHash::new(kept.as_ref().map_or(NOBODYS, |kept| &kept.0))?;
        match argon2()?.verify_password(text.as_bytes(), &hash) {
            Ok(()) => Ok(kept.is_some()),
            Err(HashError::Password) => Ok(false),
            Err(error) => Err(error),
        }
    })
    .await
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Computes a hash aside, when it is its turn. The turn lasts as long as the work, even when nobody waits for it any
/// more.
async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
) -> Result<T, CommandError> {
    let turn = timeout(TURN_WAIT, TURNS.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(CommandError::Busy) };
    metrics::counter!("palaver_password_hashes_total").increment(1);
    let worked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| CommandError::Credential(error);
    worked.await.map_err(|error| broken(error.into()))?.map_err(|error| broken(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_meets_every_criterion_or_is_told_which_not() {
        let name = "ada.long@example.com";
        for (text, expected) in [
            ("nine chars".get(..9).unwrap(), Some(PasswordRefused::TooShort)),
            ("", Some(PasswordRefused::TooShort)),
            ("ääääääääb", Some(PasswordRefused::TooShort)),
            (" Ada.Long@Example.com ", Some(PasswordRefused::UserName)),
            ("aaaaaaaaaaaa", Some(PasswordRefused::OneCharacter)),
            ("aaaaaaaaab", None),
            ("ten chars.", None),
            ("ääääääääüü", None),
        ] {
            assert_eq!(Password::new(text, name).err(), expected, "{text:?}");
        }
        let long = "ab".repeat(PASSWORD_CHARS_MAX / 2);
        assert!(Password::new(&long, name).is_ok());
        assert_eq!(Password::new(&format!("{long}c"), name).err(), Some(PasswordRefused::TooLong));
    }

    #[test]
    fn a_password_is_not_printed() {
        let password = Password::new("correct horse", "ada").unwrap();
        assert!(!format!("{password:?}").contains("horse"));
    }

    #[test]
    fn nobodys_hash_costs_what_every_hash_costs() {
        let kept = PasswordHash::new(NOBODYS).unwrap();
        assert_eq!(kept.algorithm.as_str(), "argon2id");
        assert_eq!(kept.version, Some(0x13));
        let params = Params::try_from(&kept).unwrap();
        let ours = argon2().unwrap();
        for (one, other) in [
            (params.m_cost(), ours.params().m_cost()),
            (params.t_cost(), ours.params().t_cost()),
            (params.p_cost(), ours.params().p_cost()),
        ] {
            assert_eq!(one, other);
        }
        assert_eq!(kept.hash.unwrap().len(), Params::DEFAULT_OUTPUT_LEN);
        let mut decoded = [0; 64];
        assert_eq!(kept.salt.unwrap().decode_b64(&mut decoded).unwrap().len(), SALT_BYTES);
    }

    #[tokio::test]
    async fn a_hash_opens_with_its_password_however_it_is_typed_and_with_no_other() {
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        let password = Password::new("schön und gut", "ada").unwrap();
        let hash = argon2().unwrap().hash_password(password.0.as_bytes(), &salt).unwrap().to_string();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (text, expected) in [("schön und gut", true), ("scho\u{308}n und gut", true), ("schon und gut", false)] {
            assert_eq!(matches(Some(PasswordKept(hash.clone())), text).await.unwrap(), expected, "{text:?}");
        }
        assert!(!matches(None, "schön und gut").await.unwrap());
        assert!(matches!(
            matches(Some(PasswordKept("plain".to_owned())), "plain").await,
            Err(CommandError::Credential(_))
        ));
    }
}
