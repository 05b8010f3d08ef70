//! The credentials of the demo's users: passwords and tokens, drawn by chance and not from the seed, which anybody may
//! know. They are told in the demo's file alone; the database keeps their hashes.

use argon2::{
    Argon2,
    password_hash::{self, PasswordHasher, SaltString},
};
use palaver_eventstore::ids::Ids;

use crate::auth::CredentialHash;

/// Characters of a password, each a hex digit.
const PASSWORD_CHARS: usize = 24;

pub(super) struct Credentials {
    pub password: String,
    /// Argon2id, in PHC format.
    pub password_hash: String,
    pub token: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("a password can not be hashed: {0}")]
    Hash(password_hash::Error),
    #[error("hashing passwords was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl Credentials {
    /// As the database knows the token.
    pub fn token_hash(&self) -> CredentialHash {
        CredentialHash::of(&self.token)
    }

    /// Credentials for `users` users. Hashing takes its time by design, so it is done aside.
    ///
    /// # Errors
    /// When a password can not be hashed.
    pub async fn draw(ids: &dyn Ids, users: usize) -> Result<Vec<Self>, CredentialsError> {
        let mut drawn = Vec::with_capacity(users);
        for _ in 0..users {
            let (password, token, mut salt) = (ids.secret(), ids.secret(), [0; 16]);
            ids.fill(&mut salt);
            let password: String = password.chars().take(PASSWORD_CHARS).collect();
            drawn.push(tokio::task::spawn_blocking(move || {
                let password_hash = hash(&password, &salt)?;
                Ok(Self { password, password_hash, token })
            }));
        }
        let mut credentials = Vec::with_capacity(users);
        for one in drawn {
            credentials.push(one.await?.map_err(CredentialsError::Hash)?);
        }
        Ok(credentials)
    }
}

fn hash(password: &str, salt: &[u8]) -> Result<String, password_hash::Error> {
    let salt = SaltString::encode_b64(salt)?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHash, PasswordVerifier};
    use palaver_eventstore::ids::SystemIds;

    use super::*;

    #[tokio::test]
    async fn a_hash_is_argon2id_and_opens_with_its_password_alone() {
        let credentials = Credentials::draw(&SystemIds, 2).await.unwrap();
        let [first, second] = credentials.as_slice() else { panic!() };
        let hash = PasswordHash::new(&first.password_hash).unwrap();
        assert_eq!(hash.algorithm.as_str(), "argon2id");
        assert!(Argon2::default().verify_password(first.password.as_bytes(), &hash).is_ok());
        assert!(Argon2::default().verify_password(second.password.as_bytes(), &hash).is_err());
        assert_ne!(first.token, second.token);
    }
}
