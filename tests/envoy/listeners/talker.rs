//! Servers that answer with what reached them, and a client that keeps its connections.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::envoy::client::CLIENT;

/// The intercepted client's IPv6 address.
pub(super) const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x200, 0, 0, 0, 0, 0, 1);
const LIMIT: Duration = Duration::from_secs(5);

/// Sends first, in no protocol that a proxy knows, and then repeats what it receives.
pub(super) async fn echo(at: SocketAddr, greeting: &str) {
    let listener = listen(at);
    let greeting = format!("{greeting}\n");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let greeting = greeting.clone();
            tokio::spawn(async move {
                stream.write_all(greeting.as_bytes()).await?;
                repeat(&mut stream).await
            });
        }
    });
}

/// Answers each HTTP request with its name and the request's head, and repeats what comes after an upgrade.
pub(super) async fn http(at: SocketAddr, identity: &str) {
    let listener = listen(at);
    let identity = identity.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, identity.clone()));
        }
    });
}

async fn answer(mut stream: TcpStream, identity: String) -> std::io::Result<()> {
    let mut pending = Vec::new();
    loop {
        while let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&pending[..end]).into_owned();
            pending.drain(..end + 4);
            if head.to_ascii_lowercase().contains("upgrade: websocket") {
                let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
                stream.write_all(switch.as_bytes()).await?;
                return repeat(&mut stream).await;
            }
            let body = format!("{identity}\n{head}");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await?;
        }
        if stream.read_buf(&mut pending).await? == 0 {
            return Ok(());
        }
    }
}

async fn repeat(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

/// Beside a listener of Envoy on the same port of every address, where it must be.
fn listen(at: SocketAddr) -> TcpListener {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(at).unwrap_or_else(|error| panic!("{at}: {error}"));
    socket.listen(64).unwrap()
}

/// A connection of the intercepted client.
pub(super) struct Line {
    pub(super) name: &'static str,
    stream: TcpStream,
    /// Sent, and expected back or at the beginning of the answer.
    words: (&'static str, &'static str),
}

impl Line {
    /// To a server that sends first.
    pub(super) async fn to_echo(name: &'static str, to: SocketAddr, greeting: &str) -> Self {
        let mut line = Self { name, stream: dial(to).await.unwrap(), words: ("still there?\n", "still there?\n") };
        let received = line.receive().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(received, format!("{greeting}\n"), "{name}");
        line
    }

    /// A websocket.
    pub(super) async fn to_websocket(name: &'static str, to: SocketAddr) -> Self {
        let mut line = Self { name, stream: dial(to).await.unwrap(), words: ("frame", "frame") };
        let upgrade = "GET / HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        line.stream.write_all(upgrade.as_bytes()).await.unwrap();
        let received = line.receive().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(received.starts_with("HTTP/1.1 101"), "{name}: {received}");
        line
    }

    /// Requests one after another.
    pub(super) async fn to_http(name: &'static str, to: SocketAddr) -> Self {
        let words = ("GET / HTTP/1.1\r\nhost: web\r\n\r\n", "HTTP/1.1 200");
        let mut line = Self { name, stream: dial(to).await.unwrap(), words };
        line.lives().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        line
    }

    /// Whether the other side still answers.
    pub(super) async fn lives(&mut self) -> Result<(), String> {
        let (words, expected) = self.words;
        self.stream.write_all(words.as_bytes()).await.map_err(|error| format!("{}: {error}", self.name))?;
        let received = self.receive().await?;
        if received.to_ascii_lowercase().contains("connection: close") {
            return Err(format!("{} was asked to close: {received}", self.name));
        }
        if received.starts_with(expected) { Ok(()) } else { Err(format!("{}: {received:?}", self.name)) }
    }

    async fn receive(&mut self) -> Result<String, String> {
        let mut buffer = [0; 4096];
        match tokio::time::timeout(LIMIT, self.stream.read(&mut buffer)).await {
            Ok(Ok(0)) => Err(format!("{}: closed", self.name)),
            Ok(Ok(n)) => Ok(String::from_utf8_lossy(&buffer[..n]).into_owned()),
            Ok(Err(error)) => Err(format!("{}: {error}", self.name)),
            Err(_) => Err(format!("{}: silence", self.name)),
        }
    }
}

/// As the intercepted client.
async fn dial(to: SocketAddr) -> std::io::Result<TcpStream> {
    let from: IpAddr = if to.is_ipv4() { CLIENT.into() } else { CLIENT_V6.into() };
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(from, 0))?;
    tokio::time::timeout(LIMIT, socket.connect(to)).await?
}

/// What one request is answered with; its head has these lines more, each with its end.
pub(super) async fn ask(to: SocketAddr, more: &str) -> Result<String, String> {
    let exchange = async {
        let mut stream = dial(to).await?;
        let request = format!("GET / HTTP/1.1\r\nhost: any\r\n{more}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        let mut buffer = [0; 4096];
        // A server that knows no `connection: close` is not waited for.
        while !answer.contains("\r\n\r\n") || !answer.contains("host:") {
            match stream.read(&mut buffer).await? {
                0 => break,
                n => answer.push_str(&String::from_utf8_lossy(&buffer[..n])),
            }
        }
        std::io::Result::Ok(answer)
    };
    match tokio::time::timeout(LIMIT, exchange).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    }
}

/// What the server says first, and what it repeats.
pub(super) async fn greeted(to: SocketAddr) -> Result<String, String> {
    let mut stream = dial(to).await.map_err(|error| error.to_string())?;
    let mut buffer = [0; 256];
    match tokio::time::timeout(LIMIT, stream.read(&mut buffer)).await {
        Ok(Ok(n)) => Ok(String::from_utf8_lossy(&buffer[..n]).trim_end().to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("silence".to_owned()),
    }
}
