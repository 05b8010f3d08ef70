//! The user: a person of an account, with a role. Passwords and tokens are credentials, never events.

mod commands;
mod errors;
mod events;
mod update;

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Customizable, Locale, Permissions, Role};
use crate::{
    AccountId, ChannelId, Circumstances, IDENTITY_NAME_CHARS_MAX, MOBILE_DEVICE_CHARS_MAX, MOBILE_DEVICES_PER_USER_MAX,
    PHONE_CHARS_MAX, READ_ONLY_CHANNELS_PER_USER_MAX, TEAMS_PER_MEMBER_MAX, TeamId, USER_SETTINGS_BYTES_MAX,
    USER_SETTINGS_DEPTH_MAX, UserId, findings::Findings,
};

pub use commands::UserCommand;
pub use errors::UserError;
pub(crate) use events::created_with_details;
pub use events::{Details, UserCreated, UserEvent};
pub use update::{Editor, FailedUpdate, PasswordFacts, UpdateFacts, UpdateRefusal, UserUpdate};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserState {
    pub id: UserId,
    pub account_id: AccountId,
    /// Never changes, and no two users have the same, in whatever account or letter case.
    pub user_name: String,
    pub email: Option<String>,
    /// Empty when nobody said.
    pub first_name: String,
    pub last_name: String,
    pub phone: Option<String>,
    pub locale: Locale,
    pub role: Role,
    /// What was chosen for a `CUSTOM` user; see [`UserState::granted`].
    pub permissions: Option<Permissions>,
    pub team_ids: Vec<TeamId>,
    /// Channels that the user may look at and not change, whatever the role grants.
    pub read_only_channel_ids: Vec<ChannelId>,
    /// Names the secret of the second factor in the vault.
    pub totp: Option<String>,
    pub verified: bool,
    /// The one registered last is last.
    pub mobile_devices: Vec<MobileDevice>,
    /// The client's own, which mean nothing here.
    pub settings: Map<String, Value>,
    pub deleted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MobileDevice {
    pub id: String,
    /// Names the device's token in the vault.
    pub token_ref: String,
}

/// The aggregate. Empty until `Created`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct User(pub Option<UserState>);

/// What two user names must not have in common: letter case, and white space around them, make no difference.
pub fn name_key(user_name: &str) -> String {
    user_name.trim().to_lowercase()
}

impl UserState {
    /// What the user may do: what the role grants, or what was chosen.
    pub fn granted(&self) -> Permissions {
        match self.role {
            Role::Custom => self.permissions.unwrap_or(Permissions::NONE),
            role => role.permissions(),
        }
    }

    /// `details` without what is the same already; `None` when nothing is left.
    fn news(&self, details: Details) -> Option<Details> {
        let Details { email, first_name, last_name, phone, locale } = details;
        let news = Details {
            email: email.filter(|email| self.email.as_ref() != Some(email)),
            first_name: first_name.filter(|name| self.first_name != *name),
            last_name: last_name.filter(|name| self.last_name != *name),
            phone: phone.filter(|phone| self.phone.as_ref() != Some(phone)),
            locale: locale.filter(|locale| self.locale != *locale),
        };
        (news != Details::default()).then_some(news)
    }
}

impl User {
    /// The user, who is there and not deleted.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn existing(&self) -> Result<&UserState, UserError> {
        self.0.as_ref().filter(|user| !user.deleted).ok_or(UserError::NotFound)
    }
}

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Command = UserCommand;
    type Event = UserEvent;
    type Error = UserError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: UserCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), UserError> {
        let events = match command {
            UserCommand::Create(created) => vec![self.create(created)?],
            UserCommand::Update { update, facts } => self.existing()?.update(*update, &facts)?,
            UserCommand::Grant { permissions, team_ids, facts } => {
                self.existing()?.grant(permissions, team_ids, &facts)?
            }
            command => self.existing()?.decide(command)?.into_iter().collect(),
        };
        for event in events {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: UserEvent) {
        match (event, &mut self.0) {
            (UserEvent::Created(created), state) => *state = Some((*created).into()),
            (event, Some(user)) => user.apply(event),
            (_, None) => {}
        }
    }
}

impl User {
    fn create(&self, created: Box<UserCreated>) -> Result<UserEvent, UserError> {
        if self.0.is_some() {
            return Err(UserError::AlreadyExists);
        }
        let mut findings = Findings::default();
        findings.required_text("userName", &created.user_name, IDENTITY_NAME_CHARS_MAX);
        details(&mut findings, created.email.as_deref(), created.phone.as_deref());
        // Whoever has no names is known by the user name.
        findings.text("firstName", &created.first_name, IDENTITY_NAME_CHARS_MAX);
        findings.text("lastName", &created.last_name, IDENTITY_NAME_CHARS_MAX);
        let chosen = created.permissions.is_none() || created.role == Role::Custom;
        findings.check(chosen, "permissions", "onlyForCustom");
        teams(&mut findings, &created.team_ids);
        findings.refuse(UserError::Invalid)?;
        Ok(UserEvent::Created(created))
    }
}

impl UserState {
    /// What a command makes happen to a user who exists; `None` when it is so already.
    fn decide(&self, command: UserCommand) -> Result<Option<UserEvent>, UserError> {
        Ok(match command {
            // These are of the user as a whole: see `handle`.
            UserCommand::Create(_) | UserCommand::Update { .. } | UserCommand::Grant { .. } => None,
            UserCommand::ChangeDetails(change) => {
                let mut findings = Findings::default();
                details(&mut findings, change.email.as_deref(), change.phone.as_deref());
                names(&mut findings, &change);
                findings.refuse(UserError::Invalid)?;
                self.news(change).map(UserEvent::DetailsChanged)
            }
            UserCommand::ChangeSettings { settings } => {
                let mut findings = Findings::default();
                self::settings(&mut findings, &settings);
                findings.refuse(UserError::Invalid)?;
                (self.settings != settings).then_some(UserEvent::SettingsChanged { settings })
            }
            // Chosen from here on, so what was granted stays granted when a role's table changes.
            UserCommand::ChangeRole { role: Role::Custom } if self.role != Role::Custom => {
                Some(UserEvent::PermissionsChosen { permissions: self.granted().common(Customizable::permissions()) })
            }
            UserCommand::ChangeRole { role } => (self.role != role).then_some(UserEvent::RoleChanged { role }),
            UserCommand::ChoosePermissions { permissions } => {
                let chosen = self.role == Role::Custom && self.permissions == Some(permissions);
                (!chosen).then_some(UserEvent::PermissionsChosen { permissions })
            }
            UserCommand::ChangeTeams { team_ids } => {
                let mut findings = Findings::default();
                teams(&mut findings, &team_ids);
                findings.refuse(UserError::Invalid)?;
                (self.team_ids != team_ids).then_some(UserEvent::TeamsChanged { team_ids })
            }
            UserCommand::ChangeReadOnlyChannels { channel_ids } => {
                let mut findings = Findings::default();
                findings.length("readOnlyChannelIds", channel_ids.len(), READ_ONLY_CHANNELS_PER_USER_MAX);
                findings.unique("readOnlyChannelIds", &channel_ids);
                findings.refuse(UserError::Invalid)?;
                let changed = self.read_only_channel_ids != channel_ids;
                changed.then_some(UserEvent::ReadOnlyChannelsChanged { channel_ids })
            }
            UserCommand::ChangePassword => Some(UserEvent::PasswordChanged),
            UserCommand::EnableTotp { secret_ref } => match &self.totp {
                Some(_) => return Err(UserError::TotpEnabled),
                None => Some(UserEvent::TotpEnabled { secret_ref }),
            },
            UserCommand::RemoveTotp if self.totp.is_none() => return Err(UserError::TotpMissing),
            UserCommand::RemoveTotp => Some(UserEvent::TotpRemoved),
            UserCommand::Verify => (!self.verified).then_some(UserEvent::Verified),
            UserCommand::RegisterMobileDevice { device_id, token_ref } => {
                let mut findings = Findings::default();
                mobile_device(&mut findings, &device_id);
                findings.refuse(UserError::Invalid)?;
                Some(UserEvent::MobileDeviceRegistered { device_id, token_ref })
            }
            UserCommand::Mask { by } => Some(UserEvent::Masked { by }),
            UserCommand::Delete => Some(UserEvent::Deleted),
        })
    }

    fn apply(&mut self, event: UserEvent) {
        match event {
            UserEvent::Created(created) => *self = (*created).into(),
            UserEvent::DetailsChanged(Details { email, first_name, last_name, phone, locale }) => {
                self.email = email.or(self.email.take());
                self.phone = phone.or(self.phone.take());
                self.locale = locale.unwrap_or(self.locale);
                if let Some(name) = first_name {
                    self.first_name = name;
                }
                if let Some(name) = last_name {
                    self.last_name = name;
                }
            }
            UserEvent::SettingsChanged { settings } => self.settings = settings,
            UserEvent::RoleChanged { role } => (self.role, self.permissions) = (role, None),
            UserEvent::PermissionsChosen { permissions } => {
                (self.role, self.permissions) = (Role::Custom, Some(permissions));
            }
            UserEvent::TeamsChanged { team_ids } => self.team_ids = team_ids,
            UserEvent::ReadOnlyChannelsChanged { channel_ids } => self.read_only_channel_ids = channel_ids,
            UserEvent::TotpEnabled { secret_ref } => self.totp = Some(secret_ref),
            UserEvent::TotpRemoved => self.totp = None,
            UserEvent::Verified => self.verified = true,
            UserEvent::MobileDeviceRegistered { device_id, token_ref } => {
                self.mobile_devices.retain(|known| known.id != device_id);
                if self.mobile_devices.len() >= MOBILE_DEVICES_PER_USER_MAX {
                    self.mobile_devices.remove(0);
                }
                self.mobile_devices.push(MobileDevice { id: device_id, token_ref });
            }
            UserEvent::Deleted => self.deleted = true,
            UserEvent::PasswordChanged | UserEvent::Masked { .. } => {}
        }
    }
}

impl From<UserCreated> for UserState {
    fn from(created: UserCreated) -> Self {
        Self {
            id: created.id,
            account_id: created.account_id,
            user_name: created.user_name,
            email: created.email,
            first_name: created.first_name,
            last_name: created.last_name,
            phone: created.phone,
            locale: created.locale,
            role: created.role,
            permissions: created.permissions,
            team_ids: created.team_ids,
            read_only_channel_ids: Vec::new(),
            totp: None,
            verified: created.verified,
            mobile_devices: Vec::new(),
            settings: Map::new(),
            deleted: false,
        }
    }
}

fn details(findings: &mut Findings, email: Option<&str>, phone: Option<&str>) {
    if let Some(email) = email {
        findings.email("email", email);
    }
    if let Some(phone) = phone {
        findings.text("phone", phone, PHONE_CHARS_MAX);
    }
}

fn teams(findings: &mut Findings, team_ids: &[TeamId]) {
    findings.length("teams", team_ids.len(), TEAMS_PER_MEMBER_MAX);
    findings.unique("teams", team_ids);
}

fn names(findings: &mut Findings, details: &Details) {
    for (field, name) in [("firstName", &details.first_name), ("lastName", &details.last_name)] {
        if let Some(name) = name {
            findings.required_text(field, name, IDENTITY_NAME_CHARS_MAX);
        }
    }
}

fn mobile_device(findings: &mut Findings, id: &str) {
    findings.required_text("mobileDevice.id", id, MOBILE_DEVICE_CHARS_MAX);
}

/// They are kept in every event and row of the user, so they are small.
fn settings(findings: &mut Findings, settings: &Map<String, Value>) {
    let settings = Value::Object(settings.clone());
    findings.json("settings", &settings, USER_SETTINGS_BYTES_MAX, USER_SETTINGS_DEPTH_MAX);
}
