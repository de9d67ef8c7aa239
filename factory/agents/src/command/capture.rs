//! Collecting a command's output in bounded memory: the beginning and the end, whatever comes between.

use std::collections::VecDeque;

use model::event::agent::OutputStream;
use tokio::sync::mpsc;

use super::OutputChunk;

/// What was kept of one command's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    pub stdout: String,
    pub stderr: String,
}

/// Reads until the sender is gone; keeps at most `bytes_max` of each stream, half from its start and half from its end.
pub async fn capture(mut output: mpsc::Receiver<OutputChunk>, bytes_max: usize) -> Captured {
    let (mut stdout, mut stderr) = (Ends::new(bytes_max), Ends::new(bytes_max));
    while let Some(chunk) = output.recv().await {
        match chunk.stream {
            OutputStream::Stdout => stdout.push(&chunk.bytes),
            OutputStream::Stderr => stderr.push(&chunk.bytes),
        }
    }
    Captured { stdout: stdout.text(), stderr: stderr.text() }
}

struct Ends {
    /// Of the head, and again of the tail.
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Ends {
    fn new(bytes_max: usize) -> Self {
        Self { half: bytes_max / 2, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(head);
        // Of a chunk larger than the tail only its end can stay.
        let rest_kept = &rest[rest.len().saturating_sub(self.half)..];
        self.dropped += rest.len() - rest_kept.len();
        self.tail.extend(rest_kept);
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
        self.dropped += surplus;
    }

    fn text(self) -> String {
        let tail = Vec::from(self.tail);
        if self.dropped == 0 {
            return String::from_utf8_lossy(&[self.head, tail].concat()).into_owned();
        }
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail));
        format!("{head}\n[… {} bytes were not kept …]\n{tail}", self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_output_is_whole_even_when_a_character_is_split_over_chunks() {
        let mut ends = Ends::new(1024);
        let euro = "€".as_bytes();
        ends.push(&euro[..1]);
        ends.push(&euro[1..]);
        assert_eq!(ends.text(), "€");
    }

    #[test]
    fn a_flood_keeps_its_two_ends_in_bounded_memory() {
        let mut ends = Ends::new(8);
        ends.push(b"head");
        for _ in 0..100_000 {
            ends.push(b"0123456789");
            assert!(ends.tail.len() <= 4 && ends.head.len() <= 4);
        }
        ends.push(b"tail");
        assert_eq!(ends.text(), "head\n[… 1000000 bytes were not kept …]\ntail");
    }
}
