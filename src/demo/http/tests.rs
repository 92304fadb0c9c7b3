use tokio::net::TcpListener;

use super::*;

/// Answers the first connection with `bytes`, whatever is asked, and closes it.
async fn canned(bytes: &'static [u8]) -> Result<SocketAddr, HttpError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        if let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let _ = read_head(&mut stream).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    Ok(address)
}

async fn answer(bytes: &'static [u8]) -> Result<Reply, HttpError> {
    get(canned(bytes).await?, "a.b", "/", Duration::from_secs(5)).await
}

#[tokio::test]
async fn answers_with_a_length_and_in_chunks_are_read() -> Result<(), HttpError> {
    let reply = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more").await?;
    assert_eq!(reply, Reply { status: 200, body: b"hello".to_vec(), keep_alive: true });
    let chunked = answer(
        b"HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
          3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
    )
    .await?;
    assert_eq!(chunked, Reply { status: 503, body: b"hello".to_vec(), keep_alive: false });
    Ok(())
}

#[tokio::test]
async fn what_is_cut_or_strange_is_an_error() {
    for bad in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        assert!(answer(bad).await.is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[tokio::test]
async fn silence_has_an_end() -> Result<(), HttpError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let reply = get(listener.local_addr()?, "a.b", "/", Duration::from_millis(50)).await;
    assert!(matches!(reply, Err(HttpError::TimedOut(_))));
    Ok(())
}
