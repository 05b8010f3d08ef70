//! A mail server that can be told to misbehave, and shows what it was given.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// How the server meets its next connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SmtpBehaviour {
    #[default]
    Take,
    /// Hangs up before it says a word.
    HangUpAtOnce,
    /// Answers the sender's name with this.
    AnswerSender(&'static str),
    /// Answers the recipient's name with this.
    AnswerRecipient(&'static str),
    /// Answers the content with this; `{link}` is the first link in it.
    AnswerContent(&'static str),
    /// Reads the content to its end, and hangs up.
    HangUpAfterContent,
    /// Hangs up in the middle of the content.
    HangUpWithinContent,
}

/// What came in by one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Every line but the content.
    pub commands: Vec<String>,
    /// The content as it was meant, when its final dot was read.
    pub content: Option<String>,
    /// Whether the server took it.
    pub taken: bool,
}

#[derive(Debug, Default)]
struct Desk {
    next: Mutex<VecDeque<SmtpBehaviour>>,
    conversations: Mutex<Vec<Conversation>>,
    closed: AtomicBool,
}

/// Listens until dropped.
#[derive(Debug)]
pub struct SmtpServer {
    address: SocketAddr,
    desk: Arc<Desk>,
}

impl SmtpServer {
    /// Behaves in turn as it is told, and takes everything after that.
    pub fn start(behaviours: impl IntoIterator<Item = SmtpBehaviour>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk { next: Mutex::new(behaviours.into_iter().collect()), ..Desk::default() });
        let at_the_door = desk.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if at_the_door.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, desk) = (stream.unwrap(), at_the_door.clone());
                let behaviour = desk.next.lock().unwrap().pop_front().unwrap_or_default();
                thread::spawn(move || desk.converse(&stream, &behaviour));
            }
        });
        Self { address, desk }
    }

    /// As the setting `smtp_url` names it, with `user_info` such as `ada:sesame@` and `query` such as `?tls=required`.
    pub fn url(&self, user_info: &str, query: &str) -> String {
        format!("smtp://{user_info}{}{query}", self.address)
    }

    /// Everything that has ended.
    pub fn conversations(&self) -> Vec<Conversation> {
        self.desk.conversations.lock().unwrap().clone()
    }

    /// What it took.
    pub fn mails(&self) -> Vec<String> {
        self.conversations().into_iter().filter(|one| one.taken).filter_map(|one| one.content).collect()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::SeqCst);
        // Wakes the door; when nobody is there any more, nothing is to be woken.
        drop(TcpStream::connect(self.address));
    }
}

impl Desk {
    fn converse(&self, stream: &TcpStream, behaviour: &SmtpBehaviour) {
        let mut conversation = Conversation::default();
        if *behaviour != SmtpBehaviour::HangUpAtOnce
            && let Err(error) = converse(stream, behaviour, &mut conversation)
        {
            // The other side may hang up as it likes.
            let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
            assert!(kinds.contains(&error.kind()), "{error}");
        }
        self.conversations.lock().unwrap().push(conversation);
    }
}

fn converse(mut stream: &TcpStream, behaviour: &SmtpBehaviour, seen: &mut Conversation) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut say = move |line: &str| stream.write_all(format!("{line}\r\n").as_bytes());
    say("220 mail.example ready")?;
    loop {
        // It need not be text: somebody may try TLS.
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        seen.commands.push(command.clone());
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match (verb.as_str(), behaviour) {
            ("EHLO", _) => {
                say("250-mail.example")?;
                say("250 AUTH PLAIN")?;
            }
            ("AUTH", _) => say("235 2.7.0 welcome")?,
            ("MAIL", SmtpBehaviour::AnswerSender(answer)) | ("RCPT", SmtpBehaviour::AnswerRecipient(answer)) => {
                say(answer)?;
            }
            ("DATA", SmtpBehaviour::HangUpWithinContent) => {
                say("354 go on")?;
                reader.read_until(b'\n', &mut line)?;
                return Ok(());
            }
            ("DATA", _) => {
                say("354 go on")?;
                let content = read_content(&mut reader)?;
                let link =
                    content.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_default().to_owned();
                seen.content = Some(content);
                match behaviour {
                    SmtpBehaviour::HangUpAfterContent => return Ok(()),
                    SmtpBehaviour::AnswerContent(answer) => say(&answer.replace("{link}", &link))?,
                    _ => {
                        seen.taken = true;
                        say("250 2.0.0 taken")?;
                    }
                }
            }
            ("QUIT", _) => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}

/// Up to the line that is a dot; the dots that protect others are taken off.
fn read_content(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut content = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(content);
        }
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
