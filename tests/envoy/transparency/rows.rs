//! The rows for HTTP/1: what a client sends, what its backend answers, and what must come of it with a proxy in between.

pub struct Row {
    pub name: &'static str,
    pub request: Vec<u8>,
    pub response: Vec<u8>,
    pub expect: Expect,
    /// Whether it means anything on the plain port, which finds the service by `Host` and `/`.
    pub plain_port: bool,
}

pub enum Expect {
    /// Both ends see what they would see without a proxy.
    Same,
    /// The client does; the backend gets an equivalent request, as the row's line in docs/transparency.md says.
    SameAnswer,
    /// The client gets the status it would get, and the backend a request with this in it.
    Received(&'static str),
    /// Envoy cannot do it. docs/transparency.md says so, and what to do.
    Status(u16),
}

const OK: &str = "HTTP/1.1 200 OK\r\nServer: apple\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1";
const HOST: &str = "Host: web.shop";

pub fn rows() -> Vec<Row> {
    [versions(), upgrades(), limits(), headers(), framing(), methods(), targets(), responses(), interim(), not_http()]
        .into_iter()
        .flatten()
        .collect()
}

fn row(name: &'static str, request: impl Into<Vec<u8>>, response: impl Into<Vec<u8>>) -> Row {
    Row { name, request: request.into(), response: response.into(), expect: Expect::Same, plain_port: true }
}

impl Row {
    fn expects(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }

    fn vip_only(self) -> Self {
        Self { plain_port: false, ..self }
    }
}

fn lines(lines: &[&str]) -> String {
    lines.join("\r\n") + "\r\n\r\n"
}

fn answer(lines: &[&str], body: &str) -> String {
    lines.join("\r\n") + "\r\n\r\n" + body
}

fn versions() -> Vec<Row> {
    let until_end = "HTTP/1.0 200 OK\r\nServer: apple\r\n\r\nuntil the end";
    vec![
        row("HTTP/1.0", lines(&["GET / HTTP/1.0", HOST]), OK).expects(Expect::Received("HTTP/1.1")),
        row("HTTP/1.0 without Host", lines(&["GET / HTTP/1.0"]), OK).expects(Expect::Received("localhost")).vip_only(),
        row("HTTP/1.0 with a body", lines(&["POST / HTTP/1.0", HOST, "Content-Length: 2"]) + "ab", OK)
            .expects(Expect::Received("ab")),
        row("HTTP/1.0 kept alive", lines(&["GET / HTTP/1.0", HOST, "Connection: keep-alive"]), OK)
            .expects(Expect::Received("HTTP/1.1")),
        row("HTTP/1.0 answered until the end", lines(&["GET / HTTP/1.0", HOST]), until_end)
            .expects(Expect::Received("HTTP/1.1")),
        row("an answer until the end of the connection", lines(&[GET, HOST]), "HTTP/1.1 200 OK\r\n\r\nuntil the end"),
        row("an answer in HTTP/1.0", lines(&[GET, HOST]), until_end).expects(Expect::Status(200)),
    ]
}

fn upgrades() -> Vec<Row> {
    let upgrade = |to: &str| lines(&[GET, HOST, &format!("Upgrade: {to}"), "Connection: Upgrade"]);
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw bytes";
    let post =
        lines(&["POST / HTTP/1.1", HOST, "Upgrade: TLS/1.2", "Connection: Upgrade", "Content-Length: 3"]) + "abc";
    let h2c = lines(&[GET, HOST, "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "Connection: Upgrade, HTTP2-Settings"]);
    vec![
        row("Upgrade: TLS/1.2", upgrade("TLS/1.2"), OK).expects(Expect::SameAnswer),
        row("Upgrade: TLS/1.2 with a body", post, OK).expects(Expect::Received("abc")),
        row("Upgrade: h2c", h2c, OK).expects(Expect::SameAnswer),
        row("Upgrade: TLS/1.0, HTTP/2.0", upgrade("TLS/1.0, HTTP/2.0"), OK).expects(Expect::SameAnswer),
        row("Upgrade: of their own", upgrade("foo/1"), OK).expects(Expect::SameAnswer),
        row("Upgrade: websockets, which is another word", upgrade("websockets"), OK).expects(Expect::SameAnswer),
        row("Upgrade: we, which begins the same", upgrade("we"), OK).expects(Expect::SameAnswer),
        row("WebSocket", upgrade("websocket"), switched),
        row("WebSocket in another case", upgrade("WebSocket"), switched),
        row("WebSocket refused", upgrade("websocket"), answer(&["HTTP/1.1 403 No", "Content-Length: 5"], "never")),
    ]
}

fn limits() -> Vec<Row> {
    let many: Vec<String> = (0..1000).map(|i| format!("X-{i}: {i}")).collect();
    let many = many.join("\r\n");
    let large = format!("Cookie: {}", "a".repeat(500_000));
    let large_answer = format!("Set-Cookie: {}", "a".repeat(500_000));
    let long = format!("GET /{} HTTP/1.1", "a".repeat(200_000));
    vec![
        row("1,000 headers", lines(&[GET, HOST, &many]), OK),
        row("a header of 500 kB", lines(&[GET, HOST, &large]), OK),
        row("a target of 200 kB", lines(&[&long, HOST]), OK),
        row(
            "1,000 headers in an answer",
            lines(&[GET, HOST]),
            answer(&["HTTP/1.1 200 OK", &many, "Content-Length: 2"], "ok"),
        ),
        row(
            "a header of 500 kB in an answer",
            lines(&[GET, HOST]),
            answer(&["HTTP/1.1 200 OK", &large_answer, "Content-Length: 2"], "ok"),
        ),
    ]
}

fn headers() -> Vec<Row> {
    let forwarded = [
        GET,
        HOST,
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: h",
        "X-Forwarded-Client-Cert: By=a",
        "X-Request-ID: mine",
        "Via: 1.1 me",
        "Forwarded: for=1",
        "X-Isthmus-Other: 1",
    ];
    let envoys_own = ["x-envoy-original-path: /a", "x-envoy-attempt-count: 7", "x-envoy-decorator-operation: d"];
    let to_envoy = ["x-envoy-retry-on: 5xx", "x-envoy-upstream-rq-timeout-ms: 1", "x-envoy-max-retries: 9"];
    let answered = answer(
        &[
            "HTTP/1.1 200 OK",
            "Server: apple",
            "Date: yesterday",
            "Via: 1.1 other",
            "X-Request-ID: b",
            "x-envoy-upstream-service-time: 77",
            "x-envoy-overloaded: true",
            "Content-Length: 2",
        ],
        "ok",
    );
    let raw = |line: &[u8]| [&b"GET / HTTP/1.1\r\nHost: web.shop\r\n"[..], line, b"\r\n\r\n"].concat();
    let camel = answer(&["HTTP/1.1 200 OK", "ETag: x", "WWW-Authenticate: y", "Content-Length: 2"], "ok");
    vec![
        row("nothing is added", lines(&[GET, HOST]), answer(&["HTTP/1.1 200 OK", "Content-Length: 2"], "ok")),
        row("what was forwarded before", lines(&forwarded), answered),
        row("headers of another Envoy", lines(&[&[GET, HOST], &envoys_own[..]].concat()), OK),
        row("orders to an Envoy", lines(&[&[GET, HOST], &to_envoy[..]].concat()), OK).expects(Expect::SameAnswer),
        row("the case of names", lines(&[GET, HOST, "X-FooBar: AbC", "SOAPAction: x"]), camel),
        row(
            "bytes that are no ASCII",
            raw(b"X-N: caf\xe9"),
            &b"HTTP/1.1 200 OK\r\nX-N: caf\xe9\r\nContent-Length: 2\r\n\r\nok"[..],
        ),
        row("underscores", lines(&[GET, HOST, "x_under_score: 1"]), OK),
        row("an empty header", lines(&[GET, HOST, "X-Empty:"]), OK),
        row("cookies in several lines", lines(&[GET, HOST, "Cookie: a=1", "Cookie: b=2"]), OK),
        row("a folded line", raw(b"X-A: 1\r\n two"), OK).expects(Expect::Received("1 two")),
        row("Host with a port", lines(&[GET, "Host: web.shop.svc:80"]), OK),
        row("Host in capitals with a dot", lines(&[GET, "Host: Web.Shop."]), OK).vip_only(),
        row("an empty Host", lines(&[GET, "Host:"]), OK).vip_only(),
        row("no Host", lines(&[GET]), OK).expects(Expect::Status(400)),
        row("two Hosts", lines(&[GET, "Host: a", "Host: b"]), OK).expects(Expect::Received("a,b")).vip_only(),
        row("a space before the colon", raw(b"X-A : 1"), OK).expects(Expect::Status(400)),
        row("what Connection names", lines(&[GET, HOST, "Connection: X-Hop", "X-Hop: 1"]), OK)
            .expects(Expect::SameAnswer),
    ]
}

fn framing() -> Vec<Row> {
    let post = |more: &[&str], body: &str| lines(&[&["POST / HTTP/1.1", HOST], more].concat()) + body;
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    vec![
        row("chunks", post(&["Transfer-Encoding: chunked"], chunks), OK),
        row("chunks with extensions", post(&["Transfer-Encoding: chunked"], "2;a=b\r\nok\r\n0\r\n\r\n"), OK),
        row(
            "trailers",
            post(&["Transfer-Encoding: chunked", "Trailer: X-Sum"], "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"),
            OK,
        ),
        row(
            "trailers in an answer",
            lines(&[GET, HOST]),
            answer(&["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"),
        ),
        row("chunks and a length", post(&["Content-Length: 7", "Transfer-Encoding: chunked"], chunks), OK),
        row(
            "chunks and a length in an answer",
            lines(&[GET, HOST]),
            answer(&["HTTP/1.1 200 OK", "Content-Length: 12", "Transfer-Encoding: chunked"], chunks),
        ),
        row("a body with GET", lines(&[GET, HOST, "Content-Length: 2"]) + "ab", OK),
        row("a length twice", post(&["Content-Length: 2", "Content-Length: 2"], "ab"), OK).expects(Expect::Status(400)),
        row(
            "a length twice in an answer",
            lines(&[GET, HOST]),
            answer(&["HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 2"], "ok"),
        )
        .expects(Expect::Status(502)),
        row("a transfer coding besides chunks", post(&["Transfer-Encoding: gzip, chunked"], chunks), OK)
            .expects(Expect::Status(501)),
        row("Connection: close", lines(&[GET, HOST, "Connection: close"]), OK),
        row(
            "an answer that is cut off",
            lines(&[GET, HOST]),
            answer(&["HTTP/1.1 200 OK", "Content-Length: 20"], "short"),
        ),
    ]
}

fn methods() -> Vec<Row> {
    let with_body = |method: &str| lines(&[&format!("{method} /x HTTP/1.1"), HOST, "Content-Length: 2"]) + "ab";
    let without = |method: &str| lines(&[&format!("{method} /x HTTP/1.1"), HOST]);
    vec![
        row("PROPFIND", without("PROPFIND"), OK),
        row("PURGE", without("PURGE"), OK),
        row("a method of their own", without("FOOBAR"), OK),
        row("a method of their own with a body", with_body("FOOBAR"), OK),
        row("a method in small letters", without("get"), OK),
        row("DELETE with a body", with_body("DELETE"), OK),
        row("HEAD", without("HEAD"), answer(&["HTTP/1.1 200 OK", "Content-Length: 1234"], "")),
        row("HEAD without a length", without("HEAD"), answer(&["HTTP/1.1 200 OK", "X: 1"], "")),
        row("OPTIONS /", lines(&["OPTIONS / HTTP/1.1", HOST]), OK),
        row("OPTIONS *", lines(&["OPTIONS * HTTP/1.1", HOST]), OK).expects(Expect::Status(404)),
        row("QUERY without Content-Type", with_body("QUERY"), OK).expects(Expect::Status(400)),
        row(
            "CONNECT",
            lines(&["CONNECT other:443 HTTP/1.1", "Host: other:443"]),
            answer(&["HTTP/1.1 200 Yes"], "raw bytes"),
        )
        .vip_only(),
    ]
}

fn targets() -> Vec<Row> {
    let get = |target: &str| lines(&[&format!("GET {target} HTTP/1.1"), HOST]);
    vec![
        row("a path as it is", get("/a%2Fb/../c//d/./%7e;x=1?q=a//b%20&r=[]|"), OK),
        row("a backslash", get("/a\\b%5Cc"), OK),
        row("an absolute URL", get("http://web.shop/x?y"), OK).expects(Expect::Received("GET /x?y")),
        row("a fragment", get("/a#b"), OK).expects(Expect::Status(400)),
        row("a path that is no ASCII", get("/ä"), OK).expects(Expect::Status(400)),
        row("a path with a space", get("/a b"), OK).expects(Expect::Status(400)),
    ]
}

fn responses() -> Vec<Row> {
    let to = |name, response: &str| row(name, lines(&[GET, HOST]), response);
    vec![
        to("a reason of their own", "HTTP/1.1 200 Jolly Good\r\nContent-Length: 2\r\n\r\nok"),
        to("status 299", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok"),
        to("status 999", "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok"),
        to("204", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        to("204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello")
            .expects(Expect::Status(502)),
        to("304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: a\r\n\r\n"),
        to("503 of the pod's own", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy"),
        to("504 of the pod's own", "HTTP/1.1 504 Slow\r\nContent-Length: 4\r\n\r\nslow"),
        to("several Set-Cookie", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok"),
        to("an invalid header name", "HTTP/1.1 200 OK\r\nX Bad: 1\r\nContent-Length: 2\r\n\r\nok")
            .expects(Expect::Status(502)),
        to("no answer", "").expects(Expect::Status(503)),
    ]
}

fn interim() -> Vec<Row> {
    let expecting = lines(&["POST / HTTP/1.1", HOST, "Content-Length: 2", "Expect: 100-continue"]);
    vec![
        row("102", lines(&[GET, HOST]), format!("HTTP/1.1 102 Processing\r\n\r\n{OK}")),
        row("103", lines(&[GET, HOST]), format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{OK}")),
        row("Expect answered", expecting.clone() + "ab", format!("HTTP/1.1 100 Continue\r\n\r\n{OK}")),
        row("Expect refused", expecting, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"),
    ]
}

fn not_http() -> Vec<Row> {
    vec![
        row("bytes that are no HTTP", &b"\x00\x01\x02 hello\r\n\r\n"[..], "bye").expects(Expect::Status(400)),
        row("TLS on a port called http", &b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n"[..], "bye")
            .expects(Expect::Status(400)),
        row("an answer that is no HTTP", lines(&[GET, HOST]), "hello").expects(Expect::Status(502)),
    ]
}
