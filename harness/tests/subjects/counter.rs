// A subject in Rust, compiled by the test: a thread for each connection, answers in chunks of one byte.

use std::{
    io::{BufRead, BufReader, Read, Result, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicI64, Ordering},
};

static COUNT: AtomicI64 = AtomicI64::new(0);

fn main() -> Result<()> {
    let port = std::env::var("PORT").expect("the harness gives one");
    for client in TcpListener::bind(format!("127.0.0.1:{port}"))?.incoming().flatten() {
        std::thread::spawn(move || while serve(&client).unwrap_or(false) {});
    }
    Ok(())
}

/// Whether the connection goes on.
fn serve(mut client: &TcpStream) -> Result<bool> {
    let mut reader = BufReader::new(client);
    let (mut line, mut length) = (String::new(), 0);
    if reader.read_line(&mut line)? == 0 {
        return Ok(false);
    }
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().to_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let added = String::from_utf8_lossy(&body).parse().unwrap_or(0);
    let (status, count) = match line.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["POST", "/count"] => ("201 Created", COUNT.fetch_add(added, Ordering::SeqCst) + added),
        ["GET", "/count"] => ("200 OK", COUNT.load(Ordering::SeqCst)),
        _ => ("404 Not Found", 0),
    };
    write!(client, "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for byte in format!("{{\"count\":{count}}}").bytes() {
        client.write_all(&[b'1', b'\r', b'\n', byte, b'\r', b'\n'])?;
    }
    client.write_all(b"0\r\n\r\n")?;
    Ok(true)
}
