//! `--telemetry`: the live stream of snapshots, one JSON line each, to whoever attaches.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

/// Where the stream is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl Endpoint {
    /// `ADDR:PORT` is TCP, `:PORT` is TCP on loopback, anything else is a path.
    pub fn parse(text: &str) -> Self {
        let loopback = text.strip_prefix(':').map(|port| format!("127.0.0.1:{port}"));
        match loopback.as_deref().unwrap_or(text).parse() {
            Ok(address) => Self::Tcp(address),
            Err(_) => Self::Unix(PathBuf::from(text)),
        }
    }
}

/// The stream's sending end. Lines are shared, the latest wins, nothing queues: a reader that is slow misses snapshots,
/// never slows the run.
pub struct Telemetry {
    lines: watch::Sender<Arc<str>>,
    path: Option<PathBuf>,
    /// Where it really listens (port 0 is resolved).
    pub address: String,
}

impl Telemetry {
    /// Listens and serves in the background of the current runtime.
    pub async fn serve(endpoint: &Endpoint) -> io::Result<Self> {
        let (lines, receiver) = watch::channel(Arc::from(""));
        match endpoint {
            Endpoint::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?.to_string();
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(feed(stream, receiver.clone()));
                    }
                });
                Ok(Self {
                    lines,
                    path: None,
                    address,
                })
            }
            Endpoint::Unix(path) => {
                // A socket that a run left behind may be replaced; a file that is something else may not.
                if fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
                    && std::os::unix::net::UnixStream::connect(path).is_err()
                {
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(feed(stream, receiver.clone()));
                    }
                });
                Ok(Self {
                    lines,
                    path: Some(path.clone()),
                    address: path.display().to_string(),
                })
            }
        }
    }

    /// Offers a line (without its newline) to all readers.
    pub fn publish(&self, line: String) {
        self.lines.send_replace(Arc::from(line + "\n"));
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

async fn feed(mut stream: impl AsyncWrite + Unpin, mut lines: watch::Receiver<Arc<str>>) {
    loop {
        let line = lines.borrow_and_update().clone();
        if !line.is_empty() && stream.write_all(line.as_bytes()).await.is_err() {
            return;
        }
        if lines.changed().await.is_err() {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::net::TcpStream;

    #[test]
    fn endpoints_read_as_addresses_or_paths() {
        assert_eq!(
            Endpoint::parse(":9000"),
            Endpoint::Tcp("127.0.0.1:9000".parse().unwrap())
        );
        assert_eq!(
            Endpoint::parse("[::1]:1"),
            Endpoint::Tcp("[::1]:1".parse().unwrap())
        );
        assert_eq!(
            Endpoint::parse("/tmp/x.sock"),
            Endpoint::Unix("/tmp/x.sock".into())
        );
    }

    #[tokio::test]
    async fn a_reader_gets_the_latest_line_and_then_each_new_one() {
        let telemetry = Telemetry::serve(&Endpoint::parse("127.0.0.1:0")).await.unwrap();
        telemetry.publish("old".to_owned());
        telemetry.publish("first".to_owned());
        let stream = TcpStream::connect(&telemetry.address).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("first"));
        telemetry.publish("second".to_owned());
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("second"));
        drop(telemetry);
        assert_eq!(lines.next_line().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_unix_socket_left_behind_is_replaced_but_a_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let telemetry = Telemetry::serve(&Endpoint::Unix(path.clone())).await.unwrap();
        assert!(
            Telemetry::serve(&Endpoint::Unix(path.clone())).await.is_err(),
            "in use"
        );
        drop(telemetry);
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        assert!(Telemetry::serve(&Endpoint::Unix(path.clone())).await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
