//! A client that does as little as one can: it reads what comes, and notes when which event was there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came, and when.
pub type Arrivals = Vec<(i64, Instant)>;

/// Follows from `from` on; returns when the event at `last` has come. Every event is counted in `received`.
pub async fn follow(
    address: String,
    token: String,
    from: i64,
    received: Arc<AtomicU64>,
    mut last: tokio::sync::watch::Receiver<i64>,
    ready: Arc<tokio::sync::Barrier>,
) -> Arrivals {
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "GET /events?from={from}&aggregateType=contact HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = Vec::with_capacity(1 << 17);
    let mut arrivals = Vec::new();
    // The stream begins with a block that is no event.
    while !buffer.windows(7).any(|window| window == b"retry: ") {
        read(&mut connection, &mut buffer).await;
    }
    assert!(buffer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&buffer));
    ready.wait().await;
    let mut id = 0;
    loop {
        let now = Instant::now();
        let mut rest = buffer.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if let Some(text) = line.strip_prefix(b"id: ") {
                id = std::str::from_utf8(text).unwrap().parse().unwrap();
            } else if line.starts_with(b"event: ") {
                arrivals.push((id, now));
                received.fetch_add(1, Ordering::Relaxed);
            }
        }
        let consumed = buffer.len() - rest.len();
        buffer.drain(..consumed);
        if (1..=id).contains(&*last.borrow()) {
            return arrivals;
        }
        tokio::select! {
            () = read(&mut connection, &mut buffer) => {}
            changed = last.changed() => changed.unwrap(),
        }
    }
}

async fn read(connection: &mut TcpStream, buffer: &mut Vec<u8>) {
    let read = connection.read_buf(buffer).await.unwrap();
    assert_ne!(read, 0, "the stream ended: {}", String::from_utf8_lossy(buffer));
}
