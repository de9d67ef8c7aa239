//! A subject's output, kept in one bounded file.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    task::JoinHandle,
};

/// What comes after is read, so that the subject never blocks, and dropped.
pub(crate) const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024; // more than anybody reads of one trial
const TAIL_BYTES: u64 = 4 * 1024; // some fifty lines
const CUT: &[u8] = b"\n[the log is full; later output was dropped]\n";

/// Appends to one log file from several streams.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Mutex<Bounded>>);

#[derive(Debug)]
struct Bounded {
    file: File,
    left: u64,
}

impl Log {
    pub(super) fn append_to(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let left = LOG_BYTES_MAX.saturating_sub(file.metadata()?.len());
        Ok(Self(Arc::new(Mutex::new(Bounded { file, left }))))
    }

    /// Copies a stream until its end.
    pub(super) fn pump(&self, mut stream: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                log.write(&buffer[..read]);
            }
        })
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        let mut bounded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bounded.left == 0 {
            return;
        }
        let fits = bytes.len().min(usize::try_from(bounded.left).unwrap_or(usize::MAX));
        bounded.left -= fits as u64;
        // A full disk must not take the subject down with it; the log is evidence, not truth.
        bounded.file.write_all(&bytes[..fits]).ok();
        if bounded.left == 0 {
            bounded.file.write_all(CUT).ok();
        }
    }
}

/// The end of a log, readable: whatever was not UTF-8 is marked.
pub(crate) fn tail(path: &Path) -> String {
    read_from_end(path, TAIL_BYTES).unwrap_or_default()
}

/// All of a log that was kept.
pub(crate) fn whole(path: &Path) -> String {
    read_from_end(path, LOG_BYTES_MAX + CUT.len() as u64).unwrap_or_default()
}

fn read_from_end(path: &Path, bytes_max: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes_max)))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(if length > bytes_max { format!("…{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::{LOG_BYTES_MAX, Log, tail};

    #[tokio::test]
    async fn a_log_stays_bounded_and_its_end_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("subject.log");
        let line: &'static [u8] = vec![b'\xff'; 6 * 1024 * 1024].leak();
        Log::append_to(&path).unwrap().pump(line).await.unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < LOG_BYTES_MAX + 100);
        assert!(tail(&path).ends_with("later output was dropped]\n"));
        Log::append_to(&path).unwrap().pump(&b"more"[..]).await.unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < LOG_BYTES_MAX + 100, "a restart does not reopen a full log");
    }
}
