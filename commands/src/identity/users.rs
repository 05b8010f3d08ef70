//! Use cases of users: what somebody who runs an account does to those who work in it.

use futures::FutureExt;
use palaver_domain::{
    Failure, FailureKind, Locale, TeamId, UserId,
    identity::{ClaimKind, Permissions, Role, User, UserCommand, UserCreated},
};

use crate::{CommandContext, CommandError, Commander, Outcome, Work};

/// What a new user is to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// White space around it is dropped.
    pub user_name: String,
    pub role: Role,
    /// For the role `CUSTOM` alone.
    pub permissions: Option<Permissions>,
    pub team_ids: Vec<TeamId>,
    pub email: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub phone: Option<String>,
    pub locale: Locale,
    /// Whether it is certain already that whoever logs in owns the mail address.
    pub verified: bool,
}

impl NewUser {
    /// Somebody of whom nothing else is known, and who counts as verified.
    pub fn named(user_name: impl Into<String>, role: Role) -> Self {
        Self {
            user_name: user_name.into(),
            role,
            permissions: None,
            team_ids: Vec::new(),
            email: None,
            first_name: String::new(),
            last_name: String::new(),
            phone: None,
            locale: Locale::default(),
            verified: true,
        }
    }
}

impl Commander {
    /// Adds a user to the context's account. Whether the actor may is not asked.
    ///
    /// # Errors
    /// When something of it is not valid, the name is taken, or it can not be written.
    pub async fn create_user(&self, context: &CommandContext, new: NewUser) -> Result<Outcome<UserId>, CommandError> {
        let id = UserId::from_bytes(self.ids().object_id());
        self.run(context, move |work| {
            let new = new.clone();
            let account_id = context.tenant;
            async move {
                let created = UserCreated {
                    id,
                    account_id,
                    user_name: new.user_name.trim().to_owned(),
                    email: new.email,
                    first_name: new.first_name,
                    last_name: new.last_name,
                    phone: new.phone,
                    locale: new.locale,
                    role: new.role,
                    permissions: new.permissions,
                    team_ids: new.team_ids,
                    verified: new.verified,
                };
                create(work, created).await?;
                Ok(id)
            }
            .boxed()
        })
        .await
    }
}

/// The user and their claim on the name, in one piece.
async fn create(work: &mut Work, created: UserCreated) -> Result<(), CommandError> {
    let (id, user_name) = (created.id, created.user_name.clone());
    work.handle::<User>(id, UserCommand::Create(Box::new(created))).await?;
    work.claim(ClaimKind::UserName, &user_name, id).await.map_err(|error| match error {
        CommandError::Refused(failure) if failure.kind == FailureKind::Conflict => {
            Failure::new(FailureKind::Conflict, "ConflictError", "another user has this userName; choose another")
                .into()
        }
        error => error,
    })
}
