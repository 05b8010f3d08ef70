//! Logging in: from a name and a password, and a second factor where there is one, to a session. The counting of wrong
//! ones and the sessions themselves are in `sessions`.

use chrono::{DateTime, TimeDelta, Utc};
use palaver_domain::{
    AccountId, UserId,
    identity::{Account, AccountState, Feature, User, UserCommand, UserState},
};
use palaver_eventstore::StreamId;

use super::{Client, NewSession, PasswordCheck, Sessions};
use crate::{CommandContext, CommandError};

/// How long a session lasts that is to be remembered. Source: seed 003, `remember` of /users/totp/login.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// How long an operator may act as somebody else.
const MASKED: TimeDelta = TimeDelta::hours(1);

/// By what somebody logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub client: Client,
    pub id: Option<String>,
}

/// A session that was opened: its token, and for how long it is good.
#[derive(Clone)]
pub struct Opened {
    pub token: String,
    pub lifetime: TimeDelta,
}

/// What comes of an attempt to log in.
pub enum LoggedIn {
    Opened(Opened),
    /// The password is right, and the second factor is asked for.
    SecondFactor {
        tenant: AccountId,
        user: UserId,
    },
    /// The password is right, and the account wants a second factor that the user has not set up.
    SetUp {
        tenant: AccountId,
        user: UserId,
    },
    /// The name or the password, or the user may not log in. Nobody is told which.
    Wrong,
    Locked {
        until: DateTime<Utc>,
    },
    /// The account has come to its end.
    Closed,
}

impl Sessions {
    /// Logs in by name and password.
    ///
    /// # Errors
    /// `Busy` when too many log in at once, or when something can not be read or written.
    pub async fn log_in(&self, user_name: &str, password: &str, device: Device) -> Result<LoggedIn, CommandError> {
        let (tenant, user) = match self.check_password(user_name, password).await? {
            PasswordCheck::Right { tenant, user } => (tenant, user),
            PasswordCheck::Wrong => return Ok(LoggedIn::Wrong),
            PasswordCheck::Locked { until } => return Ok(LoggedIn::Locked { until }),
        };
        let Some(user) = self.able_user(tenant, user).await? else { return Ok(LoggedIn::Wrong) };
        let Some(account) = self.open_account(&user).await? else { return Ok(LoggedIn::Closed) };
        if user.totp.is_some() {
            return Ok(LoggedIn::SecondFactor { tenant, user: user.id });
        }
        if demands_second_factor(&account) {
            return Ok(LoggedIn::SetUp { tenant, user: user.id });
        }
        Ok(LoggedIn::Opened(self.let_in(&user, device, false).await?))
    }

    /// Opens a session for a user who has proved who they are in full, and forgets their earlier failures.
    ///
    /// # Errors
    /// When it can not be written.
    pub async fn let_in(&self, user: &UserState, device: Device, remember: bool) -> Result<Opened, CommandError> {
        let lifetime = device.client.lifetime();
        let lifetime = if remember { lifetime.max(REMEMBERED) } else { lifetime };
        self.logged_in(&user.user_name).await?;
        let new = NewSession {
            tenant: user.account_id,
            user: user.id,
            client: device.client,
            device_id: device.id,
            lifetime,
            masked_by: None,
        };
        Ok(Opened { token: self.open(new).await?, lifetime })
    }

    /// Opens a session in which an operator acts as a user of any account; the user's events tell of it first.
    ///
    /// # Errors
    /// When it can not be written.
    pub async fn mask(
        &self,
        context: &CommandContext,
        user: &UserState,
        operator: UserId,
    ) -> Result<Opened, CommandError> {
        // The operator's event, in the account of the user.
        let context = CommandContext { tenant: user.account_id, key: None, ..context.clone() };
        self.commander().user_command(&context, user.id, UserCommand::Mask { by: operator }).await?;
        let new = NewSession {
            tenant: user.account_id,
            user: user.id,
            client: Client::Default,
            device_id: None,
            lifetime: MASKED,
            masked_by: Some(operator),
        };
        Ok(Opened { token: self.open(new).await?, lifetime: MASKED })
    }

    /// The user, if there is one who may log in at all: not deleted, and known to read the mail of their address.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn able_user(&self, tenant: AccountId, user: UserId) -> Result<Option<UserState>, CommandError> {
        Ok(self.user(user).await?.filter(|user| user.account_id == tenant && may_log_in(user)))
    }

    /// The user with this id, of whatever account. For those alone who may look into all of them.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn user(&self, user: UserId) -> Result<Option<UserState>, CommandError> {
        let loaded = self.commander().log().load::<User>(&StreamId::of::<User>(user)).await?;
        Ok(loaded.aggregate.existing().ok().cloned())
    }

    /// The user's account, unless it has come to its end. Those who run the service are let in all the same.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn open_account(&self, user: &UserState) -> Result<Option<AccountState>, CommandError> {
        let account = self.account(user.account_id).await?;
        Ok(account.filter(|account| user.role.is_operator() || account.is_open_at(self.commander().clock().now())))
    }

    /// The account as it is now.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn account(&self, account: AccountId) -> Result<Option<AccountState>, CommandError> {
        let loaded = self.commander().log().load::<Account>(&StreamId::of::<Account>(account)).await?;
        Ok(loaded.aggregate.0.clone())
    }
}

pub(super) fn may_log_in(user: &UserState) -> bool {
    user.verified && !user.deleted
}

/// That a package offers the feature is no reason to ask everybody for a second factor: somebody has to have switched
/// it on.
fn demands_second_factor(account: &AccountState) -> bool {
    account.switched_features.get(&Feature::Security) == Some(&true)
}
