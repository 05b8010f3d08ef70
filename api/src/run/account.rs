//! `palaver account`: the first users of an account, who have nobody to ask over HTTP.

use std::io::Write;

use palaver_commands::{CommandContext, identity::NewUser};
use palaver_domain::{AccountId, UserId, identity::Role};
use serde_json::json;

use super::{RunError, database::Tool};
use crate::{
    app::App,
    auth::CredentialHash,
    cli::{AccountArgs, AccountCommand},
    settings::Settings,
};

pub(super) async fn run(settings: &Settings, args: &AccountArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open_or_make(settings).await?;
    tool.database.migrate().await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = act(&app, args).await;
    app.close().await;
    tool.close().await?;
    writeln!(out, "{}", result?)?;
    Ok(())
}

async fn act(app: &App, args: &AccountArgs) -> Result<serde_json::Value, RunError> {
    let (account, user_name, role, person) = match &args.command {
        AccountCommand::Create { name, user_name, person } => {
            // Before there is an account that nobody could get into.
            if app.commander.sessions().user_named(user_name).await?.is_some() {
                return Err(RunError::Misused(format!("another user is called {user_name}; choose another name")));
            }
            (app.commander.register_account(name.clone()).await?.value, user_name, Role::Admin, person)
        }
        AccountCommand::User { account, user_name, role, person } => {
            let account: AccountId =
                account.parse().map_err(|error| RunError::Misused(format!("the account's id: {error}")))?;
            let role = role.parse().map_err(|_| {
                let all: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
                RunError::Misused(format!("{role} is no role; roles are {}", all.join(", ")))
            })?;
            app.commander.account(account).await?;
            (account, user_name, role, person)
        }
    };
    let new = NewUser {
        email: person.email.clone(),
        first_name: person.first_name.clone().unwrap_or_default(),
        last_name: person.last_name.clone().unwrap_or_default(),
        ..NewUser::named(user_name, role)
    };
    let (user, token) = add_user(app, account, new).await?;
    Ok(json!({ "accountId": account, "userId": user, "userName": user_name, "role": role, "accesstoken": token }))
}

/// Creates a user with a token, which is told here and never again.
async fn add_user(app: &App, account: AccountId, new: NewUser) -> Result<(UserId, String), RunError> {
    let context = CommandContext::system(account, "setup");
    let user = app.commander.create_user(&context, new).await?.value;
    let token = app.ids.secret();
    app.commander.grant_token(account, user, CredentialHash::of(&token).as_bytes(), None).await?;
    Ok((user, token))
}
