//! The opening of the demo's account: its registration, its people and their teams, its channels, each at its time.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use palaver_commands::{
    CommandContext, CommandError, Commander,
    channels::NewChannel,
    identity::TeamPatch,
    posts::Planner,
    publishing::{Behaviour, SandboxNetwork},
};
use palaver_domain::{
    AccountId, Actor, AppId, ChannelId, KeyId, TeamId, UserId,
    identity::{Account, AccountCommand, App, AppCommand, AppState, Role},
};
use palaver_eventstore::{
    EventLog,
    clock::ManualClock,
    ids::{Ids, SeededIds},
};

use super::{
    DemoError,
    cast::{ACCOUNT, APP, FORGETFUL, MEMBERS, Member, OUTLETS},
    crews::{CREWS, Crew},
    plan::{Purpose, mixed},
};

/// Who and what there is, in the order of the cast.
pub(super) struct Opened {
    pub account: AccountId,
    pub users: Vec<UserId>,
    pub teams: Vec<TeamId>,
    pub channels: Vec<ChannelId>,
    pub app: OpenedApp,
}

/// The application, and what it is known by; not what these say.
#[derive(Clone, Copy)]
pub(super) struct OpenedApp {
    pub id: AppId,
    pub key: KeyId,
    pub secret: KeyId,
}

impl Opened {
    /// A member's user; one that is not there can do nothing.
    pub fn user(&self, member: usize) -> UserId {
        self.users.get(member).copied().unwrap_or_default()
    }

    pub fn channel(&self, outlet: usize) -> ChannelId {
        self.channels.get(outlet).copied().unwrap_or_default()
    }
}

fn ids(seed: u64) -> SeededIds {
    SeededIds::new(mixed(seed, Purpose::Opening as u64, 0))
}

/// The id of the account that this seed makes.
pub(super) fn account_id(seed: u64) -> AccountId {
    AccountId::from_bytes(ids(seed).object_id())
}

/// Registers the application with a key and a secret. Its ids are those of the seed; the key and the secret are drawn
/// later, by chance.
async fn register(commander: &Commander, context: &CommandContext) -> Result<OpenedApp, CommandError> {
    let (id, account_id) = (AppId::from_uuid(commander.ids().uuid()), context.tenant);
    let (key, secret) = (KeyId::from_uuid(commander.ids().uuid()), KeyId::from_uuid(commander.ids().uuid()));
    let registered = commander.run(context, move |work| {
        let (label, prefix) = ("demo".to_owned(), AppState::key_prefix(key));
        let issue = AppCommand::IssueKey { key_id: key, label, prefix, expires_at: None };
        async move {
            work.handle::<App>(id, AppCommand::Register { id, account_id, name: APP.to_owned() }).await?;
            work.handle::<App>(id, issue).await?;
            work.handle::<App>(id, AppCommand::RotateSecret { secret_id: secret }).await.map(drop)
        }
        .boxed()
    });
    registered.await?;
    Ok(OpenedApp { id, key, secret })
}

/// Opens the account at `time`; it takes its people less than two days.
///
/// # Errors
/// When something can not be written.
pub(super) async fn open(
    log: &EventLog,
    recorded: &ManualClock,
    seed: u64,
    time: DateTime<Utc>,
) -> Result<Opened, DemoError> {
    let ids = Arc::new(ids(seed));
    let account = AccountId::from_bytes(ids.object_id());
    let commander = Commander::new(log.clone(), Arc::new(recorded.clone()), ids);
    let demo = CommandContext::system(account, "demo");
    recorded.set(time);
    let name = ACCOUNT.to_owned();
    let registered = commander.run(&demo, move |work| {
        let command = AccountCommand::Register { id: account, name: name.clone() };
        async move { work.handle::<Account>(account, command).await.map(drop) }.boxed()
    });
    registered.await?;

    let mut users: Vec<UserId> = Vec::new();
    for (number, member) in (1..).zip(&MEMBERS) {
        recorded.set(time + TimeDelta::minutes(17) * number);
        // The first one is made with the account and makes the others.
        let actor = users.first().map_or_else(|| demo.actor.clone(), |&admin| Actor::User(admin));
        let context = CommandContext { actor, ..demo.clone() };
        users.push(commander.create_user(&context, member.new_user()).await?.value);
    }

    let admin = users.first().copied().unwrap_or_default();
    let by_admin = CommandContext { actor: Actor::User(admin), ..demo.clone() };
    let mut teams = Vec::new();
    for (number, crew) in (1..).zip(&CREWS) {
        recorded.set(time + TimeDelta::hours(12) + TimeDelta::minutes(11) * number);
        teams.push(gather(&commander, &by_admin, admin, crew, &users).await?);
    }

    let mut channels = Vec::new();
    for (number, outlet) in (1..).zip(&OUTLETS) {
        recorded.set(time + TimeDelta::days(1) + TimeDelta::minutes(9) * number);
        let new = NewChannel {
            network: outlet.network,
            connection: outlet.connection(),
            name: outlet.name.to_owned(),
            unique_name: Some(outlet.unique_name.to_owned()),
            image_url: None,
            team_ids: CREWS.iter().zip(&teams).filter(|(crew, _)| crew.shows(outlet)).map(|(_, id)| *id).collect(),
        };
        channels.push(commander.connect_channel(&by_admin, new).await?.value.channel.id);
    }
    recorded.set(time + TimeDelta::hours(28));
    let app = register(&commander, &by_admin).await?;
    let opened = Opened { account, users, teams, channels, app };
    let sandbox = SandboxNetwork::new(log.database().clone(), Arc::new(recorded.clone()));
    sandbox.behave(account, opened.channel(FORGETFUL), Behaviour::Forgetful, 0).await.map_err(CommandError::from)?;
    Ok(opened)
}

/// A team with its members, and the one of them who looks after it.
async fn gather(
    commander: &Commander,
    context: &CommandContext,
    admin: UserId,
    crew: &Crew,
    users: &[UserId],
) -> Result<TeamId, CommandError> {
    let by = Planner { user: admin, role: Role::Admin, permissions: Role::Admin.permissions() };
    let of = |wanted: &dyn Fn(&Member) -> bool| -> Vec<UserId> {
        MEMBERS.iter().zip(users).filter(|(member, _)| wanted(member)).map(|(_, id)| *id).collect()
    };
    let id = commander.create_team(context, &by, crew.name.to_owned()).await?.value.team.id;
    commander.add_users_to_team(context, &by, id, of(&|member| crew.has(member))).await?;
    let admins = Some(of(&|member| member.user_name == crew.admin));
    commander.change_team(context, &by, id, TeamPatch { admins, ..TeamPatch::default() }).await?;
    Ok(id)
}
