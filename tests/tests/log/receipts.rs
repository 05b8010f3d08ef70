//! A command is carried out once, however often and by how many it is sent.

use std::sync::Arc;

use futures::future::join_all;
use palaver_commands::{CommandContext, CommandError, CommandKey, Commander};
use palaver_eventstore::{AppendError, Receipt, clock::SystemClock, ids::SystemIds};
use palaver_tests::fresh_database;

use super::{TENANT, append, new_channel, nothing, open};

const TIMES: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_command_id_is_appended_once_by_however_many_processes() {
    let database = fresh_database().await;
    let (one, _one_tasks) = open(&database).await;
    let (other, _other_tasks) = open(&database).await;
    let sent = (0..TIMES).map(|number| {
        let mut append = append(&number.to_string(), 0, &nothing());
        append.receipt = Some(Receipt {
            command_id: "the-command".to_owned(),
            fingerprint: "f".to_owned(),
            outcome: number.to_string(),
        });
        let log = [&one, &other][number % 2].clone();
        tokio::spawn(async move { log.append(append).await })
    });
    let answers = join_all(sent).await;
    let mut written = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        match answer.unwrap() {
            Ok(_) => written.push(number),
            Err(AppendError::Duplicate) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(written.len(), 1);
    let receipt = one.receipt(TENANT, "the-command").await.unwrap().unwrap();
    assert_eq!((receipt.outcome, receipt.position), (written[0].into(), 1));
    assert_eq!(one.head().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_repeat_of_a_command_gets_the_first_answer() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let commander = Commander::new(log.clone(), Arc::new(SystemClock), Arc::new(SystemIds));
    let mut context = CommandContext::system(TENANT, "test");
    context.key = Some(CommandKey { key: "k".to_owned(), fingerprint: "f".to_owned() });
    let sent = (0..TIMES).map(|_| {
        let (commander, context) = (commander.clone(), context.clone());
        tokio::spawn(async move { commander.connect_channel(&context, new_channel("One")).await.unwrap() })
    });
    let answers: Vec<_> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.value.channel == answers[0].value.channel));
    assert!(answers.iter().all(|answer| answer.position == 1));
    assert_eq!(log.head().await.unwrap(), 1);

    context.key = Some(CommandKey { key: "k".to_owned(), fingerprint: "other".to_owned() });
    let reused = commander.connect_channel(&context, new_channel("Two")).await;
    assert!(matches!(reused, Err(CommandError::KeyReused)), "{reused:?}");
    // Another tenant's key is another key.
    context.tenant = palaver_domain::AccountId::from_bytes([2; 12]);
    assert!(!commander.connect_channel(&context, new_channel("Two")).await.unwrap().replayed);
}
