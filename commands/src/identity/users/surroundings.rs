//! What a change of a user rests on besides the user: the account, teams, channels, the other administrators. All of it
//! is read by the unit of work, so it still holds when the change is written.

use palaver_domain::{
    ChannelId, READ_ONLY_CHANNELS_PER_USER_MAX, TEAMS_PER_MEMBER_MAX, TeamId, UserId,
    channels::Channel,
    identity::{Account, AccountState, Role, Team, TeamCommand, UpdateFacts, User, UserError, UserState},
};
use palaver_eventstore::Loaded;

use super::{UserEditor, refuse};
use crate::{
    CommandError, Work,
    identity::teams::{self, Members},
};

pub(super) async fn account(work: &mut Work) -> Result<AccountState, CommandError> {
    let loaded = work.get::<Account>(work.tenant()).await?;
    loaded.aggregate.existing().cloned().map_err(|error| CommandError::Refused(error.into()))
}

/// What any change rests on; what it names is looked at in addition.
pub(super) async fn facts_for(work: &mut Work, by: &UserEditor) -> Result<UpdateFacts, CommandError> {
    Ok(UpdateFacts {
        editor: by.editor.clone(),
        account: account(work).await?,
        unknown_teams: Vec::new(),
        unknown_channels: Vec::new(),
        channels_closed_to_editor: Vec::new(),
    })
}

/// Tells teams that the user comes. Returns those that are not there.
pub(super) async fn admit(work: &mut Work, user: UserId, team_ids: &[TeamId]) -> Result<Vec<TeamId>, CommandError> {
    // More than that are refused anyway.
    let teams = team_ids.get(..TEAMS_PER_MEMBER_MAX).unwrap_or(team_ids);
    teams::admit(work, teams, Members { users: vec![user], channels: Vec::new() }).await
}

/// The teams' side of a change: they are told who comes, and whoever goes does not look after them any more.
pub(super) async fn change_teams(
    work: &mut Work,
    user: &UserState,
    team_ids: &[TeamId],
) -> Result<Vec<TeamId>, CommandError> {
    let come: Vec<TeamId> = team_ids.iter().filter(|team| !user.team_ids.contains(team)).copied().collect();
    let unknown = admit(work, user.id, &come).await?;
    for team in user.team_ids.iter().filter(|team| !team_ids.contains(team)) {
        let loaded = work.get::<Team>(team).await?;
        let Ok(state) = loaded.aggregate.existing() else { continue };
        if state.admins.contains(&user.id) {
            let admins = state.admins.iter().filter(|admin| **admin != user.id).copied().collect();
            work.handle::<Team>(team, TeamCommand::ChangeAdmins { admins }).await?;
        }
    }
    Ok(unknown)
}

/// Those that are opened or closed by the change.
pub(super) async fn look_at_channels(
    work: &mut Work,
    by: &UserEditor,
    user: &UserState,
    channel_ids: &[ChannelId],
    facts: &mut UpdateFacts,
) -> Result<(), CommandError> {
    let before = &user.read_only_channel_ids;
    let closed = channel_ids.iter().take(READ_ONLY_CHANNELS_PER_USER_MAX).filter(|id| !before.contains(id));
    let opened = before.iter().filter(|id| !channel_ids.contains(id));
    for (&id, is_named) in closed.map(|id| (id, true)).chain(opened.map(|id| (id, false))) {
        let loaded = match work.get::<Channel>(id).await {
            Ok(loaded) => loaded,
            // Another account's, of which nobody here may learn that it exists.
            Err(CommandError::Refused(_)) => {
                facts.unknown_channels.push(id);
                continue;
            }
            Err(error) => return Err(error),
        };
        match loaded.aggregate.existing() {
            Ok(channel) if by.may_write_on(channel) => {}
            Ok(_) => facts.channels_closed_to_editor.push(id),
            Err(_) if is_named => facts.unknown_channels.push(id),
            // It is gone, and so may be what was said of it.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Somebody else has to run the account when this user does not any more. Who is looked at here is checked again when
/// this is written, so two administrators never remove each other at once.
pub(super) async fn keep_administrator(
    work: &mut Work,
    before: &UserState,
    after: &Loaded<User>,
    administrators: &[UserId],
) -> Result<(), CommandError> {
    let remains = after.aggregate.existing().is_ok_and(|user| user.role == Role::Admin);
    if before.role != Role::Admin || remains {
        return Ok(());
    }
    for &id in administrators.iter().filter(|id| **id != before.id) {
        let loaded = work.get::<User>(id).await?;
        if loaded.aggregate.existing().is_ok_and(|user| user.role == Role::Admin) {
            return Ok(());
        }
    }
    Err(refuse(UserError::LastAdministrator))
}
