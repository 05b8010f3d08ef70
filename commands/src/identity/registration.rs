//! Registering: an account and its first user, by somebody who has neither. That the mail address is theirs is shown by a
//! token in a mail; until then the user can not log in.

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use lettre::Address;
use palaver_domain::{
    AccountId, Failure, FailureKind, FieldErrors, UserId,
    identity::{AccountChanges, Package, Products},
};
use serde::{Deserialize, Serialize};

use super::{AccountAnswer, NewUser, Password, Purpose, accounts, users};
use crate::{
    CommandContext, CommandError, Commander, Outcome,
    mail::{MailError, MailMessage, NewMail, Outbox},
};

/// How long an account may be tried that nobody has bought.
const TRIAL: TimeDelta = TimeDelta::days(30);
/// How long the mail's link is good.
const VERIFICATION_HOURS: u32 = 72;

/// What somebody who registers says.
#[derive(Clone, Debug)]
pub struct Registration {
    pub account_name: String,
    /// Where they heard of Palaver; kept with the account, for those who sell.
    pub custom_tags: Vec<String>,
    /// The content planner alone, rather than everything.
    pub planner_only: bool,
    pub user: NewUser,
    /// Left out, it is chosen when the mail's link is followed.
    pub password: Option<Password>,
}

/// What has come of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registered {
    pub account: AccountAnswer,
    pub user: UserId,
}

impl Registration {
    /// The account on trial.
    fn account(&self, now: DateTime<Utc>) -> AccountChanges {
        let products =
            if self.planner_only { Products { inbox: false, ml: false, ..Products::ALL } } else { Products::ALL };
        let mut changes = AccountChanges {
            name: Some(self.account_name.clone()),
            locale: Some(self.user.locale),
            ..AccountChanges::default()
        };
        changes.sales.package = Some(Package::Trial);
        changes.sales.products = Some(products);
        changes.sales.expiration_time = Some(Some(now + TRIAL));
        changes.sales.custom_tags = Some(self.custom_tags.clone());
        changes
    }
}

fn mailing(error: MailError) -> CommandError {
    match error {
        MailError::Database(error) => error.into(),
        error => CommandError::Unwritable(Box::new(error)),
    }
}

fn wrong(field: &str, code: &str) -> CommandError {
    let errors = FieldErrors::from([(field.to_owned(), vec![code.to_owned()])]);
    let message = "the registration is not valid; errors names each field and what is wrong with it";
    Failure::new(FailureKind::Invalid, "ValidationError", message).with_fields(errors).into()
}

impl Commander {
    /// Registers an account on trial and its administrator, and mails the link that `link` makes of a token. Tells the
    /// link, for whoever serves without mail.
    ///
    /// The account is written first, and password, token and mail then together. Should that fail, nobody can log in, and
    /// the name stays taken; whoever forgot their password gets a mail all the same.
    ///
    /// # Errors
    /// When something of it is not valid, the user's name is taken, or it can not be written.
    pub async fn register(
        &self,
        registration: Registration,
        request_id: Option<String>,
        outbox: &Outbox,
        link: impl Fn(&str) -> String + Send,
    ) -> Result<(Outcome<Registered>, String), CommandError> {
        let recipient = registration.user.email.clone().unwrap_or_default();
        recipient.parse::<Address>().map_err(|_| wrong("email", "invalidEmail"))?;
        let kept = match &registration.password {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let id = AccountId::from_bytes(self.ids().object_id());
        let user = UserId::from_bytes(self.ids().object_id());
        let context = CommandContext { request_id, ..CommandContext::system(id, "registration") };
        let (account, new) = (registration.account(self.clock().now()), registration.user.clone());
        let created = new.created(user, &context);
        let outcome = self
            .run(&context, move |work| {
                let (account, created) = (account.clone(), created.clone());
                async move {
                    let account = accounts::register(work, id, account).await?;
                    users::create(work, created).await.map_err(name_taken)?;
                    Ok(Registered { account, user })
                }
                .boxed()
            })
            .await?;
        let mut transaction = self.log().database().pool().begin().await?;
        if let Some(kept) = &kept {
            self.keep_password(&mut *transaction, id, user, kept).await?;
        }
        let lifetime = TimeDelta::hours(VERIFICATION_HOURS.into());
        let tokens = self.one_time_tokens();
        let token = tokens.issue_in(&mut transaction, id, user, Purpose::VerifyAccount, lifetime).await?;
        let link = link(&token);
        let message = MailMessage::AccountVerification {
            user_name: registration.user.user_name.trim().to_owned(),
            account_name: registration.account_name,
            link: link.clone(),
            valid_for_hours: VERIFICATION_HOURS,
        };
        let locale = registration.user.locale;
        let mail = NewMail { tenant: id, recipient, locale, message };
        outbox.queue(&mut *transaction, mail).await.map_err(mailing)?;
        transaction.commit().await?;
        Ok((outcome, link))
    }
}

/// Somebody who registers has no account in which there could be a conflict: the name is wrong.
fn name_taken(error: CommandError) -> CommandError {
    match error {
        CommandError::Refused(failure) if failure.kind == FailureKind::Conflict => wrong("userName", "taken"),
        error => error,
    }
}
