//! A bad line to the server: every connection is cut after a while, sometimes on the way there, sometimes on the way back.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Proxy {
    pub address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// In front of `server`. Each connection takes another number of bytes, all of them enough for some events.
    pub async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let counted = counted.clone();
                tokio::spawn(async move {
                    let nth = counted.load(Ordering::SeqCst);
                    // Events there are long, and their confirmations short.
                    let (there, back) = match nth % 2 {
                        0 => (20_000 + (nth * 7_919) % 90_000, usize::MAX),
                        _ => (usize::MAX, 8_000 + (nth * 1_237) % 9_000),
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    // Whichever ends first ends both, by dropping them.
                    tokio::select! {
                        () = pass(from_client, to_server, there) => {}
                        () = pass(from_server, to_client, back) => {}
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, cuts, task }
    }

    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, bytes_max: usize) {
    let mut left = bytes_max;
    let mut buffer = vec![0; 4_096];
    while left > 0 {
        let take = left.min(buffer.len());
        let Ok(read @ 1..) = from.read(&mut buffer[..take]).await else { return };
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        left -= read;
    }
}
