//! The command line: what can be said, with its help. What is then done lives in [`crate::run`].

mod fork;
mod past;
mod projections;
mod replay;
mod streams;
mod transfer;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::FalseyValueParser};
use palaver_commands::mail::LISTED_MAX;

pub use self::{
    fork::ForkArgs,
    past::{BisectArgs, EventsArgs, HistoryArgs},
    projections::{ProjectionsArgs, QuarantineArgs, QuarantineCommand, QuarantinedStream, RebuildArgs},
    replay::ReplayArgs,
    streams::StreamsArgs,
    transfer::{ExportArgs, ExportFormat, ImportArgs},
};
use crate::settings::Given;

const EXAMPLES: &str = "\
Examples:
  palaver up --demo                         everything in one process, with something to look at
  palaver serve --database-url postgres://palaver@db/palaver
                                            the HTTP half, beside `palaver work` on other machines
  palaver history post 65f1c0ffee5eed0000000001
                                            how a post came to be what it is
  palaver explain ConflictError             what an error code means, and what to do

`-h` shows the settings that most need, `--help` all of them.";

/// Plans and publishes posts, from one append-only log of events.
#[derive(Debug, Parser)]
#[command(name = "palaver", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub given: Given,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process, with a private PostgreSQL unless one is named
    ///
    /// Migrates the database, serves HTTP, and runs all workers. When it is ready it prints one line of JSON,
    /// {"ready":true,"url":...}, on stdout. SIGINT or SIGTERM stops it in good order; a second one at once.
    #[command(after_help = "Examples:\n  palaver up\n  palaver up --demo --data /tmp/palaver --listen 127.0.0.1:0")]
    Up(UpArgs),
    /// Serve HTTP only, on a shared PostgreSQL
    ///
    /// Needs --database-url, and a migrated database. Run `palaver work` beside it: without workers nothing that is
    /// written is ever read.
    Serve,
    /// Run the workers only: projections, scheduler, publisher
    ///
    /// Needs --database-url, and a migrated database. Any number of these share the work; when one dies, the others
    /// go on with its part within seconds.
    Work,
    /// Bring the database's schema up to date
    ///
    /// Only ever adds, so the version before keeps running meanwhile. Does nothing when there is nothing to do.
    Migrate,
    /// Print every event of one thing: when, who, where in the log, and what changed
    #[command(after_help = "Examples:\n  palaver history post 65f1c0ffee5eed0000000001\n  \
        palaver history channel 65f1c0ffee5eed0000000002 --json | jq .eventType\n  \
        palaver history post 65f1c0ffee5eed0000000001 --at 2031-05-01T10:00:00Z\n  \
        palaver history post 65f1c0ffee5eed0000000001 --diff --from 2031-05-01T10:00:00Z")]
    History(HistoryArgs),
    /// Fill a read model anew from the log, beside the one in use, and swap them when it has caught up
    #[command(after_help = "Example:\n  palaver rebuild posts")]
    Rebuild(RebuildArgs),
    /// Show how far each projection has come, how fast it moves, and how a rebuild goes
    #[command(after_help = "Examples:\n  palaver projections\n  palaver projections --watch")]
    Projections(ProjectionsArgs),
    /// Register an account with a first administrator, or add a user to one; prints the access token once
    #[command(after_help = "Examples:\n  palaver account create --name Acme --user ada@example.com\n  \
        palaver account user 65f1c0ffee5eed0000000001 --user bob@example.com --role EDITOR")]
    Account(AccountArgs),
    /// Say what became of a publication that the network can not tell about
    ///
    /// For a post that is `publishing` and needs attention: look at the network, then say what you saw.
    #[command(
        after_help = "Examples:\n  palaver resolve 65f1c0ffee5eed0000000001 published --url https://example.com/1\n  \
        palaver resolve 65f1c0ffee5eed0000000001 failed"
    )]
    Resolve(ResolveArgs),
    /// Show the mail that was sent, waits, failed or is kept; read one; send one again
    ///
    /// Without a mail server (--smtp-url), mail is kept here and not sent. A mail is `unknown` when the server may have
    /// taken it: ask the recipient, or look at the server's log, and send it again if it did not arrive.
    #[command(after_help = "Examples:\n  palaver mail\n  palaver mail list --state unknown\n  \
        palaver mail show 0b54a9f6-9d3c-4b6e-8f60-3f2d1c9a7e55\n  \
        palaver mail resend 0b54a9f6-9d3c-4b6e-8f60-3f2d1c9a7e55")]
    Mail(MailArgs),
    /// Say what an error code means, where it comes from and what to do
    #[command(after_help = "Example:\n  palaver explain ConflictError")]
    Explain(ExplainArgs),
    /// Make a read model of the log once more, apart from the one in use, and show what differs
    ///
    /// Nothing in use is touched; it may go on meanwhile. What is compared is what both sides know completely: with
    /// --from, rows of what began at or after that position; with --until, rows of what has not changed since. Rows of
    /// what can not be read, or is in quarantine, are left out too, and counters as soon as anything is left out. How
    /// much was left out is told. Ends with 0 when all that was compared is the same, and with 3 when not.
    #[command(after_help = "Examples:\n  palaver replay posts\n  \
        palaver replay posts --from 120000 --limit-differences 5 --json")]
    Replay(ReplayArgs),
    /// Make a data directory that holds the log up to a position, to look at what users saw then
    ///
    /// --data names the new directory, which must be missing or empty. Events keep positions, ids and times, and the read
    /// models are built; `palaver up --data DIR` serves it. A fork is a place to look: it takes no changes, publishes
    /// nothing and sends no mail. Only the log is taken: no passwords, tokens, secrets or mail. Whoever is to look gets
    /// a new access token, valid for the fork alone, which is printed once.
    #[command(after_help = "Examples:\n  palaver fork --until 120000 --data /tmp/then\n  \
        palaver fork --until 120000 --source /srv/palaver --data /tmp/then --as ada@example.com")]
    Fork(ForkArgs),
    /// Print events of the whole log, those that match, and follow it
    #[command(after_help = "Examples:\n  palaver events --type post --since 2031-05-01T00:00:00Z\n  \
        palaver events --follow --event PostPublished --json | jq .aggregateId")]
    Events(EventsArgs),
    /// Find the event that first made something true of a thing
    ///
    /// Looks at the state after every event, so it finds the first one also of what was not true for ever after. Ends
    /// with 1 when it never was.
    #[command(after_help = "Examples:\n  \
        palaver bisect post 65f1c0ffee5eed0000000001 --jsonpath '$.status' --equals scheduled\n  \
        palaver bisect user 65f1c0ffee5eed0000000002 --jsonpath '$.teamIds[*]' --equals 65f1c0ffee5eed0000000003")]
    Bisect(BisectArgs),
    /// Show what projections could not follow; try it again, or leave it out
    ///
    /// An event that a projection can not apply stops its own stream in that projection and nothing else: later events of
    /// the stream wait until somebody retries, when the fault is mended, or skips the event.
    #[command(after_help = "Examples:\n  palaver quarantine list\n  \
        palaver quarantine show posts post 65f1c0ffee5eed0000000001\n  \
        palaver quarantine retry posts post 65f1c0ffee5eed0000000001")]
    Quarantine(QuarantineArgs),
    /// Write the log, or some of it, to a file
    ///
    /// The log is all that is exported. What is kept beside it is not: passwords, tokens, keys, second factors, secrets in
    /// the vault, mail, and what sandbox channels have accepted. Events hold personal data, so the file is readable by its
    /// owner alone.
    #[command(after_help = "Examples:\n  palaver export --output log.ndjson\n  \
        palaver export --format parquet --output posts.parquet --aggregate-type post --from 1000\n  \
        palaver export --output - | gzip > log.ndjson.gz")]
    Export(ExportArgs),
    /// Fill an empty log with what was exported as NDJSON, keeping positions, ids and times
    ///
    /// All of it or, when anything is wrong with it, nothing. Only a whole log can be imported, from its first event on and
    /// without filters. Read models are built by the service when it runs next. What is not in the log does not come with
    /// it: nobody has a password or a token until they get new ones (`palaver account user` makes the first). The service
    /// will publish posts that are scheduled, so do not run two on one log's worth of posts.
    #[command(after_help = "Examples:\n  palaver import log.ndjson --data /var/lib/palaver-copy\n  \
        gunzip -c log.ndjson.gz | palaver import -")]
    Import(ImportArgs),
    /// Show where events are relayed to, how far, and how far their consumers are
    ///
    /// Asks the database and NATS: --nats-url, or the private nats-server of a service that runs on --data. Ends with 0
    /// also when NATS can not be reached, and says so.
    #[command(after_help = "Examples:\n  palaver streams\n  palaver streams --json | jq .lagEvents")]
    Streams(StreamsArgs),
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct UpArgs {
    /// Fill an empty log with an account, users, channels and some months of posts, and write <data>/demo.json
    #[arg(long, env = "PALAVER_DEMO", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub demo: bool,
    /// The same seed makes the same demo
    #[arg(long, env = "PALAVER_DEMO_SEED", hide_env_values = true, value_name = "NUMBER", default_value_t = 1)]
    pub demo_seed: u64,
    /// How many times the usual number of posts
    #[arg(long, env = "PALAVER_DEMO_SCALE", hide_env_values = true, value_name = "FACTOR", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub demo_scale: u32,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct AccountArgs {
    #[command(subcommand)]
    pub command: AccountCommand,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum AccountCommand {
    /// Register an account, with a first user who is its administrator
    Create {
        /// What the account is called
        #[arg(long)]
        name: String,
        /// What the administrator is called, such as a mail address
        #[arg(long = "user", value_name = "NAME")]
        user_name: String,
        #[command(flatten)]
        person: PersonArgs,
    },
    /// Add a user to an account
    User {
        /// The account's id
        account: String,
        /// What the user is called, such as a mail address
        #[arg(long = "user", value_name = "NAME")]
        user_name: String,
        /// Such as ADMIN, SMM, CM, EDITOR, OBSERVER, or SUPERADMIN for whoever runs the service
        #[arg(long)]
        role: String,
        #[command(flatten)]
        person: PersonArgs,
    },
}

/// Who a user is, besides their name for logging in.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonArgs {
    /// Where mail reaches the user; when left out, it goes to the user's name, if that is a mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// Such as Ada
    #[arg(long, value_name = "NAME")]
    pub first_name: Option<String>,
    /// Such as Example
    #[arg(long, value_name = "NAME")]
    pub last_name: Option<String>,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ResolveArgs {
    /// The post's id
    pub post: String,
    /// What you saw on the network
    #[arg(value_enum)]
    pub outcome: ResolvedOutcome,
    /// Where the post can be seen, when it was published
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ResolvedOutcome {
    Published,
    Failed,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct MailArgs {
    #[command(subcommand)]
    command: Option<MailCommand>,
    #[command(flatten)]
    list: MailListArgs,
}

impl MailArgs {
    /// # Errors
    /// When what shapes a list stands before the name of a command, where it would be lost.
    pub fn command(self) -> Result<MailCommand, &'static str> {
        match self.command {
            None => Ok(MailCommand::List(self.list)),
            Some(command) if self.list == MailListArgs::default() => Ok(command),
            Some(_) => Err("--state, --limit and --json stand behind `list`, not before"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum MailCommand {
    /// Show the newest mails of every account, without what they say (the default)
    List(MailListArgs),
    /// Print one mail with its links; whoever reads them can use them
    Show {
        /// The mail's id
        id: String,
        /// As one JSON object with both parts, for programs
        #[arg(long)]
        json: bool,
    },
    /// Send a mail once more, whatever became of it
    Resend {
        /// The mail's id
        id: String,
    },
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct MailListArgs {
    /// queued, sending, sent, failed, unknown or kept
    #[arg(long)]
    pub state: Option<String>,
    /// How many at most. Default: 50
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(1..=LISTED_MAX))]
    pub limit: Option<i64>,
    /// One JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ExplainArgs {
    /// The `code` of an error answer
    pub code: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_may_stand_before_or_behind_the_command() {
        for line in ["palaver --data /d up --demo", "palaver up --demo --data /d"] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.given.data.as_deref(), Some("/d".as_ref()), "{line}");
            assert!(matches!(cli.command, Command::Up(UpArgs { demo: true, demo_seed: 1, demo_scale: 1 })), "{line}");
        }
    }

    #[test]
    fn projections_are_shown_once_or_watched() {
        let watched = |line| {
            let Command::Projections(args) = parse(line).unwrap().command else { panic!() };
            args.watch().map(|every| every.as_secs())
        };
        assert_eq!(watched("palaver projections --json"), None);
        assert_eq!(watched("palaver projections --watch"), Some(2));
        assert_eq!(watched("palaver projections --watch 10 --json"), Some(10));
        assert!(parse("palaver projections --watch 0").is_err());
        let Command::Quarantine(args) = parse("palaver quarantine retry posts post x").unwrap().command else {
            panic!()
        };
        assert!(matches!(args.command, QuarantineCommand::Retry(stream) if stream.aggregate_id == "x"));
        assert!(parse("palaver quarantine").is_err() && parse("palaver quarantine list --limit 501").is_err());
        assert!(parse("palaver up --demo-scale 0").is_err());
    }

    #[test]
    fn an_export_names_its_file_and_positions_begin_at_one() {
        let Command::Export(args) = parse("palaver export --output - --until 9").unwrap().command else { panic!() };
        assert_eq!((args.format, args.from, args.until), (ExportFormat::Ndjson, 1, Some(9)));
        for line in ["palaver export", "palaver export --output x --from 0", "palaver export --output x --format csv"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn mail_lists_unless_told_otherwise() {
        let command = |line| {
            let Command::Mail(args) = parse(line).unwrap().command else { panic!() };
            args.command()
        };
        assert_eq!(command("palaver mail"), Ok(MailCommand::List(MailListArgs::default())));
        let some = MailListArgs { state: Some("kept".to_owned()), limit: Some(2), json: true };
        assert_eq!(command("palaver mail --state kept --limit 2 --json"), Ok(MailCommand::List(some.clone())));
        assert_eq!(command("palaver mail list --json --limit 2 --state kept --data /d"), Ok(MailCommand::List(some)));
        let resend = MailCommand::Resend { id: "x".to_owned() };
        assert_eq!(command("palaver mail --data /d resend x --log info"), Ok(resend));
        assert!(command("palaver mail --state kept resend x").is_err());
        assert!(parse("palaver mail --limit 0").is_err() && parse("palaver mail --limit 1001").is_err());
    }

    #[test]
    fn help_names_every_setting_with_its_variable_and_default() {
        let mut command = Cli::command();
        command.build();
        let up = command.find_subcommand("up").unwrap();
        for arg in up.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
            let name = arg.get_id().as_str();
            let variable = format!("PALAVER_{}", name.to_uppercase());
            assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(variable.as_str()), "{name}");
            let help = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
            assert!(name.starts_with("demo") || help.contains("Default: "), "{name}: {help}");
        }
    }
}
