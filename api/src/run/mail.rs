//! `palaver mail`: what is in the outbox, for operators; and, where no mail server is configured, for whoever the mail
//! was meant for.

use std::io::Write;

use palaver_commands::mail::{Content, ListedMail, MailId, MailState};
use serde_json::{Value, json};

use super::{RunError, database::Tool};
use crate::{
    app::App,
    cli::{MailCommand, MailListArgs},
    settings::Settings,
};

const LISTED_DEFAULT: i64 = 50;

pub(super) async fn run(settings: &Settings, command: &MailCommand, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = act(&app, settings, command, out).await;
    app.close().await;
    tool.close().await?;
    result
}

async fn act(app: &App, settings: &Settings, command: &MailCommand, out: &mut impl Write) -> Result<(), RunError> {
    match command {
        MailCommand::List(args) => list(app, settings, args, out).await,
        MailCommand::Show { id, json } => {
            let (mail, content) = app.outbox.show(parse(id)?).await?;
            if *json {
                writeln!(out, "{}", with_content(&mail, &content)?)?
            } else {
                print_one(&mail, &content, out)?
            }
            Ok(())
        }
        MailCommand::Resend { id } => {
            let id = parse(id)?;
            app.outbox.resend(id).await?;
            writeln!(out, "{id} is queued")?;
            Ok(())
        }
    }
}

fn parse(id: &str) -> Result<MailId, RunError> {
    id.parse().map_err(|error| RunError::Misused(format!("the mail's id: {error}")))
}

async fn list(app: &App, settings: &Settings, args: &MailListArgs, out: &mut impl Write) -> Result<(), RunError> {
    let state = args.state.as_deref().map(|state| {
        state.parse::<MailState>().map_err(|_| {
            let all: Vec<_> = MailState::ALL.iter().map(|state| state.as_str()).collect();
            RunError::Misused(format!("{state} is no state of a mail; states are {}", all.join(", ")))
        })
    });
    let mails = app.outbox.list(state.transpose()?, args.limit.unwrap_or(LISTED_DEFAULT)).await?;
    if args.json {
        for mail in &mails {
            writeln!(out, "{}", as_json(mail))?;
        }
        return Ok(());
    }
    writeln!(
        out,
        "{:<36}  {:<24}  {:<8}  {:<24}  {:<19}  {:>5}  RECIPIENT",
        "ID", "QUEUED", "STATE", "ACCOUNT", "KIND", "CALLS"
    )?;
    for mail in &mails {
        writeln!(
            out,
            "{:<36}  {:<24}  {:<8}  {:<24}  {:<19}  {:>5}  {}",
            mail.id.to_string(),
            mail.created_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            mail.state,
            mail.tenant,
            mail.kind,
            mail.attempts,
            mail.recipient
        )?;
        if let Some(error) = &mail.last_error {
            writeln!(out, "    {error}")?;
        }
    }
    if settings.mail.is_none() && mails.iter().any(|mail| mail.state == MailState::Kept.as_str()) {
        writeln!(
            out,
            "\nMail that is kept was not sent: no mail server was configured (--smtp-url). `palaver mail show <id>` \
             prints what it says."
        )?;
    }
    Ok(())
}

fn as_json(mail: &ListedMail) -> Value {
    json!({
        "id": mail.id,
        "accountId": mail.tenant,
        "kind": mail.kind,
        "recipient": mail.recipient,
        "locale": mail.locale,
        "state": mail.state,
        "attempts": mail.attempts,
        "messageId": mail.message_id,
        "lastError": mail.last_error,
        "createdAt": mail.created_at,
        "dueAt": mail.due_at,
        "changedAt": mail.changed_at,
        "sentAt": mail.sent_at,
    })
}

fn with_content(mail: &ListedMail, content: &Content) -> Result<Value, RunError> {
    let mut line = as_json(mail);
    if let Some(line) = line.as_object_mut() {
        line.insert("content".to_owned(), serde_json::to_value(content)?);
    }
    Ok(line)
}

fn print_one(mail: &ListedMail, content: &Content, out: &mut impl Write) -> Result<(), RunError> {
    writeln!(out, "To:      {}", mail.recipient)?;
    writeln!(out, "Subject: {}", content.subject)?;
    writeln!(out, "State:   {} since {}", mail.state, mail.changed_at.to_rfc3339())?;
    writeln!(out, "\n{}", content.text.trim_end())?;
    Ok(())
}
