//! What one person may change of another, or of themselves: everything that speaks against it is told at once, and
//! nothing changes unless all of it may. Source: seed 003, PATCH /users/{userId} and its `InvalidUserUpdate`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Details, MobileDevice, UserCommand, UserError, UserEvent, UserState, details, names, teams};
use crate::{
    ChannelId, READ_ONLY_CHANNELS_PER_USER_MAX, TeamId, UserId,
    findings::Findings,
    identity::{AccountState, Customizable, Feature, Permission, Permissions, Role},
};

/// Who changes users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editor {
    pub id: UserId,
    pub role: Role,
    pub permissions: Permissions,
}

impl Editor {
    /// Whether this user may be deleted. That the permission is there is the route's matter.
    ///
    /// # Errors
    /// `DeletingOneself`, or `OutOfReach` when the user may do more.
    pub fn may_delete(&self, user: &UserState) -> Result<(), UserError> {
        if self.id == user.id {
            return Err(UserError::DeletingOneself);
        }
        if self.outranks(user) { Ok(()) } else { Err(UserError::OutOfReach) }
    }

    fn is_admin(&self) -> bool {
        self.role.sees_all_channels()
    }

    fn may_edit_users(&self) -> bool {
        self.permissions.contains(Permission::EditUsers)
    }

    /// Nobody rules over somebody who may do more.
    fn outranks(&self, user: &UserState) -> bool {
        self.permissions.is_superset(user.granted())
    }

    /// Whether somebody may be given this role: nobody grants more than they hold, so operators alone make operators.
    fn may_grant(&self, role: Role) -> bool {
        self.permissions.is_superset(role.permissions())
    }

    /// Whether an account that has `users` users gets this one. Source: seed 003, POST /users.
    ///
    /// # Errors
    /// `MoreThanHeld` and `CustomPermissionsOff` of the role, `TooManyUsers` of the account.
    pub fn may_create(&self, role: Role, account: &AccountState, users: u64) -> Result<(), UserError> {
        if !self.may_grant(role) {
            return Err(UserError::MoreThanHeld);
        }
        if role == Role::Custom && !account.has(Feature::CustomPermissions) {
            return Err(UserError::CustomPermissionsOff);
        }
        match account.limits.users {
            Some(limit) if users >= u64::from(limit) => Err(UserError::TooManyUsers(limit)),
            _ => Ok(()),
        }
    }
}

/// What is to change; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserUpdate {
    pub details: Details,
    pub settings: Option<Map<String, Value>>,
    pub role: Option<Role>,
    pub read_only_channel_ids: Option<Vec<ChannelId>>,
    pub team_ids: Option<Vec<TeamId>>,
    pub password: Option<PasswordFacts>,
    pub mobile_device: Option<MobileDevice>,
}

/// What is known of a new password. The password itself does not come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordFacts {
    pub meets_criteria: bool,
    /// `None` when it was not told.
    pub old_is_right: Option<bool>,
    pub is_the_old_one: bool,
}

/// What the update rests on besides the user.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateFacts {
    pub editor: Editor,
    pub account: AccountState,
    /// Teams of the update that the account does not have.
    pub unknown_teams: Vec<TeamId>,
    pub unknown_channels: Vec<ChannelId>,
    /// Channels of the update that the editor may not change either.
    pub channels_closed_to_editor: Vec<ChannelId>,
}

/// Why one attribute can not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum UpdateRefusal {
    UpdatingOwnRole,
    UpdatingRoleAsNonAdmin,
    NonAdminMustBePartOfTeam,
    OldPasswordMissing,
    IncorrectPassword,
    PasswordSameAsOldPassword,
    InvalidPassword,
    NoReadOnlyChannelsForAdmins,
    CantUpdateOwnPermissions,
    ChannelDoesNotExist,
    UpdatingUserMissingWriteAccess,
    TeamNotFound,
    InvalidRole,
}

/// One attribute, by its name in the API, and why it can not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedUpdate {
    pub key: &'static str,
    pub reason: UpdateRefusal,
}

impl UserState {
    /// # Errors
    /// `Forbidden` when the editor may not change this user at all, `Invalid` when a value can not be, `Refused` with
    /// everything that may not be.
    pub(super) fn update(&self, update: UserUpdate, facts: &UpdateFacts) -> Result<Vec<UserEvent>, UserError> {
        self.open_to(&facts.editor)?;
        update.validate(self.id == facts.editor.id)?;
        let failed = self.refusals(&update, facts);
        if !failed.is_empty() {
            return Err(UserError::Refused(failed));
        }
        let UserUpdate { details, settings, role, read_only_channel_ids, team_ids, password, mobile_device } = update;
        let becomes_admin = role.is_some_and(Role::sees_all_channels);
        let commands = [
            Some(UserCommand::ChangeDetails(details)),
            settings.map(|settings| UserCommand::ChangeSettings { settings }),
            role.map(|role| UserCommand::ChangeRole { role }),
            team_ids.map(|team_ids| UserCommand::ChangeTeams { team_ids }),
            // Nothing is closed to administrators.
            if becomes_admin { Some(Vec::new()) } else { read_only_channel_ids }
                .map(|channel_ids| UserCommand::ChangeReadOnlyChannels { channel_ids }),
            password.map(|_| UserCommand::ChangePassword),
            mobile_device
                .map(|MobileDevice { id, token_ref }| UserCommand::RegisterMobileDevice { device_id: id, token_ref }),
        ];
        let mut events = Vec::new();
        for command in commands.into_iter().flatten() {
            events.extend(self.decide(command)?);
        }
        Ok(events)
    }

    /// Everybody may change themselves; others take the permission, and nobody changes somebody who may do more.
    fn open_to(&self, editor: &Editor) -> Result<(), UserError> {
        if self.id == editor.id {
            return Ok(());
        }
        if !editor.may_edit_users() {
            return Err(UserError::EditUsersMissing);
        }
        if editor.outranks(self) { Ok(()) } else { Err(UserError::OutOfReach) }
    }

    fn refusals(&self, update: &UserUpdate, facts: &UpdateFacts) -> Vec<FailedUpdate> {
        let mut failed = Vec::new();
        if let Some(role) = update.role.filter(|role| *role != self.role) {
            self.refuse_role(role, facts, &mut failed);
        }
        self.refuse_teams(update, facts, &mut failed);
        if let Some(password) = update.password {
            self.refuse_password(password, &facts.editor, &mut failed);
        }
        let changed = update.read_only_channel_ids.as_ref().filter(|ids| **ids != self.read_only_channel_ids);
        if let Some(channel_ids) = changed {
            let is_admin = update.role.unwrap_or(self.role).sees_all_channels();
            self.refuse_channels(channel_ids, is_admin, facts, &mut failed);
        }
        failed
    }

    fn refuse_role(&self, role: Role, facts: &UpdateFacts, failed: &mut Vec<FailedUpdate>) {
        let mut refuse = |reason| failed.push(FailedUpdate { key: "role", reason });
        if self.id == facts.editor.id {
            refuse(UpdateRefusal::UpdatingOwnRole);
        }
        if !facts.editor.is_admin() {
            refuse(UpdateRefusal::UpdatingRoleAsNonAdmin);
        }
        let custom_is_off = role == Role::Custom && !facts.account.has(Feature::CustomPermissions);
        if custom_is_off || !facts.editor.may_grant(role) {
            refuse(UpdateRefusal::InvalidRole);
        }
    }

    fn refuse_teams(&self, update: &UserUpdate, facts: &UpdateFacts, failed: &mut Vec<FailedUpdate>) {
        let mut refuse = |reason| failed.push(FailedUpdate { key: "teams", reason });
        if !facts.unknown_teams.is_empty() {
            refuse(UpdateRefusal::TeamNotFound);
        }
        let role = update.role.unwrap_or(self.role);
        let team_ids = update.team_ids.as_ref().unwrap_or(&self.team_ids);
        if *team_ids != self.team_ids && self.id == facts.editor.id && !facts.editor.may_edit_users() {
            refuse(UpdateRefusal::CantUpdateOwnPermissions);
        }
        // Whoever has been without a team so far may stay without, until somebody decides about it.
        let decided = *team_ids != self.team_ids || (self.role.sees_all_channels() && !role.sees_all_channels());
        let needed = facts.account.has(Feature::Teams) && !role.sees_all_channels();
        if needed && decided && team_ids.is_empty() {
            refuse(UpdateRefusal::NonAdminMustBePartOfTeam);
        }
    }

    fn refuse_password(&self, password: PasswordFacts, editor: &Editor, failed: &mut Vec<FailedUpdate>) {
        let mut refuse = |key, reason| failed.push(FailedUpdate { key, reason });
        if self.id == editor.id {
            match password.old_is_right {
                None => refuse("oldPassword", UpdateRefusal::OldPasswordMissing),
                Some(false) => refuse("oldPassword", UpdateRefusal::IncorrectPassword),
                // Told to whoever knows the old one alone.
                Some(true) if password.is_the_old_one => {
                    refuse("password", UpdateRefusal::PasswordSameAsOldPassword);
                }
                Some(true) => {}
            }
        }
        if !password.meets_criteria {
            refuse("password", UpdateRefusal::InvalidPassword);
        }
    }

    fn refuse_channels(
        &self,
        channel_ids: &[ChannelId],
        is_admin: bool,
        facts: &UpdateFacts,
        failed: &mut Vec<FailedUpdate>,
    ) {
        let mut refuse = |reason| failed.push(FailedUpdate { key: "readOnlyChannelIds", reason });
        if is_admin && !channel_ids.is_empty() {
            refuse(UpdateRefusal::NoReadOnlyChannelsForAdmins);
        }
        if self.id == facts.editor.id {
            refuse(UpdateRefusal::CantUpdateOwnPermissions);
        }
        if !facts.unknown_channels.is_empty() {
            refuse(UpdateRefusal::ChannelDoesNotExist);
        }
        if !facts.channels_closed_to_editor.is_empty() {
            refuse(UpdateRefusal::UpdatingUserMissingWriteAccess);
        }
    }

    /// Permissions chosen one by one. Source: seed 003, PATCH /users/{userId}/permissions.
    ///
    /// # Errors
    /// As [`UserState::update`]; `Conflict` when the account lacks what a permission is about, or the user would end up
    /// without a team where one is needed.
    pub(super) fn grant(
        &self,
        permissions: Permissions,
        team_ids: Option<Vec<TeamId>>,
        facts: &UpdateFacts,
    ) -> Result<Vec<UserEvent>, UserError> {
        if self.id == facts.editor.id {
            return Err(UserError::OwnPermissions);
        }
        self.open_to(&facts.editor)?;
        let mut findings = Findings::default();
        let customizable = permissions.iter().all(|permission| Customizable::of(permission).is_some());
        findings.check(customizable, "permissions", "notCustomizable");
        if let Some(team_ids) = &team_ids {
            teams(&mut findings, team_ids);
        }
        findings.refuse(UserError::Invalid)?;
        if !facts.unknown_teams.is_empty() {
            return Err(UserError::unknown_team());
        }
        if !facts.editor.permissions.is_superset(permissions) {
            return Err(UserError::MoreThanHeld);
        }
        if !facts.account.has(Feature::CustomPermissions) {
            return Err(UserError::CustomPermissionsOff);
        }
        let unmet = |permission| !Customizable::of(permission).is_some_and(|one| one.is_met_by(&facts.account));
        if let Some(permission) = permissions.iter().find(|permission| unmet(*permission)) {
            return Err(UserError::PermissionUnmet(permission));
        }
        let mut events = Vec::new();
        // Source: seed 003, the same place: whoever was an administrator has to go to a team.
        if self.role.sees_all_channels() && facts.account.has(Feature::Teams) {
            let team_ids = team_ids.as_ref().unwrap_or(&self.team_ids);
            if team_ids.is_empty() {
                return Err(UserError::TeamMissing);
            }
        }
        if let Some(team_ids) = team_ids {
            events.extend(self.decide(UserCommand::ChangeTeams { team_ids })?);
        }
        events.extend(self.decide(UserCommand::ChoosePermissions { permissions })?);
        Ok(events)
    }
}

impl UserUpdate {
    fn validate(&self, of_oneself: bool) -> Result<(), UserError> {
        let mut findings = Findings::default();
        details(&mut findings, self.details.email.as_deref(), self.details.phone.as_deref());
        names(&mut findings, &self.details);
        if let Some(settings) = &self.settings {
            super::settings(&mut findings, settings);
        }
        if let Some(channel_ids) = &self.read_only_channel_ids {
            findings.length("readOnlyChannelIds", channel_ids.len(), READ_ONLY_CHANNELS_PER_USER_MAX);
            findings.unique("readOnlyChannelIds", channel_ids);
        }
        if let Some(team_ids) = &self.team_ids {
            teams(&mut findings, team_ids);
        }
        if let Some(device) = &self.mobile_device {
            super::mobile_device(&mut findings, &device.id);
            findings.check(of_oneself, "mobileDevice", "onlyForOneself");
        }
        findings.refuse(UserError::Invalid)
    }
}
