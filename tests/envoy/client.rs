//! A client whose connections are redirected to its Envoy, as iptables does in a pod.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::harness::SOON;
use crate::testbed::eventually;

/// What comes from here is redirected. Envoy's own connections come from elsewhere, so no second user is needed.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
const INTERCEPT_PORT: &str = "15001";
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// `nat OUTPUT`, in the network namespace of this test alone.
pub fn redirect() {
    let client = CLIENT.to_string();
    let iptables =
        ["-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-s", &client, "-j", "REDIRECT", "--to-ports", INTERCEPT_PORT];
    let nft = format!(
        "table ip nat {{ chain output {{ type nat hook output priority -100; ip saddr {client} meta l4proto tcp redirect to \
         :{INTERCEPT_PORT}; }} }}"
    );
    let mut tried = String::new();
    for (program, args) in [("iptables", &iptables[..]), ("nft", &[&nft])] {
        match Command::new(program).args(args).output() {
            Ok(output) if output.status.success() => return,
            Ok(output) => tried.push_str(&format!("{program}: {}\n", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => tried.push_str(&format!("{program}: {error}\n")),
        }
    }
    panic!(
        "\n\nThis test redirects connections inside its own network namespace:\n  apt-get install iptables\n{tried}"
    );
}

/// Asks as the intercepted client until this identity answers; the whole answer, head and body.
pub async fn until(to: SocketAddr, host: &str, identity: &str) -> String {
    eventually(&format!("{identity} answers at {to}"), SOON, async || match get(to, host).await {
        Ok(answer) if answer.ends_with(&format!("\r\n\r\n{identity}")) => Ok(answer),
        Ok(other) | Err(other) => Err(other),
    })
    .await
}

/// Sends `words` and reads until the other side closes.
pub async fn call(to: SocketAddr, words: &str) -> Result<String, String> {
    let exchange = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(CLIENT.into(), 0))?;
        let mut stream = socket.connect(to).await?;
        stream.write_all(words.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    match tokio::time::timeout(CALL_LIMIT, exchange).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no end within {CALL_LIMIT:?}")),
    }
}

/// Asks once, as the intercepted client.
pub async fn get(to: SocketAddr, host: &str) -> Result<String, String> {
    call(to, &format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await
}
