//! Requests and replies as bytes.

use super::{Ending, Reply, Request};
use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Looks at a whole request without taking it, so that it can be left unread: the request and its length in bytes, or
/// nothing at the end of the connection.
pub(super) fn peek(stream: &TcpStream) -> std::io::Result<Option<(Request, usize)>> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = stream.peek(&mut buffer)?;
        if length == 0 {
            return Ok(None);
        }
        if length == buffer.len() {
            buffer.resize(2 * length, 0);
        }
        if let Some(found) = parse(&buffer[..length]) {
            return Ok(Some(found));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The request at the beginning of `bytes` and its length, once all of it is there.
fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: HashMap<String, String> = rest.lines().filter_map(field).collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let whole = end + 4 + length;
    let body = bytes.get(end + 4..whole)?.to_vec();
    Some((Request { method, path, headers, body, at: Instant::now() }, whole))
}

/// Sends a reply. Whether the connection stays open.
pub(super) fn send(stream: &mut TcpStream, request: &Request, reply: &Reply) -> std::io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Said\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        let length = if reply.ending == Ending::Drip { 1 << 20 } else { reply.body.len() };
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{head}\r\n").into_bytes();
    match reply.ending {
        _ if request.method == "HEAD" => {}
        Ending::Cut(after) => bytes.extend(&reply.body[..after]),
        _ => bytes.extend(&reply.body),
    }
    stream.write_all(&bytes)?;
    if reply.ending == Ending::Drip {
        for _ in 0..600 {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(reply.ending == Ending::Whole)
}
