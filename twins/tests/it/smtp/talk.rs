//! A client that says what it is told to, and reads answers as any client does.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use twins::Served;

use crate::support::Dice;

/// What the generated log is made of.
const SAID: [&str; 24] = [
    "EHLO client.test",
    "HELO client.test",
    "MAIL FROM:<a@shop.test> SIZE=10",
    "MAIL FROM:<a@shop.test>",
    "MAIL FROM:<jörg@shop.test>",
    "MAIL FROM:<>",
    "MAIL",
    "RCPT TO:<ann@example.com>",
    "RCPT TO:<bob@example.com>",
    "RCPT TO:<a b>",
    "DATA",
    "DATA",
    "DATA now",
    "RSET",
    "NOOP",
    "VRFY ann@example.com",
    "STARTTLS",
    "AUTH PLAIN AGFubgBzZWNyZXQ=",
    "AUTH CRAM-MD5",
    "BDAT x",
    "HELP",
    "GET / HTTP/1.1",
    "QUIT",
    "\u{1}",
];
const MESSAGE: &str = "Subject: Hello\r\nFrom: a@shop.test\r\n\r\nHi\r\n..\r\n.\r\n";

pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    /// With the greeting.
    pub(crate) async fn begin(served: &Served) -> (Self, String) {
        Self::at(&served.base_url).await
    }

    async fn at(base_url: &str) -> (Self, String) {
        let stream = TcpStream::connect(base_url.trim_start_matches("smtp://")).await.unwrap();
        let mut talk = Self { stream: BufReader::new(stream) };
        let greeting = talk.answer().await;
        (talk, greeting)
    }

    /// Introduced already.
    pub(crate) async fn greeted(served: &Served) -> Self {
        let (mut talk, _) = Self::begin(served).await;
        assert!(talk.ask("EHLO client.test").await.starts_with("250"));
        talk
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// One command, one answer.
    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.answer().await
    }

    /// All lines of one answer; nothing where the conversation is over.
    pub(crate) async fn answer(&mut self) -> String {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return whole;
            }
            whole.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return whole;
            }
        }
    }

    /// The envelope, up to the permission to send the message.
    pub(crate) async fn envelope(&mut self, recipients: &[&str]) -> String {
        self.ask("MAIL FROM:<a@shop.test>").await;
        for recipient in recipients {
            self.ask(&format!("RCPT TO:<{recipient}>")).await;
        }
        self.ask("DATA").await
    }
}

/// A generated log: everything that was said and answered.
pub(crate) async fn babble(base_url: &str, dice: &mut Dice, commands: usize) -> Vec<String> {
    let (mut talk, greeting) = Talk::at(base_url).await;
    let mut seen = vec![greeting];
    for _ in 0..commands {
        let said = SAID[dice.below(SAID.len())];
        let mut answer = talk.ask(said).await;
        if answer.starts_with("354") {
            talk.send(MESSAGE.as_bytes()).await;
            answer.push_str(&talk.answer().await);
        }
        let is_over = answer.is_empty()
            || ["421", "221", "554 5.5.0", "501 5.5.4 Syntax: BDAT"].iter().any(|end| answer.starts_with(end));
        seen.push(format!("{said}: {answer}"));
        if is_over {
            (talk, answer) = Talk::at(base_url).await;
            seen.push(answer);
        }
    }
    seen
}
