//! Accounts and their users, made through the command layer on the service's own database.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use cqrs_es::Aggregate;
use futures::FutureExt;
use palaver_commands::{
    CommandContext, Commander,
    identity::{NewUser, Password},
};
use palaver_domain::{
    AccountId, ChannelId, Circumstances, Failure, TeamId, UserId,
    identity::{AccountCommand, Permission, Permissions, Role, Team, TeamCommand, User, UserCommand},
};
use palaver_eventstore::{
    Database, EventLog, LogTasks, QUEUE_APPENDS_MAX,
    clock::SystemClock,
    ids::{Ids, SystemIds},
};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;

use crate::{Client, Endpoint, eventually};

/// An account with an administrator, as seen through one service.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: AccountId,
    admin: Client,
    options: PgConnectOptions,
    endpoint: Endpoint,
}

impl Account {
    pub(crate) async fn register(options: PgConnectOptions, endpoint: Endpoint, name: &str) -> Self {
        let door = Door::open(&options).await;
        let id = door.commander.register_account(name.to_owned()).await.unwrap().value;
        let admin = door.add_user(&endpoint, id, &user_name(Role::Admin), Role::Admin, Vec::new()).await;
        door.close().await;
        Self { id, admin, options, endpoint }
    }

    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// A new user with this role and no teams.
    pub async fn as_role(&self, role: Role) -> Client {
        self.user(role, Vec::new()).await
    }

    /// A new user with this role in these teams.
    pub async fn user(&self, role: Role, team_ids: Vec<TeamId>) -> Client {
        let door = Door::open(&self.options).await;
        let user = door.add_user(&self.endpoint, self.id, &user_name(role), role, team_ids).await;
        door.close().await;
        user
    }

    /// A new team.
    pub async fn team(&self, name: &str) -> TeamId {
        let door = Door::open(&self.options).await;
        let id = TeamId::from_bytes(SystemIds.object_id());
        let command = TeamCommand::Create { id, account_id: self.id, name: name.to_owned() };
        door.tell::<Team>(self.id, id, command).await;
        door.close().await;
        id
    }

    /// Lets something happen to the account, whoever may.
    pub async fn tell(&self, command: AccountCommand) {
        let door = Door::open(&self.options).await;
        door.tell::<palaver_domain::identity::Account>(self.id, self.id, command).await;
        door.close().await;
    }

    /// Gives a user a password.
    pub async fn set_password(&self, user: &Client, password: &str) {
        let door = Door::open(&self.options).await;
        let password = Password::new(password, "").unwrap();
        door.commander.set_password(self.id, user.id(), &password).await.unwrap();
        door.close().await;
    }

    /// Whether this is a user's password.
    pub async fn has_password(&self, user: &str, password: &str) -> bool {
        let door = Door::open(&self.options).await;
        let matches = door.commander.password_matches(self.id, user.parse().unwrap(), password).await.unwrap();
        door.close().await;
        matches
    }

    /// Another session of the same user.
    pub async fn session(&self, user: &Client) -> Client {
        let door = Door::open(&self.options).await;
        let token = SystemIds.secret();
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        door.commander.grant_token(self.id, user.id(), &hash, None).await.unwrap();
        door.close().await;
        Client::new(self.endpoint.clone(), Some(token), user.user.clone())
    }

    /// A new user with this role, who logs in by name and password.
    pub async fn person(&self, role: Role, password: &str) -> Person {
        let name = user_name(role);
        let door = Door::open(&self.options).await;
        let client = door.add_user(&self.endpoint, self.id, &name, role, Vec::new()).await;
        let user = client.user.as_deref().unwrap().parse().unwrap();
        let password = Password::new(password, &name).unwrap();
        door.commander.set_password(self.id, user, &password).await.unwrap();
        door.close().await;
        Person { client, name }
    }

    /// Does something that no route is for, or none yet.
    pub async fn act<T>(&self, act: impl AsyncFnOnce(&Commander) -> T) -> T {
        let door = Door::open(&self.options).await;
        let done = act(&door.commander).await;
        door.close().await;
        done
    }

    /// A new user with this role in the teams of these ids.
    pub async fn member(&self, role: Role, teams: &[&str]) -> Client {
        self.user(role, teams.iter().map(|team| team.parse().unwrap()).collect()).await
    }

    /// A new `CUSTOM` user with these permissions, in the teams of these ids.
    pub async fn custom(&self, permissions: &[Permission], teams: &[&str]) -> Client {
        let door = Door::open(&self.options).await;
        let new = NewUser {
            permissions: Some(Permissions::of(permissions)),
            team_ids: teams.iter().map(|team| team.parse().unwrap()).collect(),
            ..NewUser::named(user_name(Role::Custom), Role::Custom)
        };
        let user = door.add(&self.endpoint, self.id, new).await;
        door.close().await;
        user
    }

    /// Lets a user look at these channels only. Returns the position of the change.
    pub async fn read_only(&self, user: &Client, channels: &[&str]) -> i64 {
        let door = Door::open(&self.options).await;
        let id: UserId = user.user.as_deref().unwrap().parse().unwrap();
        let channel_ids: Vec<ChannelId> = channels.iter().map(|channel| channel.parse().unwrap()).collect();
        let context = CommandContext::system(self.id, "setup");
        let changed = door.commander.run(&context, move |work| {
            let command = UserCommand::ChangeReadOnlyChannels { channel_ids: channel_ids.clone() };
            Box::pin(async move { work.handle::<User>(id, command).await.map(drop) })
        });
        let position = changed.await.unwrap().position;
        door.close().await;
        position
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.endpoint.clone(), None, None)
    }
}

/// A user who has a password, and a token that was granted.
#[derive(Clone, Debug)]
pub struct Person {
    pub client: Client,
    pub name: String,
}

impl Person {
    pub fn id(&self) -> &str {
        self.client.user.as_deref().unwrap()
    }
}

/// A name that no other user has, in whatever account.
fn user_name(role: Role) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{}-{}@example.com", role.as_str().to_lowercase(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A way into the database beside the service, for as long as it takes.
struct Door {
    database: Database,
    commander: Commander,
    tasks: LogTasks,
}

impl Door {
    async fn open(options: &PgConnectOptions) -> Self {
        // One for the log's listener, one for what is asked.
        let database = Database::connect(options.clone(), 2).await.unwrap();
        let clock = Arc::new(SystemClock);
        let (log, tasks) = EventLog::open(database.clone(), clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
        let commander = Commander::new(log, clock, Arc::new(SystemIds));
        Self { database, commander, tasks }
    }

    async fn tell<A>(&self, account: AccountId, id: impl std::fmt::Display + Send + Sync, command: A::Command)
    where
        A: Aggregate<Services = Circumstances> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        A::Error: Into<Failure>,
    {
        let context = CommandContext::system(account, "setup");
        let id = id.to_string();
        let told = self.commander.run(&context, move |work| {
            let (id, command) = (id.clone(), command.clone());
            async move { work.handle::<A>(id, command).await.map(drop) }.boxed()
        });
        told.await.unwrap();
    }

    async fn add_user(
        &self,
        endpoint: &Endpoint,
        account: AccountId,
        name: &str,
        role: Role,
        team_ids: Vec<TeamId>,
    ) -> Client {
        self.add(endpoint, account, NewUser { team_ids, ..NewUser::named(name, role) }).await
    }

    /// Returns when the service's workers have heard of the user, so that the token works.
    async fn add(&self, endpoint: &Endpoint, account: AccountId, new: NewUser) -> Client {
        let context = CommandContext::system(account, "setup");
        let user = self.commander.create_user(&context, new).await.unwrap().value;
        let token = SystemIds.secret();
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.commander.grant_token(account, user, &hash, None).await.unwrap();
        eventually("the new user in the read model `users`", || async {
            let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)")
                .bind(user.to_string())
                .fetch_one(self.database.pool())
                .await
                .unwrap();
            known.then_some(())
        })
        .await;
        Client::new(endpoint.clone(), Some(token), Some(user.to_string()))
    }

    async fn close(self) {
        self.tasks.drain().await;
        self.database.close().await;
    }
}
