//! The credentials of the demo's users: passwords and tokens, drawn by chance and not from the seed, which anybody may
//! know. They are told in the demo's file alone; the database keeps their hashes.

use palaver_commands::{
    CommandError, Commander,
    identity::{Password, PasswordKept, PasswordRefused},
};
use palaver_domain::Failure;

use crate::auth::CredentialHash;

/// Characters of a password, each a hex digit.
const PASSWORD_CHARS: usize = 24;

pub(super) struct Credentials {
    pub password: String,
    pub kept: PasswordKept,
    pub token: String,
}

impl Credentials {
    /// As the database knows the token.
    pub fn token_hash(&self) -> CredentialHash {
        CredentialHash::of(&self.token)
    }

    /// Credentials for `users` users. Hashing takes its time by design; whoever has other work does it meanwhile.
    ///
    /// # Errors
    /// When a password can not be hashed.
    pub async fn draw(commander: &Commander, users: usize) -> Result<Vec<Self>, CommandError> {
        let mut drawn = Vec::with_capacity(users);
        for _ in 0..users {
            let (password, token) = (commander.ids().secret(), commander.ids().secret());
            let password: String = password.chars().take(PASSWORD_CHARS).collect();
            let kept = Password::new(&password, "").map_err(|refused: PasswordRefused| Failure::from(refused))?;
            let kept = commander.hash_password(&kept).await?;
            drawn.push(Self { password, kept, token });
        }
        Ok(drawn)
    }
}
